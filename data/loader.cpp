#include "data/loader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <system_error>

#include "core/base/shards.h"

namespace evenkeel {
namespace {

constexpr int64_t ahead = 3;  // batches prepared before they are asked for

}  // namespace

int64_t reflected(int64_t i, int64_t n) {
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1), j = (i % period + period) % period;
  return std::min(j, period - j);
}

namespace {
void check_pixels(const char* what, const Dataset& data) {
  check(data.size() > 0, "{}: the data set must have an example", what);
  const int64_t wanted = data.size() * data.image.size();
  check(static_cast<int64_t>(data.pixels.size()) == wanted, "{}: {} images of {} must have {} pixels, got {}", what,
        data.size(), data.image, wanted, data.pixels.size());
}
}  // namespace

Normalization measure(const Dataset& data) {
  check_pixels("measure", data);
  const int64_t channels = data.image.channels(), rows = data.size() * data.image.rows();
  std::vector<std::array<int64_t, 256>> count(static_cast<size_t>(channels));  // of each value, in each channel
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t c = 0; c < channels; ++c) ++count[c][data.pixels[i * channels + c]];
  }
  Normalization n;
  for (const auto& of : count) {
    double mean = 0, variance = 0;
    for (int v = 0; v < 256; ++v) mean += v * static_cast<double>(of[v]) / static_cast<double>(rows);
    for (int v = 0; v < 256; ++v)
      variance += (v - mean) * (v - mean) * static_cast<double>(of[v]) / static_cast<double>(rows);
    n.mean.push_back(static_cast<float>(mean));
    n.deviation.push_back(std::ranges::count(of, 0) < 255 ? static_cast<float>(std::sqrt(variance)) : 1);
  }
  return n;
}

Loader::Loader(const Dataset& data, const Normalization& normalization, const LoaderOptions& options)
    : data_(data), options_(options), size_(data.size()) {
  check(data.image.rank() == 3, "loader: an image must be (H, W, C), got {}", data.image);
  const int64_t width = data.image[1], channels = data.image.channels(), batch = options.batch_size;
  check(batch > 0, "loader: batch_size must be positive, got {}", batch);
  check_pixels("loader", data);
  check(static_cast<int64_t>(normalization.mean.size()) == channels &&
            static_cast<int64_t>(normalization.deviation.size()) == channels,
        "loader: the normalisation must have {} channels, got {}", channels, normalization.mean.size());
  for (const float deviation : normalization.deviation)
    check(deviation > 0 && std::isfinite(deviation),
          "loader: deviations must be above 0 and finite, got {}; measure() gives 1 for a constant channel", deviation);
  check(0 <= options.first_shard && options.first_shard < options.end_shard && options.end_shard <= options.shards,
        "loader: shards [{}, {}) are none of the {} of a batch", options.first_shard, options.end_shard,
        options.shards);
  padding_ = options.augmentation.crop >= 0 ? options.augmentation.crop : width >= 32 ? 4 : 2;
  const int64_t rest = size_ % batch;
  const bool drop = options.drop_last || (options.shuffle && rest < 2 * options.shards && batch > 1);
  batches_ = size_ / batch + (rest > 0 && !drop);
  check(batches_ > 0,
        "loader: {} images give no batch of {}: shuffle leaves out fewer than two images a shard, drop_last any short "
        "batch",
        size_, batch);
  requested_ = batches_;
  for (int64_t i = 0; i < width * channels; ++i) {
    mean_.push_back(normalization.mean[i % channels]);
    scale_.push_back(1 / static_cast<real>(normalization.deviation[i % channels]));
  }
  try {
    if (options.background) thread_ = std::thread([this] { work(); });
  } catch (const std::system_error&) {  // a limit on threads or memory: next() loads
    options_.background = false;
  }
}

Loader::~Loader() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Loader::begin_epoch(int64_t epoch, int64_t first_batch) {
  check(first_batch >= 0 && first_batch <= batches_, "loader: an epoch has {} batches, cannot begin at {}", batches_,
        first_batch);
  {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return !busy_; });
    jobs_.clear();
  }
  const Random random(options_.seed);
  const auto number = static_cast<uint64_t>(epoch);
  augmentation_ = random.split("augmentation").split(number);
  epoch_ = epoch;
  if (options_.shuffle) {
    order_ = random.split("order").split(number).permutation(size_);
  } else {
    order_.resize(size_);
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
  requested_ = first_batch;
  for (int64_t i = 0; i < ahead; ++i) request();
}

void Loader::request() {
  if (requested_ == batches_) return;
  const int64_t begin = requested_++ * options_.batch_size, whole = std::min(options_.batch_size, size_ - begin);
  const int64_t first = shard_begin(whole, options_.first_shard, options_.shards),
                n = shard_begin(whole, options_.end_shard, options_.shards) - first;
  Job job{.batch = {Tensor::empty({n, data_.image[0], data_.image[1], data_.image[2]}), Labels(static_cast<size_t>(n)),
                    whole},
          .begin = begin + first,
          .done = false,
          .error = {}};
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

bool Loader::next(Batch& batch) {
  check(!order_.empty(), "loader: no epoch has begun; call begin_epoch() before the first next() of each epoch");
  batch = {};  // frees its memory for the batch requested below
  if (jobs_.empty()) {
    order_.clear();
    return false;
  }
  if (!options_.background) attempt(jobs_.front());
  Job job;
  {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return jobs_.front().done || !options_.background; });
    job = std::move(jobs_.front());
    jobs_.pop_front();
  }
  request();
  if (job.error) std::rethrow_exception(job.error);
  batch = std::move(job.batch);
  return true;
}

void Loader::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    Job* job = nullptr;
    wake_.wait(lock, [&] {
      const auto open = std::find_if(jobs_.begin(), jobs_.end(), [](const Job& j) { return !j.done; });
      job = open == jobs_.end() ? nullptr : &*open;
      return stop_ || job;
    });
    if (stop_) return;
    busy_ = true;
    lock.unlock();
    attempt(*job);  // no other thread uses an unfinished job, and a deque's elements do not move
    lock.lock();
    job->done = true;
    busy_ = false;
    ready_.notify_all();
  }
}

void Loader::attempt(Job& job) const {
  try {
    prepare(job);
  } catch (...) {
    job.error = std::current_exception();
  }
}

void Loader::prepare(Job& job) const {
  check(data_.size() == size_ && static_cast<int64_t>(data_.pixels.size()) == size_ * data_.image.size(),
        "loader: the data set must not change while it is in use");
  const auto n = static_cast<int64_t>(job.batch.labels.size());
  for (int64_t i = 0; i < n; ++i) {
    const int64_t example = order_[job.begin + i];
    job.batch.labels[i] = data_.labels[example];
    const uint8_t* image = data_.pixels.data() + example * data_.image.size();
    write(image, options_.augment ? change(job.begin + i, example) : Change(),
          job.batch.x.mutable_data() + i * data_.image.size());
  }
}

Loader::Change Loader::change(int64_t position, int64_t example) const {
  const Augmentation& how = options_.augmentation;
  Random random = augmentation_.split(static_cast<uint64_t>(position));
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random.below(static_cast<uint64_t>(n))); };
  Change c;
  c.down = below(2 * padding_ + 1) - padding_;
  c.right = below(2 * padding_ + 1) - padding_;
  const bool half =
      (how.alternate ? Random(options_.seed).split("flip").split(static_cast<uint64_t>(example)) : random).bits() >> 63;
  c.mirrored = how.flip && data_.flips && half != (how.alternate && epoch_ % 2 == 1);
  c.hidden = how.cutout;
  c.top = below(data_.image[0]) - how.cutout / 2;
  c.left = below(data_.image[1]) - how.cutout / 2;
  return c;
}

void Loader::write(const uint8_t* image, const Change& change, real* const result) const {
  const int64_t height = data_.image[0], width = data_.image[1], channels = data_.image[2], row = width * channels;
  const int64_t down = change.down, right = change.right;
  real* out = result;
  if (options_.augment && options_.augmentation.reflect) {
    for (int64_t y = 0; y < height; ++y) {
      const uint8_t* in = image + reflected(y + down, height) * row;
      for (int64_t x = 0; x < width; ++x, out += channels) {
        const int64_t from = reflected((change.mirrored ? width - 1 - x : x) + right, width) * channels;
        for (int64_t c = 0; c < channels; ++c) out[c] = (static_cast<real>(in[from + c]) - mean_[c]) * scale_[c];
      }
    }
  } else {
    for (int64_t y = 0; y < height; ++y, out += row) {
      const bool inside = y + down >= 0 && y + down < height;
      // Pixels [begin, end) of the result come from the image, the others are black.
      const int64_t begin = inside ? std::clamp<int64_t>(-right, 0, width) * channels : row;
      const int64_t end = inside ? std::clamp<int64_t>(width - right, 0, width) * channels : row;
      const uint8_t* in = image + ((y + down) * width + right) * channels;
      if (!change.mirrored) {
        for (int64_t j = 0; j < begin; ++j) out[j] = (0 - mean_[j]) * scale_[j];
        for (int64_t j = begin; j < end; ++j) out[j] = (static_cast<real>(in[j]) - mean_[j]) * scale_[j];
        for (int64_t j = end; j < row; ++j) out[j] = (0 - mean_[j]) * scale_[j];
      } else {
        for (int64_t x = 0; x < width; ++x) {
          for (int64_t c = 0; c < channels; ++c) {
            const int64_t j = (width - 1 - x) * channels + c;
            out[x * channels + c] = ((j >= begin && j < end ? static_cast<real>(in[j]) : 0) - mean_[c]) * scale_[c];
          }
        }
      }
    }
  }
  const auto inside = [](int64_t v, int64_t n) { return std::clamp<int64_t>(v, 0, n); };
  const int64_t left = inside(change.left, width), end = inside(change.left + change.hidden, width);
  for (int64_t y = inside(change.top, height); y < inside(change.top + change.hidden, height); ++y)
    std::fill(result + y * row + left * channels, result + y * row + end * channels, real(0));
}

}  // namespace evenkeel
