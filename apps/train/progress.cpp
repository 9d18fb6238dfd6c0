#include "apps/train/progress.h"

#include <algorithm>
#include <cmath>

#include "apps/cli/text.h"

namespace evenkeel {

Progress::Progress(int64_t epochs, int64_t images, int64_t batches)
    : epochs_(epochs), images_(images), batches_(batches) {}

void Progress::begin(const std::vector<EpochRow>& rows, bool validation) {
  std::string line = fmt::format("{:>5} {:>9} {:>11} {:>10} {:>10} {:>9} {:>9} {:>8}", "epoch", "lr", "train loss",
                                 "train acc", "test loss", "test acc", "images/s", "seconds");
  if (validation) line += fmt::format(" {:>10} {:>9}", "valid loss", "valid acc");
  console.print(line, Console::Style::bold);
  for (const EpochRow& r : rows) row(r, false);
}

void Progress::begin_epoch() {
  epoch_clock_ = {};
  epoch_images_ = 0;
}

double Progress::images_per_second() const { return static_cast<double>(epoch_images_) / epoch_clock_.seconds(); }

std::string training_line(const TrainState& state, int64_t epochs, int64_t batches, double left,
                          double images_per_second, size_t columns) {
  const double done = static_cast<double>(state.batch) / static_cast<double>(batches),
               seen = static_cast<double>(std::max<int64_t>(state.seen, 1));
  const auto line = [&](const std::string& part) {
    return std::vector<std::string>{fmt::format("ETA {}", duration(left)),
                                    fmt::format("epoch {}/{}", state.epoch, epochs),
                                    part,
                                    fmt::format("loss {:.4f}", state.loss_sum / seen),
                                    fmt::format("accuracy {:.4f}", static_cast<double>(state.correct) / seen),
                                    fmt::format("{} images/s", thousands(images_per_second))};
  };
  std::string text = joined(line("training " + progress_bar(done, 20)), "  ");
  if (text.size() <= columns) return text;
  std::vector<std::string> parts = line(fmt::format("training {:.0f} %", std::floor(100 * done)));
  for (;; parts.pop_back()) {
    text = joined(parts, "  ");
    if (text.size() <= columns || parts.size() == 1) return text;
  }
}

double Progress::left(const TrainState& state) const {
  const double images_left =
      static_cast<double>(epochs_ * images_) - static_cast<double>((state.epoch - 1) * images_ + state.seen);
  return run_clock_.seconds() / static_cast<double>(std::max<int64_t>(images_here_, 1)) * std::max(images_left, 0.0);
}

bool Progress::due() {
  const double now = run_clock_.seconds();
  if (!console.terminal() || now - shown_ < 0.1) return false;
  shown_ = now;
  return true;
}

void Progress::show_training(const TrainState& state) {
  if (++steps_here_ == 20 && !console.terminal() && left(state) > 0)
    console.note(fmt::format("20 steps took {:.2g} s; about {} to go", run_clock_.seconds(), duration(left(state))));
  if (due()) console.live(training_line(state, epochs_, batches_, left(state), images_per_second(), console.columns()));
}

void Progress::show_scoring(const TrainState& state, const char* doing, double part) {
  if (due())
    console.live(fmt::format("ETA {}  epoch {}/{}  {} {:.0f} %", duration(left(state)), state.epoch, epochs_, doing,
                             std::floor(100 * part)));
}

void Progress::row(const EpochRow& r, bool best) {
  std::string line =
      fmt::format("{:>5} {:>9.3g} {:>11.4f} {:>10.4f} {:>10.4f} {:>9.4f} {:>9} {:>8.1f}", r.epoch, r.lr, r.train_loss,
                  r.train_accuracy, r.test_loss, r.test_accuracy, thousands(r.images_per_second), r.seconds);
  if (r.validation_loss) line += fmt::format(" {:>10.4f} {:>9.4f}", *r.validation_loss, *r.validation_accuracy);
  console.print(line, best ? Console::Style::green : Console::Style::plain);
}

}  // namespace evenkeel
