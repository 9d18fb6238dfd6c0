#include <doctest/doctest.h>

#include <clocale>
#include <cmath>

#include "core/base/check.h"
#include "optim/schedule.h"

using namespace evenkeel;

TEST_CASE("schedules: known values") {
  const Schedule constant = parse_schedule("constant", 0.1, 10, 5);
  CHECK(constant.at(0) == 0.1);
  CHECK(constant.at(49) == 0.1);
  const Schedule step = parse_schedule("step:0.5,0.75:0.1", 1, 10, 10);
  CHECK(step.at(49) == 1);
  CHECK(step.at(50) == doctest::Approx(0.1));
  CHECK(step.at(74) == doctest::Approx(0.1));
  CHECK(step.at(75) == doctest::Approx(0.01));
  const Schedule epochs = parse_schedule("step:2,4", 1, 5, 3);
  CHECK(epochs.at(5) == 1);
  CHECK(epochs.at(6) == doctest::Approx(0.1));
  CHECK(epochs.at(12) == doctest::Approx(0.01));
  const Schedule first = parse_schedule("step:1", 1, 5, 3);  // an epoch, not the whole run
  CHECK(first.at(2) == 1);
  CHECK(first.at(3) == doctest::Approx(0.1));
  const Schedule rounded = parse_schedule("step:0.29", 1, 10, 10);  // 100 times 0.29 is less than 29
  CHECK(rounded.at(28) == 1);
  CHECK(rounded.at(29) == doctest::Approx(0.1));
  const Schedule cosine = parse_schedule("cosine", 0.4, 10, 10);
  CHECK(cosine.at(0) == doctest::Approx(0.4));
  CHECK(cosine.at(50) == doctest::Approx(0.2));
  CHECK(cosine.at(75) == doctest::Approx(0.2 * (1 - std::sqrt(0.5))));
  CHECK(cosine.at(100) == doctest::Approx(0));
  CHECK(cosine.at(1000) == doctest::Approx(0));
}

TEST_CASE("schedules: the warm-up is linear and meets the rest") {
  for (const char* text : {"constant", "cosine", "step:0.5"}) {
    const Schedule s = parse_schedule(text, 0.2, 10, 10, 4);
    CHECK(s.at(0) == doctest::Approx(0.05));
    CHECK(s.at(1) == doctest::Approx(0.1));
    CHECK(s.at(3) == doctest::Approx(0.2));
    CHECK(s.at(4) == doctest::Approx(0.2));
  }
}

TEST_CASE("schedules: after a warm-up the cosine is half way in the middle of what is left, and 0 at the end") {
  for (const int64_t warmup : {0, 4, 50, 99}) {
    const Schedule s = parse_schedule("cosine", 0.2, 10, 10, warmup);
    CHECK(std::abs(s.at(100)) < 1e-17);
    CHECK(s.at(warmup) == 0.2);
    if (warmup % 2 == 0) CHECK(s.at((100 + warmup) / 2) == doctest::Approx(0.1).epsilon(1e-12));
    for (int64_t t = warmup; t < 100; ++t) CHECK(s.at(t) > s.at(t + 1));
  }
}

TEST_CASE("schedules: a text that is none is refused with what is allowed") {
  auto refused = [](const char* text, const char* why) {
    CHECK_THROWS_WITH_AS(parse_schedule(text, 0.1, 10, 10), doctest::Contains(why), Error);
  };
  refused("linear", "there is no schedule \"linear\"; write constant, cosine, step:0.5,0.75");
  refused("", "there is no schedule");
  refused("step", "there is no schedule");
  refused("cosine:3", "there is no schedule");
  refused("step:a", "\"a\" in \"step:a\" is not a number");
  refused("step:0.5,", "\"\" in \"step:0.5,\" is not a number");
  refused("step:0.5:", "is not a number");
  refused("step:0.5x", "is not a number");
  refused("step:0:0.1", "which are positive");
  refused("step:1e10:0.1", "at most 1e9");
  const auto linear = [](const std::vector<Schedule::Point>& points) {
    CHECK_THROWS_WITH_AS((Schedule{.kind = Schedule::Kind::linear, .points = points}.at(7)),
                         "schedule: a linear one needs points at steps that increase from 0", Error);
  };
  linear({});
  linear({{5, 1}, {10, 0}});
  linear({{0, 1}, {10, 0}, {10, 1}});
  CHECK_THROWS_WITH_AS(Schedule{.kind = Schedule::Kind::step}.at(0), "schedule: a step one needs drops", Error);
  for (const int64_t warmup : {0, 3})
    CHECK_THROWS_WITH_AS((Schedule{.kind = Schedule::Kind::cosine, .steps = warmup - 1, .warmup = warmup}.at(0)),
                         doctest::Contains("schedule: a cosine needs the steps of the whole run"), Error);
  CHECK_THROWS_WITH_AS(Schedule{.kind = Schedule::Kind::cosine}.at(0),
                       "schedule: a cosine needs the steps of the whole run, and no longer warm-up, got 0 and 0",
                       Error);
  CHECK(Schedule{}.at(1000) == 0.1);
  refused("step:0.5:2", "the factor must be in (0, 1]");
  CHECK_THROWS_WITH_AS(parse_schedule("cosine", 0.1, 1, 10, 11),
                       doctest::Contains("the warm-up must not be longer than the run, got 11 of 10 steps"), Error);
}

TEST_CASE("schedule: the decimal point is a point in every locale") {
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  const bool comma = std::setlocale(LC_NUMERIC, "de_DE.UTF-8") != nullptr;  // not on every machine
  const Schedule s = parse_schedule("step:0.5:0.25", 1, 10, 10, 0);
  std::setlocale(LC_NUMERIC, before.c_str());
  if (!comma) MESSAGE("no locale with a decimal comma here");
  CHECK(s.drops == std::vector<int64_t>{50});
  CHECK(s.factor == 0.25);
}

TEST_CASE("schedules: linear goes in lines from place to place of the run") {
  const Schedule s = parse_schedule("linear:0=0.2,0.25=1,1=0", 0.4, 10, 8);  // 80 steps
  CHECK(s.at(0) == doctest::Approx(0.08));
  CHECK(s.at(10) == doctest::Approx(0.4 * 0.6));
  CHECK(s.at(20) == doctest::Approx(0.4));
  CHECK(s.at(50) == doctest::Approx(0.2));
  CHECK(s.at(79) == doctest::Approx(0.4 / 60));
  CHECK(s.at(80) == 0);
  CHECK(s.at(1000) == 0);
  CHECK(parse_schedule("linear:0=1,1=0.5", 0.4, 10, 8).at(80) == doctest::Approx(0.2));
  for (const char* wrong : {"linear", "linear:", "linear:0=1", "linear:0.1=1,1=0", "linear:0=1,0.5=2,0.5=1,1=0",
                            "linear:0=1,1.5=0", "linear:0=1,1=-1", "linear:0,1", "linear:0=1,1=x", "linear:0=1,1=0:2"})
    CHECK_THROWS_AS(parse_schedule(wrong, 0.1, 10, 8), Error);
  CHECK_THROWS_WITH_AS(parse_schedule("linear:0=1,1=0", 0.1, 10, 8, 4), doctest::Contains("no warm-up beside it"),
                       Error);
}
