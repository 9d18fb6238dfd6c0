// The interface of the laboratory: an experiment is a question, a prediction, and a function that measures.
//
//     struct Parameters {  // what --set changes; core/base/options.h says how they are declared
//       double eps = 1e-5;
//       static void each(auto& o, auto&& option) { option("eps", o.eps, Range{0, 1}, "under the root"); }
//     };
//     void run(Lab& lab, const Parameters& p) {
//       lab.equal("A1.1", "mean of 1, 2, 3, 4", 2.5, mean(x).item());
//       lab.figure({{.title = ..., .series = {...}}}, {.shows = "The axes.", .predicted = "A law (dashed).", .seen = "A
//       number."});
//     }
//     extern const Experiment mine{"mine", "A chapter", "The question?", "The answer.", "The prediction.", run,
//                                  {"What to try next?", "eps=0.1", "the statement that answers", low, high, "So."}};
//
// Everything here computes in double. A new experiment also needs a line in experiments.h. Experiments run side by
// side, and share nothing that changes.
#pragma once
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "apps/lab/claims.h"
#include "apps/report/plot.h"
#include "core/base/options.h"
#include "core/ops/ops.h"
#include "data/catalogue/load.h"
#include "data/loader.h"

namespace evenkeel::lab {

enum class Verdict { holds, only_if, fails, not_judged };
std::string word(Verdict verdict);

// Options as the command line takes them: ":eps=0.1:batch=16" or "[:eps=0.1][:batch=16]" becomes "--set eps=0.1 --set
// batch=16".
std::string as_set(const std::string& options);

struct Row {
  std::string claim, statement, predicted, measured, allowed;
  Verdict verdict, expected;
  std::vector<double> values = {};  // the measured numbers; empty where text was measured
  bool as_expected() const { return verdict == expected || verdict == Verdict::not_judged; }
};

// A figure's caption; the report adds how to run it again.
struct Caption {
  std::string shows;      // what the axes and lines are, in which units
  std::string predicted;  // before the run
  std::string seen;       // in this one, with its numbers
};
struct Figure {
  std::vector<Chart> charts;  // side by side
  Caption caption;
};

// Mean and standard error of independent draws.
class Sample {
 public:
  void add(double v) {
    ++count_;
    const double before = v - mean_;
    mean_ += before / count_;
    squares_ += before * (v - mean_);
  }
  double mean() const { return mean_; }
  double variance() const { return squares_ / (count_ - 1); }
  double error() const { return std::sqrt(variance() / count_); }

 private:
  double count_ = 0, mean_ = 0, squares_ = 0;
};

struct Settings {
  bool quick = false;    // smaller samples and shorter runs, the same claims
  std::string data_dir;  // for load_dataset
  std::string set = {};  // parameters that are not the standard ones: ":eps=0.1:batch=16"
};

// A change that the reader can make: a question, the parameters ("eps=0.1 batch=16"), the beginning of the statement
// that answers (`row`), the band for its numbers after the change, and the answer.
struct Next {
  const char *text = "", *set = "", *row = "";
  double low = 0, high = 0;
  const char* effect = "";
};

class Lab {
 public:
  explicit Lab(const Settings& settings) : settings_(settings) {}

  bool quick() const { return settings_.quick; }
  const std::string& data_dir() const { return settings_.data_dir; }
  template <class T>
  T quick_or_full(T quick, T full) const {
    return settings_.quick ? quick : full;
  }
  // False where --set has changed a parameter. Bands hold for the standard parameters only, and are not judged for
  // others. A prediction computed from the parameters is always judged.
  bool standard() const { return changed_.empty(); }
  const std::string& changed() const { return changed_; }  // ":eps=0.1"
  // The experiment's parameters: the standard values, changed by --set. Throws Error(Fault::usage), with the known
  // names, if a name is unknown or a value out of range.
  template <class P>
  P parameters(const std::string& experiment) {
    std::vector<std::string> known;
    const P standard;
    P::each(standard, [&](const char* key, const auto&...) { known.push_back(key); });
    check_names(experiment, known);
    const P p = SpecArguments("lab", experiment + settings_.set).options<P>();
    changed_ = describe_options(p);
    return p;
  }
  std::vector<uint64_t> seeds() const { return quick() ? std::vector<uint64_t>{1} : std::vector<uint64_t>{1, 2, 3}; }

  // Exact: |measured - predicted| <= tolerance (1 + |predicted|).
  void equal(const std::string& claim, const std::string& statement, double predicted, double measured,
             double tolerance = 1e-10);
  // Exact, for tensors and tables: the largest difference of two elements, by the same measure.
  void same(const std::string& claim, const std::string& statement, const Tensor& predicted, const Tensor& measured,
            double tolerance = 1e-10);
  void same(const std::string& claim, const std::string& statement, const std::vector<double>& predicted,
            const std::vector<double>& measured, double tolerance = 1e-10);
  // A fact without a number: it must be so.
  void yes(const std::string& claim, const std::string& statement, bool measured);
  // Monte Carlo: within four standard errors.
  void expected(const std::string& claim, const std::string& statement, double predicted, const Sample& measured);
  // Statistical: one number per seed, all within the band; `of_data`: the band is valid only for Fashion-MNIST.
  void between(const std::string& claim, const std::string& statement, double low, double high,
               const std::vector<double>& measured, bool of_data = false);
  // The same for a published number that this laboratory cannot reproduce: it fails, as expected. The report says `why`
  // after the statement.
  void not_found_again(const std::string& claim, const std::string& statement, double low, double high,
                       const std::vector<double>& measured, const std::string& why);
  // Judges the effect of the change under "Try next", except on a network trained on drawn shapes.
  void effect(const Next& next);
  // A number that is shown beside a published one, and not judged.
  void observed(const std::string& claim, const std::string& statement, const std::string& elsewhere,
                const std::vector<double>& measured);
  // A sentence of the text that needs a condition: by measurement it is true under the condition and false without;
  // `of_data` as above.
  void only_if(const std::string& claim, const std::string& statement, const std::string& condition,
               const std::string& measured, bool true_under_it, bool true_without, bool of_data = false);

  void figure(const std::vector<Chart>& charts, const Caption& caption) { figures.push_back({charts, caption}); }
  void say(const std::string& paragraph) { remarks.push_back(paragraph); }

  // Fashion-MNIST, or drawn shapes of the same size if it is not found; the report says which.
  const DataSplit& images();
  bool synthetic() const { return images_.train.name == "synthetic"; }

  std::vector<Row> rows;
  std::vector<Figure> figures;
  std::vector<std::string> remarks;

 private:
  void check_names(const std::string& experiment, const std::vector<std::string>& known) const;  // of settings_.set
  Settings settings_;
  std::string changed_;
  DataSplit images_;
};

struct Experiment {
  // P: the experiment's parameters, a struct with each().
  template <class P>
  Experiment(const char* n, const char* c, const char* q, const char* a, const char* before, void (*f)(Lab&, const P&),
             const Next& try_next)
      : name(n),
        chapter(c),
        question(q),
        answer(a),
        prediction(before),
        parameters(as_set(usage_options<P>())),
        run([n, f](Lab& lab) { f(lab, lab.parameters<P>(n)); }),
        next(try_next) {}
  const char *name, *chapter, *question, *answer, *prediction;
  std::string parameters;  // "--set eps=1e-05"
  std::function<void(Lab&)> run;
  Next next;
};

// A chapter of the report: its title, by which experiments refer to it, and its introduction.
struct Chapter {
  const char *title, *text;
};

struct Result {
  const Experiment* experiment;
  Lab lab;
  double seconds;
};

std::string picture(const Figure& figure);  // as SVG
std::string terminal_table(const std::vector<Row>& rows);
std::string html_report(const std::vector<Chapter>& chapters, const std::vector<Claim>& claims,
                        const std::vector<Result>& results, bool quick);

// The curve of f at every x.
template <class F>
Series curve(const std::string& name, const std::vector<double>& x, F f, int color, bool dashed = false) {
  Series s{name, x, {}, color, dashed};
  for (double v : x) s.y.push_back(f(v));
  return s;
}
inline std::vector<double> grid(double low, double high, int points) {
  std::vector<double> x;
  for (int i = 0; i < points; ++i) x.push_back(low + (high - low) * i / (points - 1));
  return x;
}

inline double mean_of(const std::vector<double>& v) {
  double s = 0;
  for (double x : v) s += x / static_cast<double>(v.size());
  return s;
}

inline Tensor ones(int64_t n) { return Tensor::full({n}, 1); }
inline Tensor zeros(int64_t n) { return Tensor::zeros({n}); }
// Batch norm with gamma 1 and beta 0.
inline Normalized standardise(const Tensor& x, double eps = 1e-5) {
  return batch_norm(x, ones(x.channels()), zeros(x.channels()), eps);
}

inline double Phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2)); }
inline double phi(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * M_PI); }
// E f(z), z ~ N(0, 1), by the trapezoidal rule, which is exact up to rounding for smooth f.
template <class F>
double gaussian_mean(F f) {
  double s = 0;
  for (int i = -2400; i <= 2400; ++i) s += f(i / 200.0) * phi(i / 200.0) / 200;
  return s;
}

}  // namespace evenkeel::lab
