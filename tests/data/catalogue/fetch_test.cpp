#include "data/catalogue/fetch.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <thread>

#include "core/io/file.h"
#include "data/catalogue/load.h"
#include "data/catalogue/sha256.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

using namespace evenkeel;
namespace fs = std::filesystem;

namespace {

// A web server on loopback that gives the files of a map.
class Server {
 public:
  explicit Server(std::map<std::string, std::string> files)
      : files_(std::move(files)), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_, any, length) == 0);
    REQUIRE(::listen(socket_, 16) == 0);
    REQUIRE(::getsockname(socket_, any, &length) == 0);
    url = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  std::string url;
  std::atomic<int> requests = 0;

 private:
  void serve() {
    for (int client; (client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0; ::close(client)) {
      std::string request(4096, '\0');
      const ssize_t n = ::recv(client, request.data(), request.size(), 0);
      request.resize(n > 0 ? static_cast<size_t>(n) : 0);
      ++requests;
      const auto file =
          files_.find(request.substr(0, request.find(" HTTP")).substr(std::min<size_t>(request.size(), 4)));
      std::string answer = "HTTP/1.0 404 Not Found\r\n\r\n";
      if (file != files_.end())
        answer = fmt::format("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{}", file->second.size(), file->second);
      for (size_t sent = 0; sent < answer.size();) {
        const ssize_t k = ::send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
        if (k <= 0) break;
        sent += static_cast<size_t>(k);
      }
    }
  }
  const std::map<std::string, std::string> files_;
  const int socket_;
  std::thread thread_;
};

std::string sha256(const std::string& bytes) {
  Sha256 sha;
  sha.add(bytes);
  return sha.hex();
}

// MNIST's layout with a handful of images, and what a server has of it.
struct Tiny {
  explicit Tiny(uint8_t largest_label = 9) {
    source.downloads.clear();
    for (const auto* files : {&source.train, &source.test}) {
      add(files->at(0), idx({5, 28, 28}, {1, 2, 3}));
      add(files->at(1), idx({5}, {0, largest_label}));
    }
  }
  void add(const std::string& file, const std::string& bytes) {
    const std::string zipped = deflated(bytes);
    source.downloads.push_back({file + ".gz", static_cast<int64_t>(zipped.size()), sha256(zipped)});
    served["/mnist/" + file + ".gz"] = zipped;
  }
  Source source = find_source("mnist");
  std::map<std::string, std::string> served;
};

bool empty(const std::string& folder) { return !fs::exists(folder) || fs::is_empty(folder); }

// The program that fetches is as much part of the test as our code.
bool no_program() {
  for (const char* program : {"curl", "wget"}) {
    std::string path = std::getenv("PATH");
    for (size_t begin = 0; begin < path.size(); begin = std::min(path.find(':', begin), path.size() - 1) + 1)
      if (::access((path.substr(begin, path.find(':', begin) - begin) + "/" + program).c_str(), X_OK) == 0)
        return false;
  }
  MESSAGE("NOT TESTED: neither curl nor wget is installed");
  return true;
}

}  // namespace

TEST_CASE("a set is fetched, checked and put in its place") {
  if (no_program()) return;
  Tiny tiny;
  Server server(tiny.served);
  Scratch root;
  int64_t lines = 0, done = 0;
  const FetchReport report{.log = [&](const std::string&) { ++lines; },
                           .progress = [&](int64_t d, int64_t) { done = d; }};
  const fs::path folder = fetch_dataset(tiny.source, root / "data", server.url, report);
  CHECK(folder == root / "data/mnist");
  CHECK(load_dataset("mnist", root / "data").train.size() == 5);
  CHECK(lines == 4);
  CHECK(done == tiny.source.downloads.back().size);
  const fs::directory_iterator places(root / "data");
  CHECK(std::distance(begin(places), end(places)) == 1);  // nothing but the folder

  const int before = server.requests;
  CHECK(before == 4);
  fetch_dataset(tiny.source, root / "data", server.url);  // it is there
  CHECK(server.requests == before);
  fs::remove(folder / "t10k-labels-idx1-ubyte.gz");
  Variable mirror("EVENKEEL_MIRROR", server.url);
  fetch_dataset(tiny.source, root / "data");
  CHECK(load_dataset("mnist", root / "data").test.size() == 5);
}

TEST_CASE("two processes that fetch at once: one fetches, the other one waits and finds it") {
  if (no_program()) return;
  const Tiny tiny;
  Server server(tiny.served);
  Scratch root;
  fs::path folders[2];
  std::thread threads[2];
  for (int i : {0, 1})
    threads[i] = std::thread([&, i] { folders[i] = fetch_dataset(tiny.source, root / "data", server.url); });
  for (std::thread& t : threads) t.join();
  CHECK(folders[0] == folders[1]);
  CHECK(server.requests == 4);
  CHECK(load_dataset("mnist", root / "data").train.size() == 5);
}

TEST_CASE("the set's folder may lie on another file system") {
  if (no_program()) return;
  if (!fs::is_directory("/dev/shm")) {
    MESSAGE("NOT TESTED: no /dev/shm");
    return;
  }
  const Tiny tiny;
  Server server(tiny.served);
  Scratch root;
  const fs::path other = fs::path("/dev/shm") / fs::path(root.path).filename();
  fs::create_directory(other);
  fs::create_directory(root / "data");
  fs::create_directory_symlink(other, root / "data/mnist");
  const std::string failure = [&]() -> std::string {
    try {
      fetch_dataset(tiny.source, root / "data", server.url);
      return {};
    } catch (const std::exception& e) {
      return e.what();
    }
  }();
  CHECK(failure == "");
  CHECK(fs::exists(other / "train-images-idx3-ubyte.gz"));
  fs::remove_all(other);
}

TEST_CASE("a URL is taken as it is: curl's patterns of brackets and braces mean nothing") {
  if (no_program()) return;
  Tiny tiny;
  tiny.source.downloads[0].file = "{a,b}[1-2].gz";
  Server server(tiny.served);
  Scratch root;
  CHECK(!error_of(Fault::io, [&] { fetch_dataset(tiny.source, root / "data", server.url); }).empty());
  CHECK(server.requests == 1);
}

TEST_CASE("what comes with another size or digest is refused, and nothing is left behind") {
  if (no_program()) return;
  const Tiny tiny;
  const std::string file = "/mnist/t10k-labels-idx1-ubyte.gz", right = tiny.served.at(file);
  std::string damaged = right;
  damaged[20] ^= 1;
  for (const auto& [bytes, reason] :
       std::map<std::string, std::string>{{right.substr(1), "bytes, must have"},
                                          {right + "x", "has more than"},
                                          {right + std::string(5'000'000, 'x'), "has more than"},
                                          {"<!DOCTYPE html><title>404", "; it is an HTML page"},
                                          {damaged, "has SHA-256"}}) {
    auto served = tiny.served;
    served[file] = bytes;
    Server server(served);
    Scratch root;
    const std::string message = refusal([&] { fetch_dataset(tiny.source, root / "data", server.url); });
    CHECK(message.find("t10k-labels-idx1-ubyte.gz") != std::string::npos);
    CHECK(message.find(reason) != std::string::npos);
    CHECK(empty(root / "data"));
  }
  // The real MNIST is another one.
  Server server(tiny.served);
  Scratch root;
  CHECK(refusal([&] { fetch_dataset("mnist", root / "data", server.url); }).find("must have 9912422") !=
        std::string::npos);
  CHECK(empty(root / "data"));
}

TEST_CASE("a set that cannot be read is not put in its place, whatever its digest") {
  if (no_program()) return;
  const Tiny bad(10);
  Server server(bad.served);
  Scratch root;
  CHECK(refusal([&] { fetch_dataset(bad.source, root / "data", server.url); }).find("labels must be below 10") !=
        std::string::npos);
  CHECK(empty(root / "data"));
}

TEST_CASE("mirrors are tried in turn") {
  if (no_program()) return;
  Tiny tiny;
  auto damaged = tiny.served;
  for (auto& [name, bytes] : damaged) bytes[12] ^= 1;
  Server nothing({}), wrong(damaged), right(tiny.served);
  Scratch root;
  tiny.source.mirrors = {"http://127.0.0.1:1", nothing.url + "/mnist", wrong.url + "/mnist", right.url + "/mnist"};
  Variable none("EVENKEEL_MIRROR", "");
  fetch_dataset(tiny.source, root.path);
  CHECK(load_dataset("mnist", root.path).train.size() == 5);

  tiny.source.mirrors = {"http://127.0.0.1:1", nothing.url + "/mnist"};
  Scratch other;
  const std::string message = error_of(Fault::io, [&] { fetch_dataset(tiny.source, other / "data"); });
  CHECK(message.find("127.0.0.1:1/") != std::string::npos);
  CHECK(message.find("404") != std::string::npos);
  CHECK(empty(other / "data"));
}

TEST_CASE("what curl says in several lines is shown in lines that begin with spaces") {
  const Scratch root;
  fs::create_directory(root / "bin");
  save(root / "bin/curl", "#!/bin/sh\necho one >&2\necho two >&2\nexit 22\n");
  fs::permissions(root / "bin/curl", fs::perms::owner_all);
  Variable path("PATH", root / "bin");
  const std::string message = error_of(Fault::io, [&] { fetch_dataset("mnist", root / "data", "http://127.0.0.1:1"); });
  CHECK_MESSAGE(message.ends_with(".gz: one\n    two"), message);
}

TEST_CASE("a set's file that is read-only is not replaced, and nothing is downloaded for it") {
  if (no_program()) return;
  const Tiny tiny;
  Server server(tiny.served);
  Scratch root;
  const fs::path folder = fetch_dataset(tiny.source, root / "data", server.url);
  const fs::path kept = folder / "train-images-idx3-ubyte.gz";
  fs::permissions(kept, fs::perms::owner_read);
  fs::remove(folder / "t10k-labels-idx1-ubyte.gz");
  const int before = server.requests;
  const std::string message = error_of(Fault::io, [&] { fetch_dataset(tiny.source, root / "data", server.url); });
  CHECK_MESSAGE(message.find("it is read-only") != std::string::npos, message);
  CHECK(server.requests == before);
  CHECK(fs::exists(kept));
}

TEST_CASE("an archive is fetched and unpacked") {
  if (no_program()) return;
  Scratch work;
  Source tiny = find_source("cifar100");
  tiny.train_size = 3;
  tiny.test_size = 1;
  std::string record(3074, '\7');
  fs::create_directory(work / "cifar-100-binary");
  save(work / "cifar-100-binary/train.bin", record + record + record);
  save(work / "cifar-100-binary/test.bin", record);
  REQUIRE(std::system(("tar -C " + work.path + " -czf " + (work / "all.tar.gz") + " cifar-100-binary").c_str()) == 0);
  const std::string archive = read_file(work / "all.tar.gz");
  tiny.downloads[0].size = static_cast<int64_t>(archive.size());
  tiny.downloads[0].sha256 = sha256(archive);
  Server server({{"/cifar100/cifar-100-binary.tar.gz", archive}});
  const fs::path folder = fetch_dataset(tiny, work / "data", server.url);
  CHECK(read_source(tiny, folder).train.labels == Labels{7, 7, 7});
  const fs::directory_iterator files(folder);
  CHECK(std::distance(begin(files), end(files)) == 2);  // the archive is gone
}

TEST_CASE("without curl and wget, a wrong mirror, nothing to fetch, nowhere to write: errors that say so") {
  Scratch root;
  const Tiny tiny;
  {
    Variable path("PATH", root.path);
    CHECK(error_of(Fault::missing, [&] {
            fetch_dataset(tiny.source, root / "data", "http://127.0.0.1:1");
          }).find("apt-get install curl") != std::string::npos);
    CHECK(empty(root / "data"));
  }
  CHECK(error_of(Fault::usage, [&] { fetch_dataset("mnist", root.path, "--output"); }).find("must be a URL") !=
        std::string::npos);
  CHECK(error_of(Fault::usage, [&] { fetch_dataset("synthetic", root.path); }).find("nothing to fetch") !=
        std::string::npos);
  save(root / "file", "");
  CHECK(!error_of(Fault::io, [&] { fetch_dataset("mnist", root / "file", "http://127.0.0.1:1"); }).empty());
}

TEST_CASE("wget does where there is no curl") {
  if (::access("/usr/bin/wget", X_OK) != 0) {
    MESSAGE("NOT TESTED: wget is not installed");
    return;
  }
  Tiny tiny;
  Server server(tiny.served);
  Scratch root;
  fs::create_directory(root / "bin");
  fs::create_symlink("/usr/bin/wget", root / "bin/wget");
  Variable path("PATH", root / "bin");
  fetch_dataset(tiny.source, root / "data", server.url);
  CHECK(load_dataset("mnist", root / "data").train.size() == 5);
  tiny.source.downloads[0].file = "nothing.gz";
  const std::string message = error_of(Fault::io, [&] { fetch_dataset(tiny.source, root / "more", server.url); });
  CHECK(message.find("404") != std::string::npos);
}
