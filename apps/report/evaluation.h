// Evaluates a classifier's answers on labelled images: accuracy, measures per class, confusions, calibration.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel {

// For one image: the label, the most probable class, and its probability.
struct Answer {
  int32_t label = 0, guess = 0;
  double confidence = 0;
};

struct Interval {
  double low = 0, high = 0;
};
// The 95 % interval of a probability after `right` of `count` independent trials (Wilson 1927): the p for which
// |right/count - p| <= z sqrt(p (1 - p) / count), z = 1.96. count >= 1.
Interval wilson_interval(int64_t right, int64_t count);

struct ClassMeasures {
  int64_t images = 0, guesses = 0, right = 0;
  // The correct fraction of the images predicted as this class; NaN if there are none.
  double precision() const { return static_cast<double>(right) / static_cast<double>(guesses); }
  // The correct fraction of the images of this class; NaN if there are none.
  double recall() const { return static_cast<double>(right) / static_cast<double>(images); }
  // The harmonic mean of the two, 2 right / (images + guesses); NaN if there is neither image nor guess.
  double f1() const { return 2 * static_cast<double>(right) / static_cast<double>(images + guesses); }
};

// The answers whose confidence is in ((b - 1) / 15, b / 15].
struct ConfidenceBin {
  int64_t count = 0, right = 0;
  double confidence = 0;  // mean over the bin
};

struct Confusion {
  int32_t label, guess;
  int64_t count;
};

class Evaluation {
 public:
  // One name a class; at least one answer.
  Evaluation(std::vector<std::string> names, std::vector<Answer> answers);

  const std::vector<std::string>& names() const { return names_; }
  const std::vector<Answer>& answers() const { return answers_; }
  const std::vector<ClassMeasures>& classes() const { return classes_; }
  const std::vector<ConfidenceBin>& bins() const { return bins_; }
  int64_t count() const { return static_cast<int64_t>(answers_.size()); }
  int64_t right() const { return right_; }
  double accuracy() const { return static_cast<double>(right_) / static_cast<double>(count()); }
  double mean_f1() const;  // unweighted, over the classes that have one
  // Expected calibration error (Guo et al. 2017): the mean over the bins, weighted by their answers, of
  // |right answers - confidence|.
  double calibration_error() const;
  // Counts of (label, prediction) pairs, correct ones included; pairs without images are left out.
  const std::map<std::pair<int32_t, int32_t>, int64_t>& confusion() const { return confusion_; }
  std::vector<Confusion> mistakes() const;                 // the confusion without right answers, most frequent first
  std::vector<size_t> surest_mistakes(size_t most) const;  // numbers of the answers, most confident first

 private:
  std::vector<std::string> names_;
  std::vector<Answer> answers_;
  std::vector<ClassMeasures> classes_;
  std::vector<ConfidenceBin> bins_;
  std::map<std::pair<int32_t, int32_t>, int64_t> confusion_;
  int64_t right_ = 0;
};

// For a terminal: the interval, a table of the classes (at most 20: those of the lowest F1), and the confusion matrix
// (for more than 12 classes the most frequent mistakes).
std::string evaluation_text(const Evaluation& e);

}  // namespace evenkeel
