// Signals and limits, as the program meets them.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <csignal>
#include <string>

#include "apps/cli/interrupt.h"
#include "core/io/process.h"
#include "tests/apps/process.h"

using namespace evenkeel;

TEST_CASE("an ignored signal stays ignored, another one is noted, and what was there comes back") {
  std::signal(SIGTERM, SIG_IGN);
  const auto before = std::signal(SIGINT, SIG_DFL);  // the test runner's own
  {
    const Interrupt interrupt;
    std::raise(SIGTERM);
    CHECK(interrupt.signal() == 0);
    std::raise(SIGINT);
    CHECK(interrupt.signal() == SIGINT);
  }
  CHECK((std::signal(SIGTERM, SIG_DFL) == SIG_IGN));
  CHECK((std::signal(SIGINT, before) == SIG_DFL));
}

TEST_CASE("a limit on the size of files: a message, status 5, and no unfinished file") {
  Scratch folder;
  const ProcessResult r =
      run_process({"sh", "-c", "ulimit -f 1; exec \"$0\" \"$@\"", EVENKEEL_PROGRAM, "train", "--data", "synthetic",
                   "--samples", "200", "--model", "mlp:32", "--epochs", "1", "--out", folder / "run"},
                  {.captured = STDERR_FILENO});
  CHECK(r.status == 5);
  CHECK_MESSAGE(r.text.find("File too large") != std::string::npos, r.text);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path))
    CHECK_MESSAGE(entry.path().extension() != ".part", entry.path());
}

TEST_CASE("data fetch that is stopped leaves neither a download nor a folder") {
  if (std::system("command -v curl >/dev/null || command -v wget >/dev/null") != 0) {
    MESSAGE("NOT TESTED: neither curl nor wget is installed");
    return;
  }
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(listen(listener, 1) == 0);
  REQUIRE(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  for (const int number : {SIGTERM, SIGINT, SIGKILL}) {
    Scratch root;
    Process fetch({"data", "fetch", "mnist", "--data-dir", root.path, "--mirror",
                   "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port))});
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);  // and it is never answered
    REQUIRE(client >= 0);
    fetch.send(number);
    CHECK(fetch.wait().status == (number == SIGKILL ? -SIGKILL : 128 + number));
    char byte;
    while (recv(client, &byte, 1, 0) > 0) {  // ends when the download's program does
    }
    close(client);
    if (number != SIGKILL) CHECK(std::filesystem::is_empty(root.path));
  }
  close(listener);
}
