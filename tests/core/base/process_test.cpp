#include "core/base/process.h"

#include <doctest/doctest.h>

#include "core/base/check.h"
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

TEST_CASE("shell_text: a shell reads the same words back") {
  const std::vector<std::string> words{"printf", "%s|", "", "a b", "it's", "$HOME", "*", "--x=1", "\n", "\\"};
  CHECK(run_process({"sh", "-c", shell_text(words)}).text == run_process(words).text);
}
