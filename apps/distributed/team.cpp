#include "apps/distributed/team.h"

#include <fmt/core.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "core/base/check.h"

namespace evenkeel {
namespace {

void send_text(Team& team, int64_t to, const std::string& text) {
  const uint64_t size = text.size();
  team.send(to, &size, sizeof size);
  team.send(to, text.data(), size);
}

std::string receive_text(Team& team, int64_t from) {
  uint64_t size = 0;
  team.receive(from, &size, sizeof size);
  std::string text(size, '\0');
  team.receive(from, text.data(), size);
  return text;
}

// Rank 0 gets every process's text and judges them: judge(rank, text) returns what is wrong, or "". All get the first
// fault.
std::string verdict(Team& team, const std::string& mine,
                    const std::function<std::string(int64_t rank, const std::string& text)>& judge) {
  if (team.rank() != 0) {
    send_text(team, 0, mine);
    return receive_text(team, 0);
  }
  std::string wrong = judge(0, mine);
  for (int64_t rank = 1; rank < team.size(); ++rank) {
    const std::string of_rank = judge(rank, receive_text(team, rank));
    if (wrong.empty()) wrong = of_rank;
  }
  for (int64_t rank = 1; rank < team.size(); ++rank) send_text(team, rank, wrong);
  return wrong;
}

}  // namespace

std::string Team::name(int64_t rank) const { return fmt::format("rank {} on {}", rank, host(rank)); }

void attempt(Team* team, const std::function<void()>& f) {
  if (!team) return f();
  std::string failed;  // the fault's number, and the message
  std::exception_ptr stopped;
  try {
    f();
  } catch (const Error& error) {
    failed = static_cast<char>(error.fault) + std::string(error.what());
  } catch (const std::exception& error) {
    failed = static_cast<char>(Fault::failed) + std::string(error.what());
  } catch (...) {  // Stopped
    stopped = std::current_exception();
    failed = static_cast<char>(Fault::failed) + std::string("stopped by a signal");
  }
  const std::string wrong = verdict(*team, failed, [&](int64_t rank, const std::string& text) {
    return text.empty() || rank == 0 ? text : text[0] + team->name(rank) + ": " + text.substr(1);
  });
  if (stopped) std::rethrow_exception(stopped);
  if (!wrong.empty()) fail(static_cast<Fault>(wrong[0]), "{}", wrong.substr(1));
}

void check_same_everywhere(Team& team, const nlohmann::json& mine) {
  const nlohmann::json here = mine.flatten();
  const std::string wrong = verdict(team, here.dump(), [&](int64_t rank, const std::string& text) {
    std::string differences;
    const nlohmann::json there = nlohmann::json::parse(text);
    for (const auto& [key, value] : here.items()) {
      const std::string other = there.contains(key) ? there[key].dump() : "nothing";
      if (other != value.dump())
        differences += fmt::format("\n  {}: {} for {}, {} for {}", key.substr(1), value.dump(), team.name(0), other,
                                   team.name(rank));
    }
    return differences;
  });
  check(wrong.empty(), "the processes of mpirun must have the same program, options and data:{}", wrong);
}

int as_one(Team* team, const std::function<int()>& f) {
  if (!team) return f();
  std::string message = "out of memory; a smaller --batch-size needs less";
  int status = static_cast<int>(Fault::failed);
  // If all processes have failed, rank 0 alone throws on, and prints the error. The others' status is 0, because mpirun
  // ends all processes, rank 0 too, at the first other one.
  const auto all_failed = [&] {
    if (!team->all_come(3)) return false;
    if (team->rank() == 0) throw;
    return true;
  };
  try {
    return f();
  } catch (const Error& error) {
    if (all_failed()) return 0;
    message = error.what();
    status = static_cast<int>(error.fault);
  } catch (const std::bad_alloc&) {
    if (all_failed()) return 0;
  } catch (const std::exception& error) {
    if (all_failed()) return 0;
    message = error.what();
  } catch (...) {  // Stopped
    if (all_failed()) return 0;
    message = "stopped by a signal";
  }
  team->abandon(fmt::format("evenkeel: {}: {}", team->name(team->rank()), message), status);
  return status;
}

}  // namespace evenkeel
