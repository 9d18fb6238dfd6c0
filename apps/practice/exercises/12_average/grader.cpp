#include <evenkeel/practice.h>

using namespace evenkeel;
using namespace evenkeel::practice;

void add(double& average, double& weight, double value, double a);
double corrected(double average, double weight);

namespace {

struct Stream {
  double average = 0, weight = 0;
  double after(double value, double a) {
    add(average, weight, value, a);
    return corrected(average, weight);
  }
};

// The definition: sum of w_t value_t over sum of w_t, where each later value takes its part of all earlier weights.
double expected(const std::vector<double>& values, const std::vector<double>& a) {
  double sum = 0, all = 0;
  for (size_t t = 0; t < values.size(); ++t) {
    double w = a[t];
    for (size_t u = t + 1; u < values.size(); ++u) w *= 1 - a[u];
    sum += w * values[t];
    all += w;
  }
  return sum / all;
}

}  // namespace

void grade(Grade& g) {
  g.law("empty", "Before the first value the average is 0.", "double corrected");
  g.equal("corrected", 0, corrected(0, 0));

  g.law("first", "After one value the average is that value, whatever the value and a are.", "void add");
  for (const auto& [value, a] : {std::pair{5., 0.1}, {5., 0.01}, {-5., 0.1}, {5., 1e-6}}) {
    Stream s;
    g.given("value, a", {value, a});
    g.equal("corrected", value, s.after(value, a));
  }

  g.law("constant", "The average of equal values is that value, after each of them.", "void add");
  Stream same;
  g.given("every value, a", {5, 0.1});
  for (int t = 1; t <= 100; ++t) g.equal("corrected after value " + std::to_string(t), 5, same.after(5, 0.1));

  g.law("weights",
        "The weights are those of the running average: the newest has a, the one before (1 - a) a, and so on; they are "
        "divided by their sum.",
        "void add");
  const std::vector<double> values{1, 3, -2, 10};
  const std::vector<double> a(4, 0.1);
  Stream s;
  g.given("values", values);
  g.given("a", 0.1);
  for (size_t t = 0; t < 4; ++t)
    g.equal("corrected after value " + std::to_string(t + 1),
            expected({values.begin(), values.begin() + static_cast<long>(t) + 1}, a), s.after(values[t], 0.1));

  g.law("varying",
        "a may change from call to call: the sum of all weights is 1 - (1 - a_1)(1 - a_2) ... With 1, 1/2, 1/3 ... it "
        "is the plain mean.",
        "void add");
  const std::vector<double> steps{0.1, 0.5, 0.01, 0.3};
  Stream varying;
  g.given("values", values);
  g.given("a", steps);
  for (size_t t = 0; t < 4; ++t)
    g.equal("corrected after value " + std::to_string(t + 1),
            expected({values.begin(), values.begin() + static_cast<long>(t) + 1},
                     {steps.begin(), steps.begin() + static_cast<long>(t) + 1}),
            varying.after(values[t], steps[t]));
  Stream plain;
  g.given("values", values);
  g.given("a", {1, 1.0 / 2, 1.0 / 3, 1.0 / 4});
  double sum = 0;
  for (int t = 1; t <= 4; ++t) {
    sum += values[static_cast<size_t>(t) - 1];
    g.equal("corrected after value " + std::to_string(t), sum / t,
            plain.after(values[static_cast<size_t>(t) - 1], 1.0 / t));
  }
}
