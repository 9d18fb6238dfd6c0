#include "data/fetch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "data/archive.h"
#include "data/sha256.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Where a program is on $PATH; empty: nowhere.
std::string find_program(const std::string& program) {
  std::string path = environment("PATH");
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string candidate = path.substr(begin, end - begin) + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    begin = end + 1;
  }
  return {};
}

// The command that writes a URL to a file. Both programs retry, give up on silence, and are told nothing but the URL and the file.
std::vector<std::string> download_command(const std::string& url, const std::string& file) {
  if (const std::string curl = find_program("curl"); !curl.empty())
    return {curl, "--fail", "--location", "--silent", "--show-error", "--retry", "2", "--connect-timeout", "20", "--speed-limit", "1000",
            "--speed-time", "60", "--output", file, "--url", url};
  if (const std::string wget = find_program("wget"); !wget.empty())
    return {wget, "--no-verbose", "--tries=3", "--timeout=60", "--output-document=" + file, "--", url};
  fail(Fault::missing, "to fetch a data set, curl or wget must be installed; with apt-get: apt-get install curl");
}

// Runs a program, no shell between, until it ends; calls meanwhile() a few times a second. No file it writes may be larger than
// max_bytes. Returns what it said on stderr where it failed, nothing where all went well.
std::string run(const std::vector<std::string>& command, int64_t max_bytes, const std::function<void()>& meanwhile) {
  std::vector<char*> arguments;
  for (const std::string& a : command) arguments.push_back(const_cast<char*>(a.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) fail(Fault::io, "fetch: no pipe: {}", std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) {  // only what is allowed between fork and exec
    const rlimit limit{static_cast<rlim_t>(max_bytes), static_cast<rlim_t>(max_bytes)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);  // then the write fails
    ::dup2(ends[1], STDERR_FILENO);
    ::execvpe(arguments[0], arguments.data(), environ);  // the one that gcov does not write its counters before, cut short by that limit
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string said;
  if (child > 0) {
    for (pollfd waiting{ends[0], POLLIN, 0};;) {
      char buffer[4096];
      const bool silent = ::poll(&waiting, 1, 200) <= 0;
      const ssize_t n = silent ? -1 : ::read(ends[0], buffer, sizeof buffer);
      if (n == 0) break;  // the program has ended
      if (n > 0 && said.size() < sizeof buffer) said.append(buffer, static_cast<size_t>(n));
      meanwhile();
    }
  }
  ::close(ends[0]);
  if (child < 0) fail(Fault::io, "fetch: cannot start {}: {}", command[0], std::strerror(errno));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return {};
  while (!said.empty() && std::isspace(static_cast<unsigned char>(said.back()))) said.pop_back();
  return said.empty() ? fmt::format("{} failed", command[0]) : said;
}

int64_t size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : static_cast<int64_t>(size);
}

std::string sha256_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  Sha256 digest;
  std::string buffer(1 << 20, '\0');
  while (in.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), in.gcount() > 0)
    digest.add({buffer.data(), static_cast<size_t>(in.gcount())});
  return digest.hex();
}

// A folder that is there while this is.
struct Staging {
  explicit Staging(fs::path p) : path(std::move(p)) {
    fs::remove_all(path);  // left by a process that was killed
    fs::create_directories(path);
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const fs::path path;
};

}  // namespace

void fetch_file(const Download& download, const std::vector<std::string>& urls, const fs::path& target, const FetchReport& report) {
  std::string failures;
  Fault fault = Fault::io;
  for (const std::string& url : urls) {
    report.log(fmt::format("fetching {}", url));
    // One byte more than is right may be written, to see that there is more.
    std::string failure = run(download_command(url, target.string()), download.size + 1,
                              [&] { report.progress(std::min(size_of(target), download.size), download.size); });
    const int64_t size = size_of(target);
    if (failure.empty() || size > download.size) {
      fault = Fault::bad_file;
      if (size > download.size) {
        failure = fmt::format("has more than {} bytes", download.size);
      } else if (size != download.size) {
        failure = fmt::format("has {} bytes, must have {}", size, download.size);
      } else if (const std::string digest = sha256_of(target); digest != download.sha256) {
        failure = fmt::format("has SHA-256 {}, must have {}", digest, download.sha256);
      } else {
        report.progress(download.size, download.size);
        return;
      }
    }
    failures += fmt::format("\n  {}: {}", url, failure);
    std::error_code ignored;
    fs::remove(target, ignored);
  }
  fail(fault, "fetch: no mirror gave {}:{}", download.file, failures);
}

fs::path fetch_dataset(const Source& source, const std::string& data_dir, const std::string& mirror_option, const FetchReport& report) try {
  const std::string mirror = mirror_option.empty() ? environment("EVENKEEL_MIRROR") : mirror_option;
  check(source.layout != Layout::drawn, "fetch: {} is drawn, there is nothing to fetch", source.name);
  check(mirror.empty() || mirror.starts_with("http://") || mirror.starts_with("https://") || mirror.starts_with("file://"),
        "fetch: a mirror must be a URL that begins with http://, https:// or file://, got '{}'", mirror);
  const fs::path root = data_roots(data_dir).front(), folder = root / source.folder;
  if (first_lacking(source, folder).empty()) {
    report.log(fmt::format("{} is there; to fetch it anew, remove it first", folder.string()));
    return folder;
  }

  const Staging staging(root / ("." + source.name + ".part"));
  for (const Download& download : source.downloads) {
    std::vector<std::string> urls;
    for (const std::string& base : mirror.empty() ? source.mirrors : std::vector{mirror + "/" + source.name})
      urls.push_back(base + "/" + download.file);
    const fs::path target = staging.path / download.file;
    fetch_file(download, urls, target, report);
    if (!download.members.empty()) {
      report.log(fmt::format("unpacking {}", download.file));
      unpack(target, download.members, staging.path);
      fs::remove(target);
    }
  }
  read_source(source, staging.path);

  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(staging.path)) fs::rename(entry.path(), folder / entry.path().filename());
  return folder;
} catch (const fs::filesystem_error& error) {
  fail(Fault::io, "fetch: {}", error.what());
}

fs::path fetch_dataset(const std::string& name, const std::string& data_dir, const std::string& mirror, const FetchReport& report) {
  return fetch_dataset(find_source(name), data_dir, mirror, report);
}

}  // namespace evenkeel
