// The processes that mpirun started for one run, on one host or several. Only the first of them, rank 0, prints and
// writes files.
#pragma once
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/base/shards.h"

namespace evenkeel {

class Team : public Processes {
 public:
  virtual std::string host(int64_t rank) const = 0;
  virtual int64_t on_this_host() const = 0;   // how many of them
  virtual bool all_come(double seconds) = 0;  // whether every process calls it within so many seconds
  // Ends all processes, this one too; stderr gets the message, also that of another rank than 0.
  virtual void abandon(const std::string& message, int status) = 0;

  std::string name(int64_t rank) const;  // "rank 1 on HOST"
};

// Joins the processes that mpirun started; null if this one was started without. From then on the standard streams of
// every rank but 0 are closed. A process that waits longer than `timeout` seconds for another one ends all of them.
// Error if mpirun started several, and this build has no MPI.
std::unique_ptr<Team> join_team(double timeout);

// Calls f() on every process, and throws its Error on all of them if it failed on any. Without a team: f() alone.
void attempt(Team* team, const std::function<void()>& f);

// Error, which names the hosts, unless `mine` is equal on all processes.
void check_same_everywhere(Team& team, const nlohmann::json& mine);

// Returns f(). If it throws on some processes only, ends all of them; if on all, throws on rank 0 and returns 0 on the
// others.
int as_one(Team* team, const std::function<int()>& f);

}  // namespace evenkeel
