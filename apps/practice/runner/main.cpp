// evenkeel-practice GRADER LEARNER OUTPUT SECONDS [SYMBOL]: loads the learner's functions and the grader that calls
// them, two shared objects, and reports on standard output, one JSON object a line. It contains the whole library, in
// double, so neither object is linked with it, which makes a verdict quick.
//
// What the learner's code prints goes into the file OUTPUT, of at most a megabyte. A process that runs too long, prints
// too much or crashes ends itself and reports where: the addresses on the stack that are in the learner's object.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "apps/practice/runner/grade.h"
#include "core/base/parallel.h"

namespace evenkeel::practice {
namespace {

using Json = nlohmann::json;

constexpr rlim_t most_output = 1 << 20, most_memory = rlim_t{4} << 30;

int report_to = STDOUT_FILENO;
const char* learner_object = "";

void write_all(const char* text, size_t size) {
  for (ssize_t n; size > 0 && (n = ::write(report_to, text, size)) > 0; size -= static_cast<size_t>(n)) text += n;
}

void report(const Json& event) {
  const std::string line = event.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  write_all(line.data(), line.size());
}

// The process ends here, so calls that POSIX forbids in a handler do no harm. The alternate stack is for infinite
// recursion.
void stop(int signal) {
  void* frames[64];
  const int count = ::backtrace(frames, 64);
  char line[512];
  int size = std::snprintf(line, sizeof line, "{\"signal\":%d,\"at\":[", signal);
  for (int i = 1, found = 0; i < count && found < 16; ++i) {
    Dl_info info{};
    if (!::dladdr(frames[i], &info) || !info.dli_fname || std::strcmp(info.dli_fname, learner_object) != 0) continue;
    // After the second frame, where the signal occurred, these are return addresses.
    const long at = static_cast<char*>(frames[i]) - static_cast<char*>(info.dli_fbase) - (i == 2 ? 0 : 1);
    size += std::snprintf(line + size, sizeof line - static_cast<size_t>(size), "%s%ld", found++ ? "," : "", at);
  }
  size += std::snprintf(line + size, sizeof line - static_cast<size_t>(size), "]}\n");
  write_all(line, static_cast<size_t>(size));
  ::_exit(128 + signal);
}

void guard(unsigned seconds) {
  static char stack[1 << 16];
  const stack_t alternate{.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
  ::sigaltstack(&alternate, nullptr);
  void* one[1];
  ::backtrace(one, 1);  // loads what it needs
  struct sigaction action {};
  action.sa_handler = stop;
  action.sa_flags = SA_ONSTACK;
  for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM, SIGXFSZ}) ::sigaction(signal, &action, nullptr);
  const rlimit output{most_output, most_output}, memory{most_memory, most_memory};
  ::setrlimit(RLIMIT_FSIZE, &output);
  ::setrlimit(RLIMIT_DATA, &memory);
  ::alarm(seconds);
}

Json json(const Matrix& m) {
  Json values = Json::array();
  for (double v : m.values) values.push_back(fmt::format("{:.17g}", v));  // JSON has no NaN
  return {{"rows", m.rows}, {"columns", m.columns}, {"values", values}, {"shape", m.shape}};
}

Json broken_law(const Grade& g) {
  Json event{{"held", std::max<size_t>(g.laws().size(), 1) - 1}};
  if (g.laws().empty()) return event;
  const Grade::Law& law = g.laws().back();
  event["law"] = law.name;
  event["sentence"] = law.sentence;
  event["look"] = law.look;
  for (const auto& [name, value] : law.given) event["given"].push_back({{"name", name}, {"value", json(value)}});
  return event;
}

int run(const char* grader, const char* symbol) {
  void* learner = ::dlopen(learner_object, RTLD_NOW | RTLD_GLOBAL);
  void* laws = learner ? ::dlopen(grader, RTLD_NOW | RTLD_LOCAL) : nullptr;
  void* start = laws ? ::dlsym(laws, symbol) : nullptr;
  if (!start) {
    report({{"unloadable", ::dlerror()}});
    return 1;
  }
  Grade g;
  try {
    reinterpret_cast<void (*)(Grade&)>(start)(g);
    report({{"held", g.laws().size()}, {"done", true}});
    return 0;
  } catch (const Broken&) {
    Json event = broken_law(g);
    const Grade::Failure& f = g.failure();
    event["what"] = f.what;
    event["seen"] = f.seen;
    if (!f.pair.empty()) {
      event["expected"] = json(f.pair[0]);
      event["found"] = json(f.pair[1]);
    }
    report(event);
  } catch (const std::exception& error) {
    Json event = broken_law(g);
    event["threw"] = error.what();
    report(event);
  } catch (...) {
    Json event = broken_law(g);
    event["threw"] = "something that is no std::exception";
    report(event);
  }
  return 1;
}

}  // namespace
}  // namespace evenkeel::practice

int main(int argc, char** argv) {
  using namespace evenkeel::practice;
  if (argc < 5) {
    std::fputs("evenkeel-practice is started by evenkeel practice\n", stderr);
    return 2;
  }
  report_to = ::dup(STDOUT_FILENO);
  const int output = ::open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);  // the learner's code must not read keys
  std::setvbuf(stdout, nullptr, _IOLBF, 4096);          // output before a crash is not lost
  learner_object = argv[2];
  evenkeel::set_threads(1);
  guard(static_cast<unsigned>(std::atoi(argv[4])));
  const int status = run(argv[1], argc > 5 ? argv[5] : "_Z5gradeRN12evenkeel_f648practice5GradeE");
  std::fflush(stdout);
  ::_exit(status);  // skips destructors of the learner's static objects
}
