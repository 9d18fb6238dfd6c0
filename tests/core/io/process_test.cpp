#include "core/io/process.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <future>

#include "core/base/check.h"
#include "core/io/file.h"
#include "tests/scratch.h"

using namespace evenkeel;

TEST_CASE("process: words reach the program as they are, no shell reads them") {
  Scratch folder;
  const std::string planted = folder / "planted";
  const ProcessResult r = run_process({"printf", "%s|", "$(touch " + planted + ")", "; touch " + planted, "a'b", ""});
  CHECK(r.status == 0);
  CHECK(r.text == "$(touch " + planted + ")|; touch " + planted + "|a'b||");
  CHECK(!std::filesystem::exists(planted));
}

TEST_CASE("process: status, signal, a program that is not there, the captured stream") {
  CHECK(run_process({"sh", "-c", "exit 7"}).status == 7);
  CHECK(run_process({"sh", "-c", "kill -TERM $$"}).status == 128 + 15);
  CHECK_THROWS_WITH_AS(run_process({"evenkeel-no-such-program"}),
                       "process: cannot start evenkeel-no-such-program: No such file or directory", Error);
  CHECK(run_process({"sh", "-c", "echo out; echo err >&2"}, {.captured = STDERR_FILENO}).text == "err");
  CHECK(run_process({"sh", "-c", "echo 123456"}, {.most_text = 4}).text == "1234");
}

TEST_CASE("process: no file grows beyond the limit, and meanwhile() may stop the program") {
  Scratch folder;
  const std::string file = folder / "large";
  CHECK(run_process({"dd", "if=/dev/zero", "of=" + file, "bs=1000", "count=100"},
                    {.captured = STDERR_FILENO, .most_bytes_a_file = 5000})
            .status != 0);
  CHECK(std::filesystem::file_size(file) == 5000);
  const auto stop = [] { fail(Fault::failed, "enough"); };
  CHECK_THROWS_WITH_AS(run_process({"sleep", "60"}, {.meanwhile = stop}), "enough", Error);
}

TEST_CASE("process: where the end of a program cannot be known, that is an error") {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  CHECK_THROWS_WITH_AS(run_process({"sh", "-c", "exit 7"}),
                       doctest::Contains("process: the exit status of sh is lost: No child processes"), Error);
  ::signal(SIGCHLD, before);
}

TEST_CASE("process: a program's streams arrive also where the caller's own are closed") {
  for (const int captured : {STDOUT_FILENO, STDERR_FILENO}) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(stream);
      const std::string command = captured == STDOUT_FILENO ? "echo text" : "echo text >&2";
      ::_exit(run_process({"sh", "-c", command}, {.captured = captured}).text == "text" ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
}

#if defined(__linux__)
TEST_CASE("process: a program inherits no pipe of another thread's program") {
  const auto files = [] { return run_process({"ls", "/proc/self/fd"}).text; };
  const std::string alone = files();
  std::atomic<int> others = 0;
  {
    std::vector<std::future<void>> threads;
    for (int t = 0; t < 4; ++t)
      threads.push_back(std::async(std::launch::async, [&] {
        for (int i = 0; i < 100; ++i) others += files() != alone;
      }));
  }
  CHECK(others.load() == 0);
}

TEST_CASE("process: the program does not outlive a killed one that waits for it") {
  Scratch folder;
  const std::string file = folder / "pid";
  int ends[2];  // the program holds the end to write to: it is closed when the program is gone
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(ends[0]);
    run_process({"sh", "-c", "echo $$ > '" + file + "'; echo x >&" + std::to_string(ends[1]) + "; exec sleep 60"});
    ::_exit(0);
  }
  ::close(ends[1]);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 1);  // it has begun
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  pollfd end{ends[0], POLLIN, 0};
  CHECK(::read(ends[0], &byte, 1) == 1);  // the rest of its line
  const bool gone = ::poll(&end, 1, 20'000) == 1 && ::read(ends[0], &byte, 1) == 0;
  CHECK(gone);
  if (!gone) ::kill(std::atoi(read_file(file).c_str()), SIGKILL);
  ::close(ends[0]);
}
#endif

TEST_CASE("shell_text: a shell reads the same words back") {
  const std::vector<std::string> words{"printf", "%s|", "", "a b", "it's", "$HOME", "*", "--x=1", "\n", "\\"};
  CHECK(run_process({"sh", "-c", shell_text(words)}).text == run_process(words).text);
}
