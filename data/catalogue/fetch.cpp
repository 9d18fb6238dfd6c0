#include "data/catalogue/fetch.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/io/file.h"
#include "core/io/foreign.h"
#include "core/io/process.h"
#include "data/catalogue/archive.h"
#include "data/catalogue/sha256.h"

namespace evenkeel {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// The path of a program on $PATH; empty if it is not there.
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

// The command that downloads a URL to a file. Both programs retry, time out on a silent server, ignore the user's
// configuration, and use the URL unchanged. curl follows redirections to http and https only; wget has no such option.
std::vector<std::string> download_command(const std::string& url, const std::string& file) {
  if (const std::string curl = find_program("curl"); !curl.empty())
    return {curl,
            "--disable",
            "--fail",
            "--location",
            "--silent",
            "--show-error",
            "--globoff",
            "--proto-redir",
            "=http,https",
            "--retry",
            "2",
            "--connect-timeout",
            "20",
            "--speed-limit",
            "1000",
            "--speed-time",
            "60",
            "--output",
            file,
            "--url",
            url};
  if (const std::string wget = find_program("wget"); !wget.empty())
    return {wget, "--no-config", "--no-verbose", "--tries=3", "--timeout=60", "--output-document=" + file, "--", url};
  fail(Fault::missing, "to fetch a data set, curl or wget must be installed; with apt-get: apt-get install curl");
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

// "; it is an HTML page": the known format of what came instead of an archive.
std::string foreign_name(const fs::path& file) {
  const InputFile input = open_input(file.string());
  char front[foreign_bytes];
  const ForeignFormat* format = foreign_format({front, input.read(0, front, sizeof front)});
  return format && format->what != "a gzip file" ? fmt::format("; it is {}", format->what) : "";
}

// A lock: one process at a time downloads into a folder. It ends with the process at the latest.
class FetchLock {
 public:
  FetchLock(const fs::path& folder, const FetchReport& report)
      : folder_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (folder_ < 0) fail(Fault::io, "fetch: {}: {}", folder.string(), std::strerror(errno));
    if (::flock(folder_, LOCK_EX | LOCK_NB) == 0) return;
    report.log(fmt::format("waiting for another process that fetches into {}", folder.string()));
    while (::flock(folder_, LOCK_EX) != 0)
      if (errno != EINTR) fail(Fault::io, "fetch: {} cannot be locked: {}", folder.string(), std::strerror(errno));
  }
  ~FetchLock() { ::close(folder_); }
  FetchLock(const FetchLock&) = delete;
  FetchLock& operator=(const FetchLock&) = delete;

 private:
  int folder_;
};

// The folder for incomplete files, inside the set's own, so that a rename within one file system puts them in place.
// The destructor removes it, and the set's folder if that is empty then.
struct Staging {
  explicit Staging(const fs::path& set) : path(set / ".part") {
    fs::remove_all(path);  // of a killed process
    fs::create_directories(path);
  }
  ~Staging() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
    fs::remove(path.parent_path(), ignored);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  const fs::path path;
};

// Downloads one file to `target` from the first URL that delivers it with the right size and digest.
void fetch_file(const Download& download, const std::vector<std::string>& urls, const fs::path& target,
                const FetchReport& report) {
  std::string failures;
  Fault fault = Fault::io;
  for (const std::string& url : urls) {
    report.log(fmt::format("fetching {}", url));
    // The limit is one byte above the right size, so that a larger file is noticed.
    const std::vector<std::string> command = download_command(url, target.string());
    const ProcessResult end = run_process(
        command,
        {.captured = STDERR_FILENO, .most_text = 4096, .most_bytes_a_file = download.size + 1, .meanwhile = [&] {
           report.progress(std::min(size_of(target), download.size), download.size);
         }});
    report.progress(std::min(size_of(target), download.size), download.size);
    std::string failure = end.status == 0 ? "" : end.text.empty() ? fmt::format("{} failed", command[0]) : end.text;
    for (size_t at = 0; (at = failure.find('\n', at)) != std::string::npos;) failure.insert(++at, "    ");
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
      failure += foreign_name(target);
    }
    failures += fmt::format("\n  {}: {}", url, failure);
    std::error_code ignored;
    fs::remove(target, ignored);
  }
  fail(fault, "fetch: no mirror delivered {}:{}", download.file, failures);
}

}  // namespace

fs::path fetch_dataset(const Source& source, const std::string& data_dir, const std::string& mirror_option,
                       const FetchReport& report) try {
  const std::string mirror = mirror_option.empty() ? environment("EVENKEEL_MIRROR") : mirror_option;
  check(source.layout != Layout::drawn, "fetch: {} is drawn, there is nothing to fetch", source.name);
  check(mirror.empty() || mirror.starts_with("http://") || mirror.starts_with("https://") ||
            mirror.starts_with("file://"),
        "fetch: a mirror must be a URL that begins with http://, https:// or file://, got '{}'", mirror);
  const fs::path root = data_roots(data_dir).front(), folder = root / source.folder;
  fs::create_directories(root);
  const FetchLock lock(root, report);
  if (first_lacking(source, folder).empty()) {
    report.log(fmt::format("{} is there; to fetch it anew, remove it first", folder.string()));
    return folder;
  }

  const Staging staging(folder);
  for (const Download& download : source.downloads)
    for (const std::string& file : download.members.empty() ? std::vector{download.file} : download.members)
      check_output((folder / file).string(), {});
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

  for (const auto& entry : fs::directory_iterator(staging.path))
    move_file(entry.path().string(), (folder / entry.path().filename()).string());
  return folder;
} catch (const fs::filesystem_error& error) {
  fail_io(error);
}

fs::path fetch_dataset(const std::string& name, const std::string& data_dir, const std::string& mirror,
                       const FetchReport& report) {
  return fetch_dataset(find_source(name), data_dir, mirror, report);
}

}  // namespace evenkeel
