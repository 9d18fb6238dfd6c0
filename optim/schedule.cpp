#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/check.h"
#include "core/base/number.h"
#include "core/base/options.h"

namespace evenkeel {
namespace {

constexpr const char* forms =
    "constant, cosine, step:0.5,0.75 or step:60,80:0.1 (fractions of the run or epochs, then the factor), or "
    "linear:0=0.2,0.25=1,1=0 (fractions of the run, and the factor there)";

double number(const std::string& word, const std::string& text) {
  double value = 0;
  check(parse_number(word, value) && std::isfinite(value), "schedule: \"{}\" in \"{}\" is not a number; write {}", word,
        text, forms);
  return value;
}

bool increase_from_0(const std::vector<Schedule::Point>& points) {
  for (size_t i = 1; i < points.size(); ++i)
    if (points[i - 1].step >= points[i].step) return false;
  return !points.empty() && points[0].step == 0;
}

}  // namespace

double Schedule::at(int64_t t) const {
  check(kind != Kind::cosine || (steps > 0 && warmup <= steps),
        "schedule: a cosine needs the steps of the whole run, and no longer warm-up, got {} and {}", steps, warmup);
  check(kind != Kind::step || !drops.empty(), "schedule: a step one needs drops");
  check(kind != Kind::linear || increase_from_0(points),
        "schedule: a linear one needs points at steps that increase from 0");
  if (t < warmup) return lr * static_cast<double>(t + 1) / static_cast<double>(warmup);
  if (kind == Kind::cosine) {
    const double u = static_cast<double>(t - warmup) / static_cast<double>(std::max<int64_t>(1, steps - warmup));
    return lr / 2 * (1 + std::cos(std::numbers::pi * std::min(1.0, u)));
  }
  if (kind == Kind::linear) {
    const auto at = static_cast<double>(t);
    for (size_t i = 1; i < points.size(); ++i) {
      const Point &from = points[i - 1], &to = points[i];
      if (at < to.step)
        return lr * (from.factor + (to.factor - from.factor) * (at - from.step) / (to.step - from.step));
    }
    return lr * points.back().factor;
  }
  double rate = lr;
  for (int64_t drop : drops) rate *= t >= drop ? factor : 1;
  return rate;
}

Schedule parse_schedule(const std::string& text, double lr, int64_t epochs, int64_t steps_per_epoch,
                        int64_t warmup_steps) {
  const int64_t steps = epochs * steps_per_epoch;
  check(steps >= 0 && warmup_steps >= 0 && warmup_steps <= steps,
        "schedule: the warm-up must not be longer than the run, got {} of {} steps; shorten it, or lengthen the run",
        warmup_steps, steps);
  Schedule s{.lr = lr, .steps = steps, .warmup = warmup_steps};
  const std::vector<std::string> parts = split(text, ':');
  if (parts[0] == "step" && (parts.size() == 2 || parts.size() == 3)) {
    s.kind = Schedule::Kind::step;
    for (const std::string& word : split(parts[1], ',')) {
      const double place = number(word, text);
      check(place > 0 && place <= 1e9,
            "schedule: the rate drops at fractions of the run or at epochs, which are positive and at most 1e9, got {} "
            "in "
            "\"{}\"",
            word, text);
      s.drops.push_back(std::llround(place * static_cast<double>(place < 1 ? steps : steps_per_epoch)));
    }
    if (parts.size() == 3) s.factor = number(parts[2], text);
    check(s.factor > 0 && s.factor <= 1, "schedule: the factor must be in (0, 1], got {} in \"{}\"", s.factor, text);
  } else if (parts[0] == "linear" && parts.size() == 2) {
    s.kind = Schedule::Kind::linear;
    check(warmup_steps == 0,
          "schedule: \"{}\" takes no warm-up beside it, got {} warm-up steps; let it begin at a low rate", text,
          warmup_steps);
    double before = -1;
    for (const std::string& word : split(parts[1], ',')) {
      const size_t equals = word.find('=');
      check(equals != std::string::npos, "schedule: \"{}\" in \"{}\" must be PLACE=FACTOR; write {}", word, text,
            forms);
      const double place = number(word.substr(0, equals), text), value = number(word.substr(equals + 1), text);
      check(place > before && place <= 1 && (before >= 0 || place == 0) && value >= 0,
            "schedule: the places must grow from 0 to 1 and the factors not be negative, got {} in \"{}\"", word, text);
      before = place;
      s.points.push_back({place * static_cast<double>(steps), value});
    }
    check(before == 1, "schedule: the last place must be 1, the run's end, got {} in \"{}\"", before, text);
  } else {
    check(text == "constant" || text == "cosine", "schedule: there is no schedule \"{}\"; write {}", text, forms);
    if (text == "cosine") s.kind = Schedule::Kind::cosine;
  }
  return s;
}

}  // namespace evenkeel
