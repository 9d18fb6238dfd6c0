// Batches of a data set: shuffled, normalised, augmented, and prepared on a background thread.
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

// Mean and standard deviation (1/n) of each channel over all images and pixels, on the scale 0 .. 255; measured on the
// training set, applied to all images.
struct Normalization {
  std::vector<float> mean, deviation;
};
Normalization measure(const Dataset& data);  // deviation 1 for a constant channel; Error if there is no example

struct Batch {
  Tensor x;  // (N, H, W, C): (pixel - mean) / deviation
  Labels labels;
  int64_t whole = 0;  // examples of the whole batch, if these are only some shards of it; 0: these are all
  int64_t size() const { return whole > 0 ? whole : static_cast<int64_t>(labels.size()); }
};

// How images are changed in training.
struct Augmentation {
  int64_t crop = -1;     // the crop moves by at most this many pixels; -1: 4, or 2 for images narrower than 32 pixels
  bool reflect = false;  // reflection padding instead of black (0)
  bool flip = true;      // mirror every image with probability 1/2, if data.flips allows it
  // Draws once which images are mirrored in the first epoch; after that each image is mirrored every other epoch
  // (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", section 3.6).
  bool alternate = false;
  // A square of this many pixels a side gets the mean of the training set, which is 0 after normalisation. Its centre
  // is drawn from all pixels, so that it may reach beyond the image (DeVries and Taylor 2017, section 3.2). 0: none.
  int64_t cutout = 0;

  static void each(auto& o, auto&& option) {
    option("crop", o.crop, Range{-1, 1024},
           "largest shift of the crop in pixels; -1: 4, or 2 for images narrower than 32 pixels");
    option("border", o.reflect, Words{"black", "reflect"}, "padding at the border");
    option("flip", o.flip, Words{"off", "on"}, "mirror images with probability 1/2, if the data set allows it");
    option("alternate", o.alternate, Words{"off", "on"}, "mirror each image every other epoch");
    option("cutout", o.cutout, Range{0, 1024}, "side of a square that is hidden, in pixels; 0: none");
  }
};

// The pixel at position i of an axis of n pixels with reflection padding: -1 is pixel 1, n is pixel n - 2.
int64_t reflected(int64_t i, int64_t n);

struct LoaderOptions {
  int64_t batch_size = 64;
  bool shuffle = true;     // for training; false: every example once, in order
  bool drop_last = false;  // leave out a short last batch. When shuffling, a last batch with fewer than two examples
                           // for each shard is always left out, because batch normalisation cannot train on it (unless
                           // batch_size is 1)
  bool augment = false;
  Augmentation augmentation = {};  // if augment is set
  uint64_t seed = 1;
  bool background = true;  // prepare on a thread; the batches are the same
  int64_t shards = 1, first_shard = 0,
          end_shard = 1;  // prepare only these shards of each batch; see core/base/shards.h
};

// An epoch's order is a function of (seed, epoch), an example's augmentation one of (seed, epoch, position in the
// epoch). So a run can resume at any batch, and results do not depend on the number of threads. The data set must
// outlive the loader and not change.
//
//     loader.begin_epoch(epoch);
//     for (Batch batch; loader.next(batch);) step(batch);
class Loader {
 public:
  // Error if the batch size is not positive, the normalisation has other channels or a deviation of 0, the shards are
  // none of a batch, or an epoch would have no batch.
  Loader(const Dataset& data, const Normalization& normalization, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  void begin_epoch(int64_t epoch, int64_t first_batch = 0);  // Error unless 0 <= first_batch <= batches()
  // False at the end of the epoch; then, as before the first, Error without begin_epoch(). Rethrows a background error.
  bool next(Batch& batch);
  int64_t batches() const { return batches_; }  // in an epoch

 private:
  struct Job {
    Batch batch;
    int64_t begin;  // position of its first example in the epoch
    bool done = false;
    std::exception_ptr error;
  };
  void request();                // requests one more batch, if the epoch has one
  void attempt(Job& job) const;  // prepares it, or keeps the error for next()
  void prepare(Job& job) const;
  // How an image is changed. Corners are those of the crop in the image, and of the hidden square in the result.
  struct Change {
    int64_t down = 0, right = 0;
    bool mirrored = false;
    int64_t hidden = 0, top = 0, left = 0;
  };
  Change change(int64_t position, int64_t example) const;
  void write(const uint8_t* image, const Change& change, real* result) const;
  void work();

  const Dataset& data_;
  LoaderOptions options_;
  const int64_t size_;
  int64_t batches_, padding_;
  std::vector<real> mean_, scale_;  // for every value of a row of pixels

  std::vector<int64_t> order_;  // of the epoch's examples; empty between epochs
  Random augmentation_;
  int64_t epoch_ = 0;
  int64_t requested_;  // batches of this epoch asked for so far

  // The thread that calls next() allocates and releases the tensors; the background thread only fills them. So a
  // training step's memory does not depend on the progress of the background thread.
  std::deque<Job> jobs_;  // oldest first
  std::mutex mutex_;
  std::condition_variable wake_, ready_;
  bool busy_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace evenkeel
