// The team by MPI, or, in a build without it, a refusal.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>

#include "apps/distributed/team.h"
#include "core/base/check.h"

#ifdef EVENKEEL_MPI
#define OMPI_SKIP_MPICXX
#include <fcntl.h>
#include <mpi.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>
#endif

namespace evenkeel {
namespace {

// How many processes Open MPI, MPICH or a batch system started; 0: none of them started this one.
int started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_SIZE"})
    if (const char* size = std::getenv(name)) return std::atoi(size);
  return 0;
}

#ifdef EVENKEEL_MPI

class MpiTeam : public Team {
 public:
  explicit MpiTeam(double timeout) : timeout_(timeout), errors_(dup(STDERR_FILENO)) {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    MPI_Comm here = MPI_COMM_NULL;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here);
    MPI_Comm_size(here, &on_host_);
    MPI_Comm_free(&here);
    std::vector<char> mine(MPI_MAX_PROCESSOR_NAME), all(mine.size() * static_cast<size_t>(size_));
    int length = 0;
    MPI_Get_processor_name(mine.data(), &length);
    MPI_Allgather(mine.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR, all.data(), MPI_MAX_PROCESSOR_NAME, MPI_CHAR,
                  MPI_COMM_WORLD);
    for (size_t i = 0; i < all.size(); i += mine.size()) hosts_.emplace_back(all.data() + i);
    if (rank_ == 0) return;
    const int nowhere = open("/dev/null", O_WRONLY);
    for (int stream : {STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, stream);
    close(nowhere);
  }
  ~MpiTeam() override {
    MPI_Finalize();
    close(errors_);
  }

  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  std::string host(int64_t rank) const override { return hosts_[static_cast<size_t>(rank)]; }
  int64_t on_this_host() const override { return on_host_; }

  void send(int64_t to, const void* data, size_t bytes) override { swap(to, data, bytes, nullptr, 0, {}); }
  void receive(int64_t from, void* data, size_t bytes) override { swap(from, nullptr, 0, data, bytes, {}); }
  // In messages below Open MPI's eager limit. Of a larger message it sends the first part and waits for an answer.
  void swap(int64_t with, const void* out, size_t bytes_out, void* in, size_t bytes_in,
            const Arrived& arrived) override {
    constexpr size_t most = 60 << 10;  // Open MPI's limit for TCP is 64 KB, with a header
    constexpr size_t together = 16;    // a megabyte at a time: many threads can merge it, and it fits a cache
    std::vector<MPI_Request> requests;
    requests.reserve(bytes_in / most + bytes_out / most + 2);
    const int other = static_cast<int>(with);
    const auto begin = [&](auto* data, size_t bytes, auto start) {
      for (size_t at = 0; at < bytes; at += most)
        start(data + at, static_cast<int>(std::min(most, bytes - at)), MPI_BYTE, other, 0, MPI_COMM_WORLD,
              &requests.emplace_back(MPI_REQUEST_NULL));
    };
    begin(static_cast<char*>(in), bytes_in, MPI_Irecv);
    const size_t incoming = requests.size();
    begin(static_cast<const char*>(out), bytes_out, MPI_Isend);
    for (size_t i = 0; i < incoming; i += together) {
      const size_t end = std::min(incoming, i + together);
      await(requests.data() + i, end - i, with);
      if (arrived) arrived(i * most, std::min(bytes_in, end * most));
    }
    await(requests.data() + incoming, requests.size() - incoming, with);
  }

  bool all_come(double seconds) override {
    MPI_Request request = MPI_REQUEST_NULL;
    return MPI_Ibarrier(MPI_COMM_WORLD, &request) == MPI_SUCCESS && done(&request, 1, seconds);
  }

  void abandon(const std::string& message, int status) override {
    const std::string line = message + "\n";
    [[maybe_unused]] const auto written = write(errors_, line.data(), line.size());
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);
  }

 private:
  void await(MPI_Request* requests, size_t count, int64_t from) {
    if (done(requests, static_cast<int>(count), timeout_)) return;
    abandon(fmt::format("evenkeel: {} got no answer from {} within {} s: it hangs, or cannot be reached. To go on "
                        "from the last checkpoint: evenkeel train --resume, by any number of processes",
                        name(rank_), name(from), timeout_),
            static_cast<int>(Fault::failed));
  }
  // False after so many seconds, or if the connection is lost. Does not keep a core busy that another process needs.
  static bool done(MPI_Request* requests, int count, double seconds) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point start = Clock::now();
    for (int tries = 0;; ++tries) {
      int all = 0;
      if (MPI_Testall(count, requests, &all, MPI_STATUSES_IGNORE) != MPI_SUCCESS) return false;
      if (all) return true;
      if (tries < 200) continue;
      const double waited = std::chrono::duration<double>(Clock::now() - start).count();
      if (waited > seconds) return false;
      if (waited < 1e-3)
        std::this_thread::yield();
      else
        std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

  const double timeout_;
  const int errors_;  // where stderr went
  int rank_ = 0, size_ = 1, on_host_ = 1;
  std::vector<std::string> hosts_;
};

#endif

}  // namespace

std::unique_ptr<Team> join_team([[maybe_unused]] double timeout) {
  const int size = started_by_launcher();
#ifdef EVENKEEL_MPI
  if (size > 0) return std::make_unique<MpiTeam>(timeout);
#endif
  check(size <= 1,
        "train: started as {} processes, but this program is built without MPI; build it with -DEVENKEEL_MPI=ON", size);
  return nullptr;
}

}  // namespace evenkeel
