// `evenkeel practice`: the folder, verdicts in words, and what can go wrong. The graders: practice_answers_test.cpp;
// the keys: practice_walk_test.cpp.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "apps/practice/verdict.h"
#include "tests/apps/process.h"
#include "tests/data_files.h"

using namespace evenkeel::practice;

namespace {

// A practice folder, and the program run in it. What is compiled once is kept from run to run, for all tests.
struct Class {
  Class() { REQUIRE(run({"practice", "init", dir}).status == 0); }
  Outcome in(const Arguments& arguments, const Arguments& environment = {}) const {
    const std::string cache =
        "XDG_CACHE_HOME=" + (std::filesystem::path(EVENKEEL_PROGRAM).parent_path() / "tests/cache").string();
    return Process(Arguments{"practice"} + arguments, Arguments{cache} + environment, false,
                   [&] {
                     if (chdir(dir.c_str()) != 0) _exit(97);
                   })
        .wait();
  }
  std::string file(const std::string& name) const { return dir + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(file(name)) << text; }
  Scratch scratch;
  std::string dir = scratch / "class";
};

const Exercise& first() { return exercises().front(); }

std::string moments(const std::string& body) {
  return "#include <evenkeel/practice.h>\n\nstruct MeanAndVariance {\n  float mean, variance;\n};\n\n"
         "MeanAndVariance mean_and_variance(const std::vector<float>& x) {\n" +
         body + "\n}\n";
}

}  // namespace

TEST_CASE("practice: a folder holds the starts, a README and the progress, and no answer") {
  const Class c;
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(c.dir)) files += entry.is_regular_file();
  CHECK(files == exercises().size() + 2);
  for (const Exercise& e : exercises()) CHECK(slurp(c.file(e.name + ".cpp")) == start_of(e));
  CHECK(run({"practice", "init", c.dir}).status == 2);  // not empty
  const Outcome list = c.in({"list"});
  CHECK(list.status == 0);
  CHECK_MESSAGE(contains(list.out, "0 of " + std::to_string(exercises().size()) + " solved"), list.out);
  std::istringstream lines(list.out);
  std::set<size_t> columns;  // where the minutes end
  for (std::string line; std::getline(lines, line);)
    if (line.ends_with(" minutes")) columns.insert(line.size());
  CHECK_MESSAGE(columns.size() == 1, list.out);
}

TEST_CASE("practice: a folder that cannot be written whole is not left") {
  const Scratch scratch;
  Process p({"practice", "init", scratch / "course"}, {}, false, [] {
    const rlimit limit{1000, 1000};
    setrlimit(RLIMIT_FSIZE, &limit);
  });
  const Outcome o = p.wait();
  CHECK(o.status == 5);
  CHECK_MESSAGE(contains(o.err, "File too large"), o.err);
  CHECK(!std::filesystem::exists(scratch / "course"));
}

TEST_CASE("practice: every exercise has its parts, and an experiment that there is") {
  const std::string experiments = run({"lab", "list"}).out;
  for (const Exercise& e : exercises()) {
    CHECK_MESSAGE(contains(experiments, e.laboratory), e.name << ": " << e.laboratory);
    CHECK_MESSAGE((e.minutes >= 3 && e.minutes <= 30), e.name);
    CHECK_MESSAGE(contains(start_of(e), e.look), e.name);
    CHECK_MESSAGE(std::count(e.why.begin(), e.why.end(), '.') >= 3, e.name);
    if (!e.thread.empty()) CHECK_MESSAGE(contains(e.thread, "https://"), e.name);
  }
  ExerciseFiles broken{"99_broken", "# T\nkind: think\n", "", "", ""};
  CHECK_THROWS_WITH(parse_exercise(broken), "exercise 99_broken: kind must be write or repair, got think");
  broken.task = "# T\nkind: write\nminutes: 3\nlaboratory: axes\nlook: x\n";
  CHECK_THROWS_WITH(parse_exercise(broken), "exercise 99_broken: task.md has no Task");
}

TEST_CASE("practice: run says what is wrong, then what comes after the right answer") {
  const Class c;
  const Outcome wrong = c.in({"run", "01"});
  CHECK(wrong.status == 1);
  for (const char* part : {"The mean is the sum of the values", "expected mean", "found mean", "2.5",
                           "Look at 01_moments.cpp, line", "MeanAndVariance mean_and_variance("})
    CHECK_MESSAGE(contains(wrong.out, part), part << wrong.out);
  CHECK_FALSE(contains(wrong.out, "A model solution"));
  CHECK_MESSAGE(contains(wrong.out, "\n\nFor a hint: evenkeel practice hint 01\n"), wrong.out);
  CHECK_FALSE(contains(wrong.out, "\\x0a"));

  c.write("01_moments.cpp", first().solution);
  const Outcome right = c.in({"run", "moments"});
  CHECK_MESSAGE(right.status == 0, right.err);
  for (const char* part : {"Right: all 4 laws hold", "Why it matters", "evenkeel lab transform", "A model solution"})
    CHECK_MESSAGE(contains(right.out, part), part << right.out);
  CHECK(contains(c.in({"list"}).out, "1 of "));
  c.write("01_moments.cpp", first().solution + "\n// another text\n");
  CHECK(contains(c.in({"list"}).out, "0 of "));
  c.write("01_moments.cpp", first().solution);
  CHECK(contains(c.in({"list"}).out, "1 of "));
}

TEST_CASE("practice: what cannot be recorded costs neither the verdict nor the hint") {
  const Class c;
  c.write("01_moments.cpp", exercises()[0].solution);
  c.write("02_forward.cpp", exercises()[1].solution);
  const std::string before = slurp(c.file("practice.json"));
  std::filesystem::permissions(c.file("practice.json"), std::filesystem::perms::owner_read);
  const auto noted = [](const Outcome& o) {
    CHECK_MESSAGE(contains(o.err, "practice: not recorded: cannot write "), o.err);
    CHECK_MESSAGE(o.err.ends_with("practice.json: it is read-only\n"), o.err);
    CHECK_MESSAGE(o.err.find("not recorded") == o.err.rfind("not recorded"), o.err);  // once
  };
  const Outcome right = c.in({"run", "01"}), hint = c.in({"hint", "03"}), all = c.in({"check"});
  CHECK(right.status == 0);
  CHECK_MESSAGE(contains(right.out, "Right: all 4 laws hold"), right.out);
  noted(right);
  CHECK(hint.status == 0);
  CHECK_MESSAGE(contains(hint.out, "Hint 1"), hint.out);
  noted(hint);
  CHECK(all.status == 1);
  CHECK_MESSAGE(contains(all.out, "2 of " + std::to_string(exercises().size()) + " solved"), all.out);
  noted(all);
  CHECK(slurp(c.file("practice.json")) == before);
}

TEST_CASE("practice: hints come one by one, and reset keeps a copy") {
  const Class c;
  const std::string one = c.in({"hint", "1"}).out, two = c.in({"hint", "1"}).out, three = c.in({"hint", "1"}).out;
  CHECK(contains(one, "Hint 1"));
  CHECK_FALSE(contains(one, "Hint 2"));
  CHECK(contains(two, "Hint 2"));
  CHECK_FALSE(contains(two, "skeleton"));
  CHECK(contains(three, "skeleton"));
  c.write("01_moments.cpp", "mine");
  CHECK(contains(c.in({"reset", "01"}).out, "01_moments.cpp.kept"));
  CHECK(slurp(c.file("01_moments.cpp")) == start_of(first()));
  CHECK(slurp(c.file("01_moments.cpp.kept")) == "mine");
  c.write("01_moments.cpp", "mine too");
  CHECK(contains(c.in({"reset", "01"}).out, "01_moments.cpp.kept2"));
  std::filesystem::remove(c.file("01_moments.cpp"));
  const Outcome check = c.in({"check", "--json"});
  CHECK(check.status == 1);
  const auto all = nlohmann::json::parse(check.out);
  CHECK(all["of"] == exercises().size());
  CHECK(all["solved"] == 0);
  CHECK(all["exercises"][0]["fault"] == "missing");
  CHECK(all["exercises"][1]["source"].get<std::string>().size() == 64);
  const Outcome gone = c.in({"run", "01"});
  CHECK(gone.status == 3);
  CHECK_MESSAGE(contains(gone.err, "evenkeel practice reset 01"), gone.err);
  CHECK(c.in({"reset", "01"}).status == 0);
}

TEST_CASE("practice: an error of the compiler begins with the learner's own line") {
  const Class c;
  c.write("01_moments.cpp", moments("  float sum = 0;\n  for (float v : x) sum += w;\n  return {sum, 0};"));
  const Outcome own = c.in({"run", "01"});
  CHECK(own.status == 1);
  CHECK_MESSAGE(contains(own.out, "01_moments.cpp, line 9, does not compile: 'w' was not declared"), own.out);
  CHECK(contains(own.out, "    9 |   for (float v : x) sum += w;"));
  // The fault shows deep in a header.
  c.write("01_moments.cpp",
          moments("  std::vector<std::vector<float>> all;\n  std::sort(all.begin(), x.end());\n  return {0, 0};"));
  const Outcome deep = c.in({"run", "01"});
  CHECK(deep.status == 1);
  CHECK_MESSAGE(contains(deep.out, "01_moments.cpp, line 9, does not compile"), deep.out);
  c.write("01_moments.cpp", moments("  float mean = x[0];"));
  CHECK_MESSAGE(contains(c.in({"run", "01"}).out, "no return statement"), "a function without return");
}

TEST_CASE("practice: a crash, a loop, a flood, an end and a lost function are told apart") {
  const Class c;
  const auto said = [&](const std::string& text, const std::string& part) {
    c.write("01_moments.cpp", text);
    const Outcome o = c.in({"run", "01"});
    CHECK(o.status == 1);
    CHECK_MESSAGE(contains(o.out, part), part << "\n" << o.out << o.err);
  };
  said(moments("  int* nowhere = nullptr;\n  *nowhere = 1;\n  return {0, 0};"),
       "It crashed, in line 9 (signal SIGSEGV");
  said(moments("  return mean_and_variance({x[0]});"), "It crashed, in line 8 (signal SIGSEGV");
  said(moments("  return {x[x.size()], 0};"), "an index is beyond the end of a vector");
  CHECK_FALSE(contains(c.in({"run", "01"}).out, "Your code printed"));
  said(moments("  for (int i = 0;; ++i) std::puts(\"1234567890123456789012345678901234567890\");"),
       "It printed more than 1 MB");
  said(moments("  std::exit(3);"), "It ended the program itself, with status 3");
  said(moments("  throw std::runtime_error(\"not yet\");"), "Your code threw an error: not yet");
  said(moments("  std::puts(\"seen\");\n  return {0, 0};"), "Your code printed:\n  seen");
  said("#include <evenkeel/practice.h>\nint other() { return 0; }\n",
       "A function that the grader calls is not there: mean_and_variance(");
  said(moments("  std::vector<float> all(size_t{1} << 40);\n  return {all[0], 0};"),
       "Your code threw an error: std::bad_alloc");

  const std::string signals = "#include <csignal>\n";
  said(signals + moments("  std::raise(SIGKILL);\n  return {0, 0};"),
       "It crashed (signal SIGKILL: the system ended it");
  said(signals + moments("  std::raise(SIGTERM);\n  return {0, 0};"), "It crashed (signal 15)");
  // Addresses in the system's libraries are no lines of this file, although it is as long as they are.
  said(moments("  std::abort();\n  return {0, 0};") + "\nvoid far_away() {\n  asm(\".skip 1500000\");\n}\n",
       "It crashed, in line 8 (signal SIGABRT: it ended itself");
  said(moments("  for (int i = 0; i < 13; ++i) std::printf(\"line %d\\n\", i);\n  return {0, 0};"),
       "  line 9\n  ... and 3 more lines\n");
  c.write(
      "05_axis.cpp",
      "#include <evenkeel/practice.h>\n\nusing namespace evenkeel;\n\nTensor normalise_images(const Tensor& x, double) "
      "{\n  return reshape(x, {x.rows(), x.channels()});\n}\n");
  const std::string shape = c.in({"run", "05"}).out;
  CHECK_MESSAGE(contains(shape, "y has the shape (6, 2). It must be (2, 1, 3, 2)."), shape);

  setenv("XDG_CACHE_HOME", (std::filesystem::path(EVENKEEL_PROGRAM).parent_path() / "tests/cache").c_str(), 1);
  Workshop shop(EVENKEEL_PROGRAM);
  CHECK(shop.most_seconds == 10);
  shop.most_seconds = 1;
  c.write("01_moments.cpp", moments("  float sum = 0;\n  while (sum < 1) sum *= 2;\n  return {sum, 0};"));
  const Verdict v = judge(shop, first(), shop.prepare(first(), [](const std::string&) {}), c.file("01_moments.cpp"));
  CHECK(v.fault == "time");
  CHECK(v.line == 9);
  CHECK_MESSAGE(contains(v.headline, "It ran for 1 seconds and was stopped, in line 9"), v.headline);
}

TEST_CASE("practice: headers and graders are compiled once, and again where the compiler is another one") {
  const Scratch scratch;
  const std::string compiler = scratch / "c++", called = scratch / "called";
  // It makes the file that it is asked for, with nothing in it, and a line in `called`.
  const auto install = [&](const std::string& version) {
    std::ofstream(compiler) << "#!/bin/sh\n# " << version << "\necho x >> '" << called
                            << "'\nwhile [ \"$1\" != -o ]; do shift; done\n: > \"$2\"\n";
    std::filesystem::permissions(compiler, std::filesystem::perms::owner_all);
  };
  const auto calls = [&] {
    const std::string lines = slurp(called);
    return std::count(lines.begin(), lines.end(), '\n');
  };
  const Variable cxx("CXX", compiler), cache("XDG_CACHE_HOME", scratch / "cache");
  const auto told = [](const Exercise& e) {
    std::string lines;
    Workshop(EVENKEEL_PROGRAM).prepare(e, [&](const std::string& line) { lines += line; });
    return lines;
  };
  const std::string headers = "The headers are compiled, once. That takes some seconds.";
  install("1");
  CHECK(told(exercises()[0]) == headers);
  CHECK(calls() == 2);
  CHECK(told(exercises()[0]) == "");
  CHECK(calls() == 2);
  CHECK(told(exercises()[1]) == "");
  CHECK(calls() == 3);
  install("1.1");
  CHECK(told(exercises()[0]) == headers);
  CHECK(calls() == 5);
}

TEST_CASE("practice: text is wrapped at words, none is lost, and indented lines stay") {
  const std::string text =
      "One two three four five.\nSix seven, incomprehensibilities eight.\n\n    as  it is, however long\nnine";
  const std::vector<std::string> expected{
      "One two three", "four five. Six", "seven,", "incomprehensibilities", "eight.", "", "    as  it is, however long",
      "nine"};
  CHECK(wrapped(text, 14) == expected);
  CHECK(wrapped("exactly ten", 11) == std::vector<std::string>{"exactly ten"});
  CHECK(wrapped("exactly ten", 10) == std::vector<std::string>{"exactly", "ten"});
  for (const Exercise& e : exercises()) {
    const std::string start = start_of(e);
    std::istringstream lines(start.substr(0, start.size() - e.start.size()));  // the task
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("// ") && !line.starts_with("//  ")) CHECK_MESSAGE(line.size() <= 100, line);
  }
}

TEST_CASE("practice: a grader that was changed is replaced, and that is said") {
  setenv("XDG_CACHE_HOME", (std::filesystem::path(EVENKEEL_PROGRAM).parent_path() / "tests/cache").c_str(), 1);
  Workshop shop(EVENKEEL_PROGRAM);
  std::string told;
  const auto log = [&](const std::string& line) { told += line; };
  const std::string object = shop.prepare(first(), log), source = object.substr(0, object.size() - 3) + ".cpp";
  told.clear();
  std::ofstream(source) << "void grade() {}";
  CHECK(shop.prepare(first(), log) == object);
  CHECK_MESSAGE(contains(told, "was changed"), told);
  CHECK(slurp(source) == first().grader);
  told.clear();
  std::ofstream(object) << "no object";
  shop.prepare(first(), log);
  CHECK_MESSAGE(contains(told, "was changed"), told);
  told.clear();
  shop.prepare(first(), log);
  CHECK(told == "");
}

TEST_CASE("practice: what is missing or not a practice folder has its status and a way out") {
  const Class c;
  const Outcome compiler = c.in({"run", "01"}, {"CXX=/nowhere/g++"});
  CHECK(compiler.status == 3);
  CHECK_MESSAGE(contains(compiler.err, "needs a C++20 compiler, and /nowhere/g++ is not there; install one"),
                compiler.err);
  std::ofstream(c.file("c++")) << "#!/bin/sh\necho one >&2\necho two >&2\nexit 1\n";
  std::filesystem::permissions(c.file("c++"), std::filesystem::perms::owner_all);
  const Outcome broken = c.in({"run", "01"}, {"CXX=" + c.file("c++")});
  CHECK(broken.status == 3);
  CHECK_MESSAGE(contains(broken.err, "is the installation whole?\n  one\n  two\n"), broken.err);
  const Scratch installed;  // the program without the headers
  std::filesystem::create_directory(installed / "bin");
  std::filesystem::create_symlink("/bin/sh", installed / "bin/evenkeel-practice");
  const std::string headers = "needs evenkeel's headers, and " + (installed / "include/evenkeel");
  CHECK_THROWS_WITH_AS(Workshop(installed / "bin/evenkeel"), doctest::Contains(headers.c_str()), evenkeel::Error);
  const Outcome elsewhere = run({"practice", "list"});
  CHECK(elsewhere.status == 4);
  CHECK_MESSAGE(contains(elsewhere.err, "is no practice folder"), elsewhere.err);
  const Outcome unknown = c.in({"run", "momnts"});
  CHECK(unknown.status == 2);
  CHECK_MESSAGE(contains(unknown.err, "did you mean moments?"), unknown.err);
  const Outcome pipe = c.in({});
  CHECK(pipe.status == 2);
  CHECK_MESSAGE(contains(pipe.err, "needs a terminal"), pipe.err);
  for (const char* text : {"", "{", "[]", "{\"evenkeel practice\": 2, \"exercises\": {}}",
                           "{\"evenkeel practice\": 1, \"exercises\": {\"01_moments\": 3}}"}) {
    c.write("practice.json", text);
    CHECK_MESSAGE(c.in({"list"}).status == 4, text);
  }
}

TEST_CASE("practice: the tutor's page has every task and no answer") {
  const Scratch scratch;
  CHECK(run({"practice", "page", "--out", scratch / "page.html"}).status == 0);
  const std::string page = slurp(scratch / "page.html");
  CHECK(page.starts_with("<!doctype html>"));
  for (const Exercise& e : exercises()) {
    CHECK_MESSAGE(contains(page, "<h2>" + e.name.substr(0, 2) + " "), e.name);
    CHECK_FALSE(contains(page, e.hint[2].substr(0, e.hint[2].find('\n'))));
  }
  for (const char* outside : {"<script", "<link", "src=", "url("}) CHECK_FALSE(contains(page, outside));
}
