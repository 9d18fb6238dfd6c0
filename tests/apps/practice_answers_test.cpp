// The graders of `evenkeel practice` against other answers: right ones that are written differently pass, each wrong
// one is caught by the law that is meant for it. tests/apps/practice/NN_name/right_*.cpp and wrong_*.cpp; the latter
// name the law in their first line.
#include <doctest/doctest.h>

#include <algorithm>

#include "apps/practice/verdict.h"
#include "tests/apps/process.h"

using namespace evenkeel::practice;

namespace {

struct Answer {
  std::string name, text, fault;  // fault: "" where it is right
};

std::vector<Answer> answers_of(const Exercise& e) {
  std::vector<Answer> all{{"solution", e.solution, ""}, {"start", e.start, "any"}};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(EVENKEEL_SOURCE_DIR "/tests/apps/practice/" + e.name))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    Answer a{file.stem().string(), slurp(file.string()), ""};
    const std::string first = a.text.substr(0, a.text.find('\n')), mark = "// caught by: ";
    const bool wrong = a.name.starts_with("wrong_");
    REQUIRE_MESSAGE((wrong || a.name.starts_with("right_")), file.string());
    REQUIRE_MESSAGE(wrong == first.starts_with(mark), file.string());
    if (wrong) a.fault = first.substr(mark.size());
    all.push_back(a);
  }
  return all;
}

// The grader without the types that the answer defines in the same words: both stand in one namespace here.
std::string without_types(std::string grader, const std::string& answer) {
  for (size_t at = 0; (at = grader.find("struct ", at)) != std::string::npos;) {
    const size_t end = grader.find("\n};\n", at);
    if (end != std::string::npos && answer.find(grader.substr(at, end + 4 - at)) != std::string::npos)
      grader.erase(at, end + 4 - at);
    else
      at += 7;
  }
  return grader;
}

void check_answer(const Exercise& e, const Answer& a, const Verdict& v) {
  const std::string said = e.name + "/" + a.name + ": " + v.fault + ": " + v.headline;
  CHECK_MESSAGE(v.right == a.fault.empty(), said);
  if (a.fault != "any") CHECK_MESSAGE(v.fault == a.fault, said);
}

// The right answers of an exercise, in one object: none uses what it forbids.
void check_allowed(Workshop& shop, const Exercise& e, const std::vector<Answer>& answers, const std::string& folder) {
  if (e.forbidden.empty()) return;
  std::string all;
  for (const Answer& a : answers)
    if (a.fault.empty()) all += "namespace " + a.name + "_answer {\n" + a.text + "\n}\n";
  std::ofstream(folder + "/right.cpp") << all;
  REQUIRE(shop.compile(folder + "/right.cpp", folder + "/right.so") == "");
  const Verdict v = judge_object(shop, e, shop.prepare(e, [](const std::string&) {}), folder + "/right.so", all);
  CHECK_MESSAGE(v.fault == "signature", e.name << ": " << v.headline);  // in a namespace no grader finds it
}

// All answers of an exercise in one file, each in a namespace with the grader: the compiler is started once.
void check_exercise(Workshop& shop, const Exercise& e) {
  shop.prepare(e, [](const std::string&) {});
  const std::vector<Answer> answers = answers_of(e);
  const auto count = [&](const char* kind) {
    return std::count_if(answers.begin(), answers.end(), [&](const Answer& a) { return a.name.starts_with(kind); });
  };
  CHECK_MESSAGE(count("wrong_") >= 4, e.name);
  CHECK_MESSAGE(count("right_") >= 2, e.name);
  const Scratch scratch;
  std::string all;
  for (const Answer& a : answers)
    all += "namespace " + a.name + "_answer {\n#line 1 \"" + a.name + ".cpp\"\n" + a.text +
           "\n#line 1 \"grader.cpp\"\n" + without_types(e.grader, a.text) + "}\n";
  std::ofstream(scratch / "all.cpp") << all;
  const std::string said = shop.compile(scratch / "all.cpp", scratch / "all.so");
  REQUIRE_MESSAGE(said == "", e.name << ": " << said);
  check_allowed(shop, e, answers, scratch / "");
  Exercise free = e;  // the graders use what the exercise forbids
  free.forbidden.clear();
  for (const Answer& a : answers) {
    if (a.fault == "forbidden") {
      std::ofstream(scratch / "one.cpp") << a.text;
      check_answer(e, a, judge(shop, e, scratch / "all.so", scratch / "one.cpp"));
      continue;
    }
    const std::string name = a.name + "_answer";
    const std::string symbol = "_ZN" + std::to_string(name.size()) + name + "5gradeERN12evenkeel_f648practice5GradeE";
    check_answer(e, a, judge_object(shop, free, scratch / "all.so", scratch / "all.so", a.text, symbol));
  }
}

}  // namespace

TEST_CASE("practice: every right answer passes, every wrong one fails by its law") {
  // What is compiled once is kept from run to run.
  setenv("XDG_CACHE_HOME", (std::filesystem::path(EVENKEEL_PROGRAM).parent_path() / "tests/cache").c_str(), 1);
  Workshop shop(EVENKEEL_PROGRAM);
  for (const Exercise& e : exercises()) check_exercise(shop, e);
}
