#include "apps/practice/verdict.h"

#include <fmt/core.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "core/base/check.h"
#include "core/io/file.h"
#include "core/io/process.h"

namespace fs = std::filesystem;

namespace evenkeel::practice {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// A folder for one verdict's object and output.
struct Bench {
  explicit Bench(const fs::path& cache) {
    std::string name = (cache / "run-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      fail(Fault::io, "practice: no folder can be created in {}: {}", cache.string(), std::strerror(errno));
    path = name;
  }
  ~Bench() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  fs::path path;
};

int line_with(const std::string& source, const std::string& text) {
  const std::vector<std::string> lines = lines_of(source);
  for (size_t i = 0; !text.empty() && i < lines.size(); ++i)
    if (lines[i].find(text) != std::string::npos && !lines[i].starts_with("//")) return static_cast<int>(i) + 1;
  return 0;
}

// ---- numbers

struct Numbers {
  int64_t rows = 0, columns = 0;
  std::vector<double> values;
  std::string shape;
};

Numbers numbers(const Json& j) {
  Numbers n{j.at("rows"), j.at("columns"), {}, j.at("shape")};
  for (const auto& v : j.at("values")) n.values.push_back(std::strtod(v.get<std::string>().c_str(), nullptr));
  return n;
}

constexpr int64_t rows_shown = 8, columns_shown = 6;

// Each row as a line; `*` after entries that differ from `other`'s.
std::vector<std::string> shown(const Numbers& n, int digits, const std::vector<bool>& marked = {}) {
  const int64_t rows = std::min(n.rows, rows_shown), columns = std::min(n.columns, columns_shown);
  std::vector<std::vector<std::string>> cells(static_cast<size_t>(rows));
  size_t width = 1;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) {
      const auto at = static_cast<size_t>(r * n.columns + c);
      std::string cell = fmt::format("{:.{}g}", n.values[at], digits);
      cell += at < marked.size() && marked[at] ? "*" : " ";
      width = std::max(width, cell.size());
      cells[static_cast<size_t>(r)].push_back(cell);
    }
  std::vector<std::string> lines;
  for (const auto& row : cells) {
    std::string line;
    for (const std::string& cell : row) line += fmt::format(" {:>{}}", cell, width);
    if (columns < n.columns) line += " ...";
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  if (rows < n.rows) lines.push_back(fmt::format("  ... ({} rows)", n.rows));
  if (n.values.empty()) lines.push_back("  nothing");
  return lines;
}

void side_by_side(std::vector<std::string>& detail, const std::string& what, const Numbers& expected,
                  const Numbers& found) {
  const bool comparable = expected.rows == found.rows && expected.columns == found.columns;
  std::vector<bool> marked(comparable ? expected.values.size() : 0);
  double largest = 0, worst = 0;
  for (double v : expected.values) largest = std::max(largest, std::abs(v));
  const auto apart = [&](size_t i) {
    const double d = std::abs(expected.values[i] - found.values[i]);
    return std::isnan(d) ? INFINITY : d;
  };
  for (size_t i = 0; i < marked.size(); ++i) worst = std::max(worst, apart(i));
  for (size_t i = 0; i < marked.size(); ++i) marked[i] = apart(i) > 1e-3 * worst;
  // With enough digits to show the difference.
  int digits = 5;
  const auto seen = [&] {
    for (size_t i = 0; i < marked.size(); ++i)
      if (marked[i] &&
          fmt::format("{:.{}g}", expected.values[i], digits) != fmt::format("{:.{}g}", found.values[i], digits))
        return true;
    return marked.empty();
  };
  while (digits < 17 && !seen()) ++digits;
  const auto titled = [&](const char* word, const Numbers& n) {
    return fmt::format("{}{}{}", word, what.empty() ? "" : " " + what,
                       !comparable || expected.shape != found.shape
                           ? " of shape " + (n.shape.empty() ? fmt::format("({}, {})", n.rows, n.columns) : n.shape)
                           : "");
  };
  std::vector<std::string> left = shown(expected, digits), right = shown(found, digits, marked);
  left.insert(left.begin(), titled("expected", expected));
  const bool some = std::find(marked.begin(), marked.end(), true) != marked.end();
  right.insert(right.begin(), titled("found", found) + (some ? " (* differs)" : ""));
  size_t width = 0;
  for (const std::string& line : left) width = std::max(width, line.size());
  if (width > 46) {  // one above the other
    detail.insert(detail.end(), left.begin(), left.end());
    detail.insert(detail.end(), right.begin(), right.end());
    return;
  }
  for (size_t i = 0; i < std::max(left.size(), right.size()); ++i)
    detail.push_back(
        fmt::format("{:<{}}{}", i < left.size() ? left[i] : "", width + 4, i < right.size() ? right[i] : ""));
}

// ---- what went wrong

// The compiler's messages, the learner's own line first: for an error in a header, the line that led there.
Verdict not_compiled(const std::string& said, const std::string& file, const std::string& source) {
  Verdict v;
  v.fault = "compile";
  const std::string name = fs::path(file).filename().string();
  std::string message = "it cannot be linked";
  const std::vector<std::string> lines = lines_of(said);
  for (size_t i = 0; i < lines.size(); ++i) {
    const size_t error = lines[i].find("error: ");
    if (message == "it cannot be linked" && error != std::string::npos) message = lines[i].substr(error + 7);
    const size_t own = lines[i].find(file + ":");
    if (v.line == 0 && own != std::string::npos) v.line = std::atoi(lines[i].c_str() + own + file.size() + 1);
  }
  v.headline = v.line > 0 ? fmt::format("{}, line {}, does not compile: {}", name, v.line, message)
                          : fmt::format("{} does not compile: {}", name, message);
  const std::vector<std::string> own = lines_of(source);
  const auto at = static_cast<size_t>(v.line);
  if (v.line > 0 && at <= own.size()) v.detail.push_back(fmt::format("{:>5} | {}", v.line, own[at - 1]));
  v.detail.push_back("The compiler says:");
  for (size_t i = 0; i < lines.size() && i < 12; ++i) {
    std::string line = lines[i];
    for (size_t p; (p = line.find(file)) != std::string::npos;) line.replace(p, file.size(), name);
    v.detail.push_back("  " + line);
  }
  if (lines.size() > 12) v.detail.push_back(fmt::format("  ... and {} more lines", lines.size() - 12));
  return v;
}

std::string demangled_missing(const std::string& error) {  // "...: undefined symbol: _Z7momentsv"
  const size_t at = error.find("_Z");
  if (at == std::string::npos) return error;
  return run_process({"c++filt", error.substr(at, error.find_first_of(" ,)\n", at) - at)}).text;
}

// The forbidden library functions that the object calls; "" if none.
std::string forbidden_call(const Exercise& exercise, const std::string& object) {
  if (exercise.forbidden.empty()) return "";
  const ProcessResult r = run_process({"nm", "-D", "-C", "--undefined-only", object}, {.most_text = size_t{16} << 20});
  for (const std::string& line : lines_of(r.text))
    for (const std::string& name : exercise.forbidden)
      if (std::regex_search(line, std::regex("evenkeel_f64::(\\w+::)*" + name + "(\\[abi:\\w+\\])?[(:]"))) return name;
  return "";
}

// The line of the first address in the learner's file: the object also has code from headers.
int line_of(const std::string& object, const Json& addresses) {
  std::vector<std::string> command{"addr2line", "-e", object};
  for (const auto& at : addresses) command.push_back(fmt::format("{:#x}", at.get<long>()));
  if (addresses.empty()) return 0;
  for (const std::string& place : lines_of(run_process(command).text))
    if (const size_t at = place.find(".cpp:"); at != std::string::npos) return std::atoi(place.c_str() + at + 5);
  return 0;
}

std::string where(int line) { return line > 0 ? fmt::format(", in line {}", line) : ""; }

// Removes the line that contains `what`; returns whether there is one.
bool take_line(std::string& text, const std::string& what) {
  const size_t at = text.find(what);
  if (at == std::string::npos) return false;
  const size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', at);
  text.erase(begin, end == std::string::npos ? end : end - begin + 1);
  return true;
}

void ended_by(Verdict& v, int signal, int seconds) {
  switch (signal) {
    case SIGALRM:
      v.fault = "time";
      v.headline = fmt::format("It ran for {} seconds and was stopped{}. Is there a loop that never ends?", seconds,
                               where(v.line));
      return;
    case SIGXFSZ:
      v.fault = "output";
      v.headline = fmt::format("It printed more than 1 MB and was stopped{}.", where(v.line));
      return;
    default:
      break;
  }
  v.fault = "crash";
  const bool index = take_line(v.printed, "__n < this->size()");  // the standard library's message
  const char* name = signal == SIGSEGV   ? "SIGSEGV: it used memory that is not its own, or called itself without end"
                     : signal == SIGABRT ? (index ? "SIGABRT: an index is beyond the end of a vector"
                                                  : "SIGABRT: it ended itself; what it printed says why")
                     : signal == SIGFPE  ? "SIGFPE: a whole number was divided by zero"
                     : signal == SIGBUS  ? "SIGBUS: it used memory that is not there"
                     : signal == SIGILL  ? "SIGILL: it ran into code that is none"
                     : signal == SIGKILL ? "SIGKILL: the system ended it, perhaps for want of memory"
                                         : "";
  v.headline = fmt::format("It crashed{} (signal {}).", where(v.line), *name ? name : std::to_string(signal));
}

void broken(Verdict& v, const Json& event, const Exercise& exercise, const std::string& source) {
  v.fault = event.value("law", "");
  v.headline = event.value("sentence", "");
  v.line = line_with(source, event.value("look", ""));
  if (v.line == 0) v.line = line_with(source, exercise.look);
  if (event.contains("threw"))
    v.detail.push_back("Your code threw an error: " + event["threw"].get<std::string>());
  else if (const std::string seen = event.value("seen", ""); !seen.empty())
    for (const std::string& line : wrapped(seen, 90)) v.detail.push_back(line);
  for (const auto& g : event.value("given", Json::array())) {
    const Numbers n = numbers(g.at("value"));
    std::vector<std::string> rows = shown(n, 5);
    if (rows.size() == 1) {
      v.detail.push_back(fmt::format("with {} ={}", g.at("name").get<std::string>(), rows[0]));
      continue;
    }
    v.detail.push_back(fmt::format("with {} =", g.at("name").get<std::string>()));
    v.detail.insert(v.detail.end(), rows.begin(), rows.end());
  }
  if (event.contains("expected"))
    side_by_side(v.detail, event.value("what", ""), numbers(event["expected"]), numbers(event["found"]));
}

}  // namespace

Verdict judge_object(const Workshop& workshop, const Exercise& exercise, const std::string& grader,
                     const std::string& object, const std::string& source, const std::string& symbol) {
  Verdict v;
  if (const std::string name = forbidden_call(exercise, object); !name.empty()) {
    v.fault = "forbidden";
    v.line = line_with(source, name);
    v.headline = fmt::format("It uses the library's {}{}, which is the answer itself. Write it with simpler means.",
                             name, where(v.line));
    return v;
  }
  const std::string output = object + ".out";
  std::vector<std::string> command{workshop.runner(), grader, object, output, std::to_string(workshop.most_seconds)};
  if (!symbol.empty()) command.push_back(symbol);
  const ProcessResult r = run_process(command);
  std::error_code error;
  if (fs::exists(output, error)) v.printed = read_file(output);
  const std::vector<std::string> events = lines_of(r.text);
  const Json event = events.empty() ? Json::object() : Json::parse(events.back(), nullptr, false);
  if (event.is_discarded())
    fail(Fault::failed, "practice: evenkeel-practice must end its output with a line of JSON, got: {}", r.text);
  v.held = event.value("held", size_t{0});
  if (event.contains("done")) {
    v.right = true;
  } else if (event.contains("unloadable")) {
    const std::string missing = demangled_missing(event["unloadable"].get<std::string>());
    if (missing.starts_with("evenkeel_f64::"))
      fail(Fault::missing,
           "practice: {} does not fit the library ({} is not found): set CXX to the compiler that evenkeel was built "
           "with",
           workshop.compiler(), missing);
    v.fault = "signature";
    v.line = line_with(source, exercise.look);
    v.headline =
        fmt::format("A function that the grader calls is not there: {}. Keep its name and its arguments.", missing);
  } else if (event.contains("signal")) {
    v.line = line_of(object, event["at"]);
    ended_by(v, event["signal"].get<int>(), workshop.most_seconds);
  } else if (event.empty() && r.status > 128) {
    ended_by(v, r.status - 128, workshop.most_seconds);
  } else if (event.empty()) {
    v.fault = "exit";
    v.headline = fmt::format("It ended the program itself, with status {}. Let the function return.", r.status);
  } else {
    broken(v, event, exercise, source);
  }
  return v;
}

Verdict judge(const Workshop& workshop, const Exercise& exercise, const std::string& grader, const std::string& file) {
  const Bench bench(workshop.cache());
  const std::string object = (bench.path / "learner.so").string(), source = read_file(file, 1 << 20);
  if (const std::string said = workshop.compile(file, object); !said.empty()) return not_compiled(said, file, source);
  return judge_object(workshop, exercise, grader, object, source);
}

}  // namespace evenkeel::practice
