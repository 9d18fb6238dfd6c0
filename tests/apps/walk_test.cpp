// A random walk over commands: two at a time on the same few folders, stopped by signals, short of disk space now and
// then. What holds whatever happens:
//   - no command ends by a signal that it was not sent, or with a status that apps/README.md does not give it;
//   - every file can be read, and none is lost; the files of a run's folder are of one run;
//   - what comes to its end ends as it does undisturbed: a training run in the same bytes, however often it was stopped
//     and resumed, every other command in the same output for the same input;
//   - nothing unfinished stays, but what a killed process leaves, and that until the next one writes there.
// The seed decides which commands come; which step a signal meets is up to the machine. EVENKEEL_WALK=SECONDS walks on
// with other seeds, EVENKEEL_WALK_SEED=N begins with N.
#include <doctest/doctest.h>
#include <fmt/core.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/report/run_log.h"
#include "core/base/random.h"
#include "layers/model/safetensors.h"
#include "tests/apps/process.h"
#include "tests/apps/run_end.h"
#include "tests/apps/tiny_data.h"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int slots = 3, specs = 4;

struct Job {
  Arguments arguments;
  std::string folder;  // of the run that it trains, or nothing
  std::vector<std::string> inputs = {};
  std::string output = {};  // the file that it writes; where it writes none, what it prints counts
};

struct Trouble {
  int signal = 0;      // that it is sent
  double when = 0;     // as a part of the time that such a command takes,
  bool saved = false;  // from when a run has saved something new, or from the start
  bool twice = false;
  rlim_t largest = RLIM_INFINITY;  // size of a file
  bool full_output = false;
  bool none() const { return signal == 0 && largest == RLIM_INFINITY && !full_output; }
};

// The folder in which everything happens; as root it is a small disk of its own, which can be filled.
class World {
 public:
  World() : path(scratch_ / "world") {
    fs::create_directory(path);
    disk_ = geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
            mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            mount("tmpfs", path.c_str(), "tmpfs", 0, "size=4m") == 0;
  }
  ~World() {
    if (disk_) umount2(path.c_str(), MNT_DETACH);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  bool has_disk() const { return disk_; }
  void fill(uint64_t but) const {
    struct statvfs space {};
    REQUIRE(statvfs(path.c_str(), &space) == 0);
    const auto free = static_cast<int64_t>(space.f_bavail * space.f_bsize);
    std::ofstream(path + "/filler") << std::string(
        static_cast<size_t>(std::max(free - static_cast<int64_t>(but), int64_t{0})), 'x');
  }
  void empty() const { fs::remove(path + "/filler"); }

  // Every file's bytes, by its path; a folder's path ends in '/'.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      all[entry.path().string() + (entry.is_directory() ? "/" : "")] = entry.is_directory() ? "" : slurp(entry.path());
    return all;
  }

 private:
  Scratch scratch_;
  bool disk_;

 public:
  const std::string path;
};

bool unfinished(const std::string& file) {
  return file.ends_with(".part") || file.ends_with("/.lock") || file.ends_with("/.ready/");
}

std::set<std::string> unfinished_of(const std::map<std::string, std::string>& files) {
  std::set<std::string> all;
  for (const auto& [name, contents] : files)
    if (unfinished(name)) all.insert(name);
  return all;
}

// Whether a protocol buffer's outermost fields end where it ends.
bool whole_onnx(const std::string& bytes) {
  size_t at = 0;
  const auto number = [&] {
    uint64_t value = 0;
    for (int shift = 0; at < bytes.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes[at++]);
      value |= uint64_t{byte & 127u} << shift;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.size()) {
    const uint64_t type = number() & 7, value = number();
    if (type == 2)
      at += value;
    else if (type != 0)
      return false;
  }
  return at == bytes.size() && at > 0;
}

// Why a file cannot be read; nothing where it can.
std::string unreadable(const std::string& name, const std::string& bytes) {
  try {
    if (name.ends_with(".safetensors")) evenkeel::parse_safetensors(bytes, name);
    if (name.ends_with(".json") && !nlohmann::json::parse(bytes).is_object()) return "it is not an object";
    if (name.ends_with(".csv")) evenkeel::parse_log_csv(bytes, name);
    if (name.ends_with(".svg") && !bytes.ends_with("</svg>\n")) return "it has no end";
    if (name.ends_with(".npz") && (bytes.size() < 22 || bytes.substr(bytes.size() - 22, 4) != "PK\5\6"))
      return "it has no end";
    if (name.ends_with(".onnx") && !whole_onnx(bytes)) return "it has no end";
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

class Walk {
 public:
  Walk() : init_(scratch_ / "init.safetensors") {
    const std::string tiny = "mlp:6";
    const std::vector<Arguments> own = {
        {"--model", tiny, "--checkpoint-every", "1", "--seed", "0"},
        {"--model", "conv:3:3:stride=4 norm act dropout:0.2 flatten dense:classes", "--norm",
         "batch:average=cumulative", "--augment", "--warmup", "1", "--checkpoint-every", "1", "--seed", "1"},
        {"--model", tiny, "--norm", "none", "--checkpoint-every", "2", "--seed", "2"},
        {"--model", tiny, "--init", init_, "--checkpoint-every", "3", "--optimizer", "sgd:momentum=0.9:nesterov=on",
         "--seed", "3"}};
    for (int s = 0; s < specs; ++s) {
      specs_.push_back(Arguments{"train", "--data", "mnist", "--data-dir", data_.folder.path, "--samples", "324",
                                 "--validation", "4", "--batch-size", "16", "--epochs", "2", "--threads", "1"} +
                       own[static_cast<size_t>(s)]);
      const Outcome o = run(specs_.back() + Arguments{"--out", whole(s)});
      REQUIRE_MESSAGE(o.status == 0, o.err);
      if (s == 0) fs::copy_file(whole(0) + "/best.safetensors", init_);
    }
  }

  void operator()(uint64_t seed, int rounds, Clock::time_point end) {
    seed_ = seed;
    random_ = evenkeel::Random(seed);
    history_.clear();
    const World world;
    world_ = &world;
    for (int r = 0; r < rounds && Clock::now() < end; ++r) round(r);
    finish();
  }

  // How often each command ended in which status.
  std::string counts() const {
    std::string text;
    for (const auto& [command, statuses] : counts_) {
      text += command + ":";
      for (const auto& [status, count] : statuses) text += fmt::format("  {} x {}", count, status);
      text += "\n";
    }
    return text;
  }

 private:
  std::string whole(int spec) const { return scratch_ / fmt::format("whole-{}", spec); }
  std::string slot(uint64_t number) const { return world_->path + "/run-" + std::to_string(number); }
  std::string in_world(const char* name) const { return world_->path + "/" + name; }
  bool chance(uint64_t one_in) { return random_.below(one_in) == 0; }
  const Arguments& any_spec() { return specs_[random_.below(specs)]; }

  // A file with weights: a run's, or what another command made of one. Now and then it is not there.
  std::string any_weights() {
    for (int tries = 0;; ++tries) {
      const std::string files[] = {"last", "best", "best", ".next/last", "folded", "recalibrated"};
      const size_t which = random_.below(6);
      const std::string file =
          (which < 4 ? slot(random_.below(slots)) : world_->path) + "/" + files[which] + ".safetensors";
      if (fs::exists(file) || tries == 5) return file;
    }
  }

  Job any_job() { return any_job(slot(random_.below(slots)), random_.below(16)); }
  Job any_job(const std::string& folder, uint64_t kind) {
    const std::string other = slot(random_.below(slots)), weights = any_weights();
    const Arguments data{"--data-dir", data_.folder.path, "--threads", "1"};
    const auto reads = [&](const Arguments& arguments, const char* output = nullptr, const char* option = "--out") {
      if (!output) return Job{arguments, "", {weights}};
      return Job{arguments + Arguments{option, in_world(output)}, "", {weights}, in_world(output)};
    };
    switch (kind) {
      case 0:
      case 1:
        return {any_spec() + Arguments{"--out", folder}, folder};
      case 2:
      case 3:
        return {any_spec() + Arguments{"--out", folder, "--overwrite"}, folder};
      case 4:
      case 5:
      case 6:
      case 7:
        return {{"train", "--resume", folder, "--threads", chance(2) ? "1" : "2"}, folder};
      case 8:
        return {{"train", "--config", other + "/config.json", "--out", folder, "--overwrite"},
                folder,
                {other + "/config.json"}};
      case 9:
        return reads({"export", weights, "--format", "npz"}, "exported.npz");
      case 10:
        return chance(2) ? reads({"export", weights, "--format", "onnx"}, "exported.onnx")
                         : reads({"export", weights, "--format", "safetensors", "--fold"}, "exported.safetensors");
      case 11:
        return reads(Arguments{"fold", weights} + data, "folded.safetensors");
      case 12:
        return reads(Arguments{"recalibrate", weights} + data, "recalibrated.safetensors");
      case 13:
        return chance(2) ? reads(Arguments{"eval", weights} + data)
                         : reads(Arguments{"eval", weights} + data, "logits.npz", "--logits");
      case 14:
        return reads(Arguments{"doctor", weights} + data);
      default: {
        const std::vector<std::string> logs = {folder + "/log.csv", other + "/log.csv"};
        return {{"plot", folder, other, "--out", in_world("plot.svg")}, "", logs, in_world("plot.svg")};
      }
    }
  }

  Trouble any_trouble() {
    Trouble t;
    constexpr int signals[] = {SIGINT, SIGTERM, SIGKILL};
    t.signal = chance(2) ? signals[random_.below(3)] : 0;
    t.saved = !chance(3);
    t.when = t.saved ? random_.uniform() * random_.uniform() : random_.uniform();
    t.twice = chance(8);
    if (chance(12)) t.largest = 4096 * (1 + random_.below(10));
    t.full_output = chance(20);
    return t;
  }

  static std::string text(const Job& job, const Trouble& t, const Outcome& o) {
    std::string line;
    for (const std::string& a : job.arguments) line += a.find(' ') == std::string::npos ? a + " " : "'" + a + "' ";
    if (t.signal)
      line += fmt::format("; signal {} at {:.2f}{}{}", t.signal, t.when, t.saved ? " after a save" : "",
                          t.twice ? ", twice" : "");
    if (t.largest != RLIM_INFINITY) line += fmt::format("; files of {} bytes", t.largest);
    if (t.full_output) line += "; output full";
    return line + fmt::format(": status {}\n    {}", o.status, o.err);
  }

  // Which files a run has saved last, by their numbers on the disk.
  static std::string saves(const std::string& folder) {
    std::string numbers;
    for (const char* file : {"/last.safetensors", "/.next/last.safetensors"}) {
      struct stat status {};
      numbers += stat((folder + file).c_str(), &status) == 0
                     ? fmt::format("{} {} ", status.st_ino, status.st_ctim.tv_nsec)
                     : "- ";
    }
    return numbers;
  }

  // Both at once; the outcomes in their order.
  std::vector<Outcome> perform(const std::vector<Job>& jobs, const std::vector<Trouble>& troubles) {
    std::vector<std::unique_ptr<Process>> processes;
    std::vector<std::pair<double, size_t>> signals;  // seconds from the start, which one
    std::vector<std::string> saved;
    for (const Job& job : jobs) saved.push_back(saves(job.folder));
    const auto start = Clock::now();
    const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
    for (size_t i = 0; i < jobs.size(); ++i) {
      const Trouble& t = troubles[i];
      processes.push_back(std::make_unique<Process>(jobs[i].arguments, Arguments{}, false, [&t] {
        if (t.full_output) dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO);
        const rlimit limit{t.largest, t.largest};
        setrlimit(RLIMIT_FSIZE, &limit);
        alarm(60);  // what hangs ends by a signal that it was not sent
      }));
      const double at = t.when * durations_[jobs[i].arguments[0]];
      if (t.signal) signals.emplace_back(at, i);
      if (t.signal && t.twice) signals.emplace_back(at * 1.1, i);
    }
    std::sort(signals.begin(), signals.end());
    for (const auto& [at, i] : signals) {
      if (troubles[i].saved && !jobs[i].folder.empty())
        wait_until(*processes[i], [&, i = i] { return saves(jobs[i].folder) != saved[i]; });
      usleep(static_cast<useconds_t>(std::max(troubles[i].saved ? at : at - seconds(), 0.0) * 1e6));
      processes[i]->send(troubles[i].signal);
    }
    std::vector<Outcome> outcomes;
    for (size_t i = 0; i < jobs.size(); ++i) {
      outcomes.push_back(processes[i]->wait());
      double& usual = durations_[jobs[i].arguments[0]];
      if (outcomes[i].status == 0) usual = usual == 0 ? seconds() : 0.8 * usual + 0.2 * seconds();
    }
    for (size_t i = 0; i < jobs.size(); ++i) ++counts_[jobs[i].arguments[0]][outcomes[i].status];
    return outcomes;
  }

  void round(int number) {
    if (chance(10)) fs::remove_all(slot(random_.below(slots)));
    const std::string file = slot(random_.below(slots)) + "/" + (chance(2) ? "last" : "best") + ".safetensors";
    if (chance(10) && fs::exists(file)) save(file + ".0123456789ab.part", "as a killed process may leave it");
    std::vector<Job> jobs{any_job()};
    if (!chance(4))
      jobs.push_back(!jobs[0].folder.empty() && chance(3) ? any_job(jobs[0].folder, random_.below(9)) : any_job());
    std::vector<Trouble> troubles;
    for (size_t i = 0; i < jobs.size(); ++i) troubles.push_back(any_trouble());
    const bool full = world_->has_disk() && chance(8);
    const auto before = world_->files();
    if (full) world_->fill(4096 * random_.below(40));
    const std::vector<Outcome> outcomes = perform(jobs, troubles);
    world_->empty();
    const auto after = world_->files();

    std::string what = fmt::format("round {}{}\n", number, full ? ", a full disk" : "");
    for (size_t i = 0; i < jobs.size(); ++i) what += "  " + text(jobs[i], troubles[i], outcomes[i]);
    history_.push_back(what);
    if (history_.size() > 8) history_.pop_front();
    std::string story;
    for (const std::string& line : history_) story += line;
    CAPTURE(seed_);
    CAPTURE(story);

    bool killed = false;
    for (size_t i = 0; i < jobs.size(); ++i) {
      check_outcome(jobs[i], troubles[i], full, outcomes[i], after);
      killed |= outcomes[i].status < 0;
    }
    for (size_t i = 0; i < jobs.size(); ++i) check_result(jobs, troubles, outcomes, i, full, before, after);
    check_files(before, after, killed);
  }

  using Files = std::map<std::string, std::string>;

  static void check_outcome(const Job& job, const Trouble& t, bool full, const Outcome& o, const Files& after) {
    const bool training = !job.folder.empty(), short_of_space = full || t.largest != RLIM_INFINITY || t.full_output;
    std::set<int> may{0, 2, 3};
    if (short_of_space) may.insert(5);
    if (t.signal) may.insert(-t.signal);
    // Every command catches a signal while it opens its inputs, a training run to its end.
    const bool begun = o.err.find("before any work") == std::string::npos;
    const bool caught = t.signal && t.signal != SIGKILL;
    if (caught && (training || !begun)) may.insert(128 + t.signal);
    CHECK_MESSAGE(may.contains(o.status), o.status);
    if (o.status > 0) CHECK(o.err.find("evenkeel: ") != std::string::npos);
    if (caught && begun && o.status == 128 + t.signal)
      CHECK(
          (after.contains(job.folder + "/last.safetensors") || after.contains(job.folder + "/.next/last.safetensors")));
  }

  // What a command that had its folder or its inputs for itself must end in.
  void check_result(const std::vector<Job>& jobs, const std::vector<Trouble>& troubles,
                    const std::vector<Outcome>& outcomes, size_t i, bool full, const Files& before,
                    const Files& after) {
    const Job& job = jobs[i];
    const Outcome& o = outcomes[i];
    const bool undisturbed = troubles[i].none() && !full, training = !job.folder.empty();
    bool alone = true, undisturbed_there = !full;
    for (size_t k = 0; k < jobs.size(); ++k) {
      undisturbed_there &= jobs[k].folder != job.folder || troubles[k].none();
      if (k == i) continue;
      alone &= jobs[k].folder.empty() || jobs[k].folder != job.folder;
      alone &= job.output.empty() || jobs[k].output != job.output;
      for (const std::string& input : job.inputs)
        alone &= !(jobs[k].output == input || (!jobs[k].folder.empty() && input.starts_with(jobs[k].folder + "/")));
    }
    if (training) {
      if (alone && undisturbed) CHECK(o.status == expected(job, before));
      if (o.status == 0 && (alone || undisturbed_there)) check_end(job.folder);  // of two, the last one's
      return;
    }
    if (!alone) return;
    const auto of = [](const Files& files, const std::string& name) {
      return files.contains(name) ? files.at(name) : "";
    };
    const bool kept = of(before, job.output) == of(after, job.output);
    if (o.status > 0 && !troubles[i].full_output) CHECK_MESSAGE(kept, job.output);
    if (o.status != 0 && !undisturbed) return;
    std::string question;
    for (const std::string& a : job.arguments)
      question += a.substr(a.starts_with(world_->path) ? world_->path.size() : 0) + '\n';
    for (const std::string& input : job.inputs)
      question += (before.contains(input) ? "there" : "missing") + of(before, input);
    std::string answer = std::to_string(o.status);
    if (o.status == 0 && job.output.empty())
      answer += o.out;
    else if (o.status == 0)
      answer += of(after, job.output);
    for (size_t at; (at = answer.find(world_->path)) != std::string::npos;) answer.erase(at, world_->path.size());
    const auto known = answers_.emplace(question, answer).first;
    const bool same = known->second == answer;
    CHECK_MESSAGE(same, job.arguments[0]);
  }

  int expected(const Job& job, const Files& before) const {
    const auto has = [&](const std::string& name) { return before.contains(job.folder + name); };
    const auto is = [&](const std::string& option) {
      return std::find(job.arguments.begin(), job.arguments.end(), option) != job.arguments.end();
    };
    if (is("--config")) return before.contains(job.inputs[0]) ? 0 : 3;
    if (is("--overwrite")) return 0;
    if (is("--resume")) {
      if (has("/.ready/")) return 0;
      const std::string where = has("/.next/config.json") ? "/.next" : "";
      return has(where + "/last.safetensors") && has(where + "/config.json") ? 0 : 3;
    }
    for (const auto& [name, contents] : before)
      if (name.starts_with(job.folder + "/") && name != job.folder + "/" && name != job.folder + "/.lock") return 2;
    return 0;
  }

  // A run that ended: in what the same run undisturbed ends in.
  void check_end(const std::string& folder) const {
    const std::string config = slurp(folder + "/config.json");
    CHECK_MESSAGE(config.starts_with("{"), folder);
    if (!config.starts_with("{")) return;
    check_same_end(folder, whole(nlohmann::json::parse(config)["options"]["seed"].get<int>()));
    for (const char* staging : {"/.next", "/.ready", "/.lock"}) CHECK_MESSAGE(!fs::exists(folder + staging), staging);
  }

  void check_files(const Files& before, const Files& after, bool killed) const {
    for (const auto& [name_, bytes] : before) {
      const auto& name = name_;

      if (!unfinished(name) && name.find("/.next/") == std::string::npos && name.find("/.ready/") == std::string::npos)
        CHECK_MESSAGE(after.contains(name), "lost: ", name);
    }
    for (const auto& [name_, bytes] : after) {
      const auto& name = name_;
      if (before.contains(name) && before.at(name) == bytes) continue;
      const std::string reason = unreadable(name, bytes);
      CHECK_MESSAGE(reason.empty(), name, ": ", reason);
    }
    if (!killed)
      for (const std::string& name : unfinished_of(after)) CHECK_MESSAGE(before.contains(name), "left: ", name);
    for (uint64_t s = 0; s < slots; ++s) {  // one run's files
      const std::string folder = slot(s);
      if (after.contains(folder + "/.ready/") || !after.contains(folder + "/config.json")) continue;
      const std::string seed = seed_of(folder + "/config.json", after);
      for (const char* file : {"/last.safetensors", "/best.safetensors"})
        if (after.contains(folder + file)) CHECK_MESSAGE(seed_of(folder + file, after) == seed, folder, file);
    }
  }

  static std::string seed_of(const std::string& name, const Files& files) {
    if (!unreadable(name, files.at(name)).empty()) return "unreadable";
    if (name.ends_with(".json")) return nlohmann::json::parse(files.at(name))["options"]["seed"].dump();
    return evenkeel::parse_safetensors(files.at(name), name).metadata.at("seed");
  }

  // Undisturbed, everything comes to its end.
  void finish() {
    std::string story;
    for (const std::string& line : history_) story += line;
    CAPTURE(seed_);
    CAPTURE(story);
    for (uint64_t s = 0; s < slots; ++s) {
      Outcome o = run({"train", "--resume", slot(s)});
      if (s == 0 || o.status == 3) o = run(specs_[s] + Arguments{"--out", slot(s), "--overwrite"});
      CHECK_MESSAGE(o.status == 0, o.err);
      check_end(slot(s));
    }
    const std::string best = slot(0) + "/best.safetensors";
    const Arguments data{"--data-dir", data_.folder.path, "--threads", "1"};
    for (const Arguments& last :
         {Arguments{"export", best, "--format", "npz", "--out", in_world("exported.npz")},
          {"export", best, "--format", "onnx", "--out", in_world("exported.onnx")},
          {"export", best, "--format", "safetensors", "--out", in_world("exported.safetensors")},
          Arguments{"fold", best, "--out", in_world("folded.safetensors")} + data,
          Arguments{"recalibrate", best, "--out", in_world("recalibrated.safetensors")} + data,
          Arguments{"eval", best, "--logits", in_world("logits.npz")} + data,
          {"plot", slot(0), slot(1), "--out", in_world("plot.svg")}}) {
      const Outcome o = run(last);
      CHECK_MESSAGE(o.status == 0, o.err);
    }
    for (const std::string& name : unfinished_of(world_->files())) CHECK_MESSAGE(false, "left: ", name);
  }

  TinyData data_{324, 40};
  Scratch scratch_;
  const std::string init_;
  std::vector<Arguments> specs_;
  std::map<std::string, std::string> answers_;  // of commands that read, by what they were asked
  std::map<std::string, double> durations_;     // seconds, by the command's name
  std::deque<std::string> history_;
  evenkeel::Random random_;
  const World* world_ = nullptr;
  uint64_t seed_ = 0;
  std::map<std::string, std::map<int, int>> counts_;
};

}  // namespace

TEST_CASE("a random walk over commands: nothing crashes, nothing is lost, and what ends ends as it does undisturbed") {
  const char *seconds = std::getenv("EVENKEEL_WALK"), *first = std::getenv("EVENKEEL_WALK_SEED");
  uint64_t seed = first ? std::strtoull(first, nullptr, 10) : 1;
  const auto start = Clock::now(),
             end = seconds ? start + std::chrono::seconds(std::atoi(seconds)) : Clock::time_point::max();
  Walk walk;
  do walk(seed++, 40, end);
  while (seconds && Clock::now() < end);
  if (seconds) MESSAGE("seeds to ", seed - 1, "\n", walk.counts());
}
