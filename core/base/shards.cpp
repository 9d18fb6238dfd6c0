#include "core/base/shards.h"

#include <cstring>
#include <utility>

#include "core/base/check.h"

namespace evenkeel {
namespace {

bool power_of_two(int64_t n) { return (n & (n - 1)) == 0; }

struct Broken {};  // another shard has failed

}  // namespace

Shard* this_shard() { return thread_settings().shard; }
InShard::InShard(Shard* shard) : before_(std::exchange(thread_settings().shard, shard)) {}
InShard::~InShard() { thread_settings().shard = before_; }

void Shard::fold(void* values, size_t bytes, Merge merge) { all->meet(index - all->first(), values, bytes, merge); }

Shards::Shards(int64_t count, Processes* processes) : count_(count), processes_(processes) {
  const int64_t size = processes ? processes->size() : 1, rank = processes ? processes->rank() : 0;
  check(count >= 1 && count % size == 0, "shards: {} processes must divide the number of shards, got {}", size, count);
  here_ = count / size;
  first_ = rank * here_;
  for (int64_t i = 0; i < here_; ++i) shards_.push_back({.all = this, .index = first_ + i});
  meetings_.resize(static_cast<size_t>(here_));
  turn_ = here_ - 1;
}

Shards::~Shards() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  next_.notify_all();
  for (std::thread& t : threads_) t.join();
}

void Shards::run(int64_t n, const std::function<void(int64_t)>& f) {
  const int64_t last = here_ - 1;
  f_ = &f;
  settings_ = thread_settings();
  broken_ = false;
  for (int64_t i = 0; i < here_; ++i) {
    Shard& s = shards_[i];
    s.begin = shard_begin(n, s.index, count_);
    s.end = shard_begin(n, s.index + 1, count_);
    s.of = n;
    meetings_[i] = {.values = nullptr, .bytes = 0, .done = false, .error = {}};
  }
  while (static_cast<int64_t>(threads_.size()) < last)
    threads_.emplace_back([this, i = static_cast<int64_t>(threads_.size())] { work(i); });
  std::unique_lock lock(mutex_);
  give_turn(0, lock);
  lock.unlock();
  attempt(last);
  lock.lock();
  for (int64_t i = 0; i < last; ++i) {
    if (meetings_[i].done) continue;
    broken_ = true;  // shard i waits for a fold() that shard `last` never calls
    give_turn(i, lock);
  }
  lock.unlock();
  for (const Meeting& m : meetings_)
    if (m.error) std::rethrow_exception(m.error);
  check(!broken_, "shards: every shard must call fold() as often as the others, with as many bytes; one did not");
}

// Lets shard `to` compute, then those after it, until it is the caller's turn again.
void Shards::give_turn(int64_t to, std::unique_lock<std::mutex>& lock) {
  turn_ = to;
  next_.notify_all();
  next_.wait(lock, [&] { return turn_ == here_ - 1; });
}

void Shards::work(int64_t i) {
  std::unique_lock lock(mutex_);
  for (;;) {
    next_.wait(lock, [&] { return turn_ == i || stop_; });
    if (stop_) return;
    if (!meetings_[i].done) {
      lock.unlock();
      attempt(i);
      lock.lock();
    }
    turn_ = i + 1;
    next_.notify_all();
  }
}

void Shards::attempt(int64_t i) {
  const ThreadSettings before = std::exchange(thread_settings(), settings_);
  thread_settings().shard = &shards_[i];
  try {
    (*f_)(i);
  } catch (const Broken&) {
  } catch (...) {
    meetings_[i].error = std::current_exception();
  }
  meetings_[i].done = true;
  thread_settings() = before;
}

void Shards::meet(int64_t i, void* values, size_t bytes, Merge merge) {
  std::unique_lock lock(mutex_);
  meetings_[i].values = values;
  meetings_[i].bytes = bytes;
  if (i < here_ - 1) {
    turn_ = i + 1;
    next_.notify_all();
    next_.wait(lock, [&] { return turn_ == i; });
    if (broken_) throw Broken();
    return;
  }
  std::vector<void*> each;
  for (const Meeting& m : meetings_) {
    broken_ |= m.done || m.bytes != bytes;
    each.push_back(m.values);
  }
  if (broken_) throw Broken();
  fold(each, bytes, merge);
  for (int64_t j = 0; j < i; ++j) std::memcpy(each[j + 1], each[0], bytes);
  if (here_ > 1) give_turn(0, lock);
}

void Shards::fold(const std::vector<void*>& each, size_t bytes, Merge merge) {
  const int64_t size = count_ / here_, end = first_ + here_;
  const auto is_here = [&](int64_t shard) { return first_ <= shard && shard < end; };
  const bool in_pairs = power_of_two(count_);
  if (size > 1 && received_.size() < bytes) received_.resize(bytes);
  void* const received = received_.data();
  for (int64_t step = 1; step < (in_pairs ? here_ : count_); step *= 2) {
    for (int64_t i = 0; i + step < count_; i += 2 * step) {
      if (is_here(i) && is_here(i + step)) {
        merge.merge(each[i - first_], each[i + step - first_], bytes);
      } else if (is_here(i) && !in_pairs) {
        processes_->receive((i + step) / here_, received, bytes);
        merge.merge(each[i - first_], received, bytes);
      } else if (is_here(i + step) && !in_pairs) {
        processes_->send(i / here_, each[i + step - first_], bytes);
      }
    }
  }
  if (in_pairs) {
    fold_in_pairs(static_cast<std::byte*>(each[0]), bytes, merge);
  } else if (size > 1) {  // from the first process to all
    int64_t step = 1;
    while (step < size) step *= 2;
    for (const int64_t rank = first_ / here_; step >= 1; step /= 2) {
      if (rank % (2 * step) == 0 && rank + step < size) processes_->send(rank + step, each[0], bytes);
      if (rank % (2 * step) == step) processes_->receive(rank - step, each[0], bytes);
    }
  }
}

// The levels of the tree between processes. Few values, or values that cannot be split: both processes of a pair merge
// all. Many: each merges one half (reduce-scatter); on the way back they exchange the halves (all-gather) (Rabenseifner
// 2004).
void Shards::fold_in_pairs(std::byte* values, size_t bytes, Merge merge) {
  constexpr size_t worth_halving = 1 << 14;
  const int64_t rank = first_ / here_;
  struct Part {
    size_t begin, end;
  };
  std::vector<std::pair<Part, Part>> halves;  // mine and the other's, of each level
  Part mine{0, bytes};
  for (int64_t step = 1; step < count_ / here_; step *= 2) {
    const int64_t other = rank ^ step;
    const bool lower = rank<other, halve = merge.unit> 0 && mine.end - mine.begin >= worth_halving;
    Part theirs = mine;
    if (halve) {
      const size_t middle = mine.begin + (mine.end - mine.begin) / merge.unit / 2 * merge.unit;
      (lower ? mine.end : mine.begin) = middle;
      (lower ? theirs.begin : theirs.end) = middle;
      halves.emplace_back(mine, theirs);
    }
    const size_t size = mine.end - mine.begin;
    std::byte *const own = values + mine.begin, *const received = received_.data();
    const auto take = [&](size_t begin, size_t end) {
      std::byte *const a = own + begin, *const b = received + begin;
      merge.merge(lower ? a : b, lower ? b : a, end - begin);
      if (!lower) std::memcpy(a, b, end - begin);
    };
    if (halve) {  // what has just arrived is in the cache
      processes_->swap(other, values + theirs.begin, theirs.end - theirs.begin, received, size, take);
    } else {
      processes_->swap(other, own, size, received, size);
      take(0, size);
    }
  }
  for (int64_t step = int64_t{1} << halves.size(); !halves.empty(); halves.pop_back()) {
    step /= 2;
    const auto [have, lack] = halves.back();
    processes_->swap(rank ^ step, values + have.begin, have.end - have.begin, values + lack.begin,
                     lack.end - lack.begin);
  }
}

}  // namespace evenkeel
