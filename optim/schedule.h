// Learning-rate schedules: plain functions of the step.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace evenkeel {

struct Schedule {
  enum class Kind { constant, step, cosine, linear };
  Kind kind = Kind::constant;
  double lr = 0.1;                  // before any drop
  int64_t steps = 0;                // of the whole run; needed by a cosine
  int64_t warmup = 0;               // steps of linear warm-up: lr (t + 1) / warmup
  std::vector<int64_t> drops = {};  // step: at each of these steps the rate is multiplied by `factor`
  double factor = 0.1;
  struct Point {
    double step, factor;
  };
  // linear: lr times the piecewise linear function through these points; steps increase from 0.
  std::vector<Point> points = {};

  // The rate of step t = 0, 1, ... Cosine: lr / 2 (1 + cos(pi u)), u from 0 after the warm-up to 1 at the end
  // (Loshchilov and Hutter 2017). Error if the kind lacks what it needs.
  double at(int64_t t) const;
};

// "constant", "cosine", "step:0.5,0.75" or "step:0.5,0.75:0.2" (the factor; default 0.1). Numbers below 1 are fractions
// of the run, others epochs: "step:60,80". "linear:0=0.2,0.23=1,1=0.07": linearly from 0.2 lr at the start to lr after
// 0.23 of the steps, then to 0.07 lr at the end; not together with a warm-up. Error, with the accepted forms, for any
// other text, and if the warm-up is longer than the run.
Schedule parse_schedule(const std::string& text, double lr, int64_t epochs, int64_t steps_per_epoch,
                        int64_t warmup_steps = 0);

}  // namespace evenkeel
