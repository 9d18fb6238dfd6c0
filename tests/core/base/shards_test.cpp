#include "core/base/shards.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <stdexcept>

#include "core/base/check.h"

using namespace evenkeel;

namespace {

// The order in which values are merged, as a text: "((0 1) 2)".
struct Term {
  char text[120];
};
void write_merge(void* into, const void* from, size_t bytes) {
  auto* a = static_cast<Term*>(into);
  const auto* b = static_cast<const Term*>(from);
  for (size_t i = 0; i < bytes / sizeof(Term); ++i) {
    const std::string both = "(" + std::string(a[i].text) + " " + b[i].text + ")";
    REQUIRE(both.size() < sizeof a->text);
    std::strcpy(a[i].text, both.c_str());
  }
}

// Processes as threads of this one, with one mailbox for each pair.
struct Mail {
  explicit Mail(int64_t n) : size(n), boxes(static_cast<size_t>(n * n)) {}
  const int64_t size;
  std::mutex mutex;
  std::condition_variable arrived;
  std::vector<std::vector<std::vector<std::byte>>> boxes;
};
struct Local : Processes {
  Local(Mail& m, int64_t r) : mail(m), me(r) {}
  int64_t rank() const override { return me; }
  int64_t size() const override { return mail.size; }
  void send(int64_t to, const void* data, size_t bytes) override {
    std::lock_guard lock(mail.mutex);
    const auto* first = static_cast<const std::byte*>(data);
    mail.boxes[me * mail.size + to].emplace_back(first, first + bytes);
    mail.arrived.notify_all();
  }
  void receive(int64_t from, void* data, size_t bytes) override {
    std::unique_lock lock(mail.mutex);
    auto& box = mail.boxes[from * mail.size + me];
    mail.arrived.wait(lock, [&] { return !box.empty(); });
    REQUIRE(box.front().size() == bytes);
    std::memcpy(data, box.front().data(), bytes);
    box.erase(box.begin());
  }
  void swap(int64_t with, const void* out, size_t bytes_out, void* in, size_t bytes_in,
            const Arrived& arrived) override {
    send(with, out, bytes_out);
    receive(with, in, bytes_in);
    const size_t part = bytes_in / 2 / sizeof(Term) * sizeof(Term);
    if (arrived) arrived(0, part), arrived(part, bytes_in);
  }
  Mail& mail;
  const int64_t me;
};

// The order of a fold of n values over `shards` in `processes`; every shard must have got it for each of them.
std::string order_of(int64_t shards, int64_t processes, size_t n = 1) {
  Mail mail(processes);
  std::vector<std::string> orders(static_cast<size_t>(shards));
  std::vector<std::thread> all;
  for (int64_t rank = 0; rank < processes; ++rank)
    all.emplace_back([&, rank] {
      Local local(mail, rank);
      Shards here(shards, &local);
      for (int round = 0; round < 2; ++round)
        here.run(shards, [&](int64_t) {
          std::vector<Term> terms(n);
          for (Term& term : terms) std::strcpy(term.text, std::to_string(this_shard()->index).c_str());
          this_shard()->fold(terms.data(), n * sizeof(Term), {write_merge, n > 1 ? sizeof(Term) : 0});
          for (const Term& term : terms) CHECK(std::strcmp(term.text, terms[0].text) == 0);
          orders[this_shard()->index] = terms[0].text;
        });
    });
  for (std::thread& t : all) t.join();
  for (const std::string& order : orders) CHECK(order == orders[0]);
  return orders[0];
}

std::string fault_of(int64_t shards, const std::function<void(int64_t)>& f) {
  Shards all(shards);
  std::string said;
  try {
    all.run(shards, f);
  } catch (const std::exception& e) {
    said = e.what();
  }
  double again = 0;  // a later run is not disturbed
  all.run(shards, [&](int64_t) {
    double one = 1;
    this_shard()->sum(&one, 1);
    again = one;
  });
  CHECK(again == static_cast<double>(shards));
  CHECK(this_shard() == nullptr);
  return said;
}

}  // namespace

TEST_CASE("shards: the cut is contiguous, and sizes differ by one at most") {
  for (int64_t n : {1, 7, 64, 65})
    for (int64_t shards : {1, 2, 3, 7}) {
      CHECK(shard_begin(n, 0, shards) == 0);
      CHECK(shard_begin(n, shards, shards) == n);
      for (int64_t s = 0; s < shards; ++s) {
        const int64_t size = shard_begin(n, s + 1, shards) - shard_begin(n, s, shards);
        CHECK(size >= n / shards);
        CHECK(size <= (n + shards - 1) / shards);
      }
    }
}

TEST_CASE("shards: the order of a fold depends on the number of shards alone, not on processes") {
  CHECK(order_of(1, 1) == "0");
  CHECK(order_of(2, 1) == "(0 1)");
  CHECK(order_of(3, 1) == "((0 1) 2)");
  CHECK(order_of(4, 1) == "((0 1) (2 3))");
  CHECK(order_of(6, 1) == "(((0 1) (2 3)) (4 5))");
  for (int64_t shards : {2, 3, 4, 5, 6, 8, 12})
    for (int64_t processes = 2; processes <= shards; ++processes)
      for (size_t n : {1, 333, 1000})  // 40 and 120 KB are halved: once, and down to all processes
        if (shards % processes == 0) CHECK(order_of(shards, processes, n) == order_of(shards, 1));
}

TEST_CASE("shards: one at a time computes, in order, each with its part of the batch") {
  Shards all(3);
  std::atomic<int> inside = 0;
  std::vector<int64_t> seen;
  all.run(10, [&](int64_t i) {
    for (int round = 0; round < 3; ++round) {
      CHECK(++inside == 1);
      const Shard& s = *this_shard();
      CHECK(s.index == i);
      CHECK(s.begin == 10 * i / 3);
      CHECK(s.end == 10 * (i + 1) / 3);
      CHECK(s.of == 10);
      seen.push_back(i);
      --inside;
      double value = 1;
      this_shard()->sum(&value, 1);
      CHECK(value == 3);
    }
  });
  CHECK(seen == std::vector<int64_t>{0, 1, 2, 0, 1, 2, 0, 1, 2});
}

TEST_CASE("shards: each has the settings of the thread that runs them") {
  Shards all(3);
  const bool before = thread_settings().recording;
  for (const bool recording : {false, true}) {
    thread_settings().recording = recording;
    int same = 0;
    all.run(3, [&](int64_t) { same += thread_settings().recording == recording; });
    CHECK(same == 3);
  }
  thread_settings().recording = before;
}

TEST_CASE("shards: a failure of any of them ends the run with its error, and no other waits for ever") {
  const auto exchange = [] {
    double v = 1;
    this_shard()->sum(&v, 1);
  };
  for (int64_t bad = 0; bad < 4; ++bad)
    for (int after : {0, 1}) {
      CHECK(fault_of(4, [&](int64_t i) {
              if (after == 1) exchange();
              if (i == bad) throw std::runtime_error("shard fails");
              exchange();
            }) == "shard fails");
      CHECK(fault_of(4,
                     [&](int64_t i) {  // one exchange fewer than the others
                       if (i != bad) exchange();
                       if (after == 1) exchange();
                     })
                .starts_with("shards: every shard must call fold() as often as the others"));
    }
  CHECK(fault_of(2, [&](int64_t i) {
          double v[2] = {};
          this_shard()->sum(v, 1 + i);
        }).starts_with("shards: every shard must call fold() as often as the others"));
}

TEST_CASE("shards: processes must divide them") {
  Mail mail(3);
  Local local(mail, 0);
  CHECK_THROWS_WITH_AS(Shards(4, &local), "shards: 3 processes must divide the number of shards, got 4", Error);
}
