#include "apps/train/progress.h"

#include <algorithm>

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

void Progress::show(const TrainState& state, const char* doing) {
  const double now = run_clock_.seconds();
  if (!console.terminal() || now - shown_ < 0.1) return;
  shown_ = now;
  const double done = static_cast<double>(state.batch) / static_cast<double>(batches_),
               seen = static_cast<double>(state.seen);
  // Steps left, at the pace of this process so far.
  const double images_left =
      static_cast<double>(epochs_ * images_) - (static_cast<double>((state.epoch - 1) * images_) + seen);
  const double left = now / static_cast<double>(std::max<int64_t>(images_here_, 1)) * std::max(images_left, 0.0);
  console.live(fmt::format("epoch {}/{} {} {} loss {:.4f}  accuracy {:.4f}  {} images/s  ETA {}", state.epoch, epochs_,
                           progress_bar(done, 20), doing, state.loss_sum / std::max(seen, 1.0),
                           static_cast<double>(state.correct) / std::max(seen, 1.0), thousands(images_per_second()),
                           duration(left)));
}

void Progress::row(const EpochRow& r, bool best) {
  std::string line =
      fmt::format("{:>5} {:>9.3g} {:>11.4f} {:>10.4f} {:>10.4f} {:>9.4f} {:>9} {:>8.1f}", r.epoch, r.lr, r.train_loss,
                  r.train_accuracy, r.test_loss, r.test_accuracy, thousands(r.images_per_second), r.seconds);
  if (r.validation_loss) line += fmt::format(" {:>10.4f} {:>9.4f}", *r.validation_loss, *r.validation_accuracy);
  console.print(line, best ? Console::Style::green : Console::Style::plain);
}

}  // namespace evenkeel
