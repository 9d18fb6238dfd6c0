// What a classifier's answers on labelled images say: accuracy, each class by itself, what is taken for what,
// calibration.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace evenkeel {

// On one image: the label, the most probable class, and the probability that the network gives it.
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
  // Of the images taken for this class, the part that is of it; NaN where there are none.
  double precision() const { return static_cast<double>(right) / static_cast<double>(guesses); }
  // Of the images of this class, the part that is taken for it; NaN where there are none.
  double recall() const { return static_cast<double>(right) / static_cast<double>(images); }
  // The harmonic mean of the two, 2 right / (images + guesses); NaN where there is neither image nor guess.
  double f1() const { return 2 * static_cast<double>(right) / static_cast<double>(images + guesses); }
};

// The answers whose confidence is in ((b - 1) / 15, b / 15].
struct ConfidenceBin {
  int64_t count = 0, right = 0;
  double confidence = 0;  // its mean over them
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
  double mean_f1() const;  // over the classes that have one, each counting the same
  // Expected calibration error (Guo et al. 2017): the mean over the bins, weighted by their answers, of
  // |right answers - confidence|.
  double calibration_error() const;
  // How many images of a class are taken for another, or for itself; pairs without any are not in it.
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

// For a terminal: the interval, a table of the classes (of more than 20 those of the lowest F1), and the confusion
// matrix, or of more than 12 classes the most frequent mistakes.
std::string evaluation_text(const Evaluation& e);

}  // namespace evenkeel
