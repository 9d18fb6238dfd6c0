// Batches: a data set in shuffled order, normalised, augmented, and prepared in the background.
#pragma once
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "../core/base/options.h"
#include "../core/engine/tensor.h"
#include "dataset.h"

namespace evenkeel {

// Per channel, on the scale 0 .. 255; measured on the training set, used for every part of it.
struct Normalization {
  std::vector<float> mean, deviation;
};
Normalization measure(const Dataset& data);  // of a channel that is constant the deviation is 1

struct Batch {
  Tensor x;  // (N, H, W, C): (pixel - mean) / deviation
  Labels labels;
};

// How images are changed in training.
struct Augmentation {
  int64_t crop = -1;     // the crop moves by up to so many pixels each way; -1: 4, below 32 pixels 2
  bool reflect = false;  // reflection padding; else the padding is black (0)
  bool flip = true;      // mirror one image in two, if data.flips allows it
  // Which half an image is mirrored in is drawn once; from then on each image is mirrored every other epoch (Jordan
  // 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.6).
  bool alternate = false;

  static void each(auto& o, auto&& option) {
    option("crop", o.crop, Range{-1, 1024}, "pixels by which the crop moves; -1: 4, below 32 pixels 2");
    option("border", o.reflect, Words{"black", "reflect"}, "padding at the border");
    option("flip", o.flip, Words{"off", "on"}, "mirror one image in two, where the images allow it");
    option("alternate", o.alternate, Words{"off", "on"}, "mirror each image every other epoch");
  }
};

// Pixel i, which may be outside, of an axis of n pixels that is mirrored at both ends: -1 is pixel 1, n is pixel n - 2.
int64_t reflected(int64_t i, int64_t n);

struct LoaderOptions {
  int64_t batch_size = 64;
  bool shuffle = true;     // for training; false: every example once, in order, whatever the size of the last batch
  bool drop_last = false;  // leave out a last batch that is short. One of a single example is always left out when
                           // shuffling, as batch normalisation cannot train on it (unless batch_size is 1)
  bool augment = false;
  Augmentation augmentation = {};  // where augment is set
  uint64_t seed = 1;
  bool background = true;  // prepare on a thread; the batches are the same
};

// The order of an epoch is a function of (seed, epoch), what augmentation does to an example one of (seed, epoch, its
// place in the epoch): a run can resume anywhere, and no number of threads changes anything. The data set must outlive
// the loader, unchanged.
//
//     loader.begin_epoch(epoch);
//     for (Batch batch; loader.next(batch);) step(batch);
class Loader {
 public:
  Loader(const Dataset& data, const Normalization& normalization, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  void begin_epoch(int64_t epoch, int64_t first_batch = 0);
  bool next(Batch& batch);  // false at the end of the epoch; rethrows what went wrong in the background
  int64_t batches() const { return batches_; }  // in an epoch

 private:
  struct Job {
    Batch batch;
    int64_t begin;  // place in the epoch of its first example
    bool done = false;
    std::exception_ptr error;
  };
  void request();                // one more batch, if the epoch has one
  void attempt(Job& job) const;  // prepares it, or keeps the error for next()
  void prepare(Job& job) const;
  void work();

  const Dataset& data_;
  const LoaderOptions options_;
  const int64_t size_;
  int64_t batches_, padding_;
  std::vector<real> mean_, scale_;  // for every value of a row of pixels

  std::vector<int64_t> order_;
  Random augmentation_;
  int64_t epoch_ = 0;
  int64_t requested_;  // batches of this epoch asked for so far

  // Tensors are made and given back on the thread that calls next(), at the same moments in every run, so that the
  // memory a training step needs does not depend on how far ahead the background thread is. That thread only fills
  // them.
  std::deque<Job> jobs_;  // oldest first
  std::mutex mutex_;
  std::condition_variable wake_, ready_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace evenkeel
