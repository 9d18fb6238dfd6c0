// Every op of core against its naive definition, in plain loops in double: values, gradients, and where NaN comes out,
// over random shapes, strides, paddings and values, with memory that holds NaN where nobody wrote. A case is drawn by
// one of make_cases(). EVENKEEL_CASES says how many an op has; the suite draws a few.
#pragma once
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>

#include "core/base/memory.h"
#include "core/ops/ops.h"

namespace evenkeel::property {

using Inputs = std::vector<Tensor>;
using Numbers = std::vector<double>;
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

inline Shape longer(const Shape& s, int axis, int64_t factor) {
  Shape t;
  for (int i = 0; i < s.rank(); ++i) t.push_back(i == axis ? s[i] * factor : s[i]);
  return t;
}

// Where a case's sizes and choices come from: at random; or, the sizes, one combination of 0, 1 and 2 after the other.
class Draw {
 public:
  explicit Draw(uint64_t seed, bool small = false) : random(seed), small_(small) {}
  Random random;

  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random.below(static_cast<uint64_t>(high - low + 1)));
  }
  bool once_in(int64_t n) { return random.below(static_cast<uint64_t>(n)) == 0; }
  int64_t size(int64_t most = 6) { return small_ ? choose(0, 2) : once_in(20) ? 0 : between(1, most); }
  Shape shape(int low = 0, int high = 4) {
    Shape s;
    for (int64_t rank = small_ ? choose(low, high) : between(low, high); s.rank() < rank;) s.push_back(size());
    // Sometimes several blocks.
    if (small_ || s.rank() == 0 || s.size() == 0 || !once_in(100)) return s;
    const int64_t factor = between(1, 100000) / s.size() + 1;
    return longer(s, static_cast<int>(between(0, s.rank() - 1)), factor);
  }
  // Normal numbers, or integers, of which many are equal and many are 0.
  Tensor values(const Shape& s) {
    Tensor t = Tensor::normal(s, random);
    if (once_in(4))
      for (real *p = t.mutable_data(), *end = p + t.size(); p < end; ++p) *p = std::round(*p) + real(0);
    return t;
  }
  After after() { return static_cast<After>(between(0, 2)); }
  Tensor positive(const Shape& s) { return Tensor::uniform(s, random, 0.1, 3); }

  bool next() {  // the next combination; false after the last
    while (!digits_.empty() && digits_.back().value == digits_.back().last) digits_.pop_back();
    if (digits_.empty()) return false;
    ++digits_.back().value;
    at_ = 0;
    return true;
  }

 private:
  int64_t choose(int64_t low, int64_t high) {
    if (at_ == digits_.size()) digits_.push_back({low, high});
    return digits_[at_++].value;
  }
  struct Digit {
    int64_t value, last;
  };
  bool small_;
  std::vector<Digit> digits_;
  size_t at_ = 0;
};

// A sum, the sum of its terms' absolute values, and their number: an op's error is measured against them.
struct Sum {
  double value = 0, size = 0;
  int64_t terms = 0;
  void add(double term, double term_size) {
    value += term;
    size += term_size;
    ++terms;
  }
  void add(double term) { add(term, std::abs(term)); }
};
using Sums = std::vector<Sum>;

struct Factor {
  size_t input;
  int64_t at;
};

// What the naive definition reads and writes: inputs, the cotangent of y; y and the gradients of the inputs.
struct Naive {
  std::vector<Numbers> x;
  Numbers g, got;  // got: y as the op computed it, for the gradient of a relu whose input is 0 up to rounding
  Sums y;
  std::vector<Sums> d;

  // y[i] += weight times the product of the factors.
  void term(int64_t i, std::initializer_list<Factor> factors, double weight = 1) {
    double product = weight;
    for (const Factor& f : factors) product *= x[f.input][static_cast<size_t>(f.at)];
    y[static_cast<size_t>(i)].add(product);
    for (const Factor& f : factors) {
      double others = weight * g[static_cast<size_t>(i)];
      for (const Factor& o : factors)
        if (&o != &f) others *= x[o.input][static_cast<size_t>(o.at)];
      d[f.input][static_cast<size_t>(f.at)].add(others);
    }
  }
};

struct Case {
  Inputs x;
  std::function<Tensor(const Inputs&)> op;
  Shape y;
  std::function<void(Naive&)> naive;
  const char* refusal = nullptr;  // part of the error, where the op must refuse its arguments
  double roundings = 4;           // float: the error is at most (terms + roundings) 2^-24 of the terms' size
  size_t constants = 0;           // the last inputs, which have no gradient
  bool gradient = true;
  bool reaches =
      false;  // a convolution: a NaN may come out in more places, because the zeros around an image are multiplied too
  bool spreads = false;  // Winograd: errors are of the size of the largest result
};

inline std::string compare(const Tensor& got, const Sums& expected, const Case& c, bool more_nan) {
  double largest = 0;
  for (const Sum& s : expected) largest = std::max(largest, s.size);
  for (size_t i = 0; i < expected.size(); ++i) {
    const Sum& s = expected[i];
    const double v = static_cast<double>(got.data()[i]), size = c.spreads ? largest : s.size;
    const double bound =
        sizeof(real) == 8 ? 1e-12 * size : 0x1p-24 * size * (static_cast<double>(s.terms) + c.roundings);
    if (std::isnan(s.value) ? std::isnan(v)
                            : v == s.value || std::abs(v - s.value) <= bound || (more_nan && std::isnan(v)))
      continue;
    return fmt::format("element {} of {} is {}, must be {} within {}", i, got.shape(), v, s.value, bound);
  }
  return "";
}

inline Numbers numbers(const Tensor& t) { return {t.data(), t.data() + t.size()}; }

// What is wrong with the op in this case; "" if nothing is.
inline std::string fault(const Case& c, Draw& draw) {
  Inputs x;
  const bool with_nan = draw.once_in(8);
  const size_t nan_at = static_cast<size_t>(draw.between(0, static_cast<int64_t>(c.x.size()) - 1));
  std::vector<size_t> wanted;
  for (size_t i = 0; i < c.x.size(); ++i) {
    x.push_back(c.x[i].clone());
    if (with_nan && i == nan_at && x[i].size() > 0)
      x[i].mutable_data()[draw.between(0, x[i].size() - 1)] = static_cast<real>(not_a_number);
    if (c.gradient && i + c.constants < c.x.size() && (i == 0 || !draw.once_in(4))) wanted.push_back(i);
  }
  Inputs leaves;
  for (size_t i : wanted) leaves.push_back(x[i].track());
  try {
    const Tensor y = c.op(x);
    if (c.refusal) return fmt::format("it must refuse this with '{}'", c.refusal);
    if (y.shape() != c.y) return fmt::format("the result's shape is {}, must be {}", y.shape(), c.y);
    const Tensor g = draw.values(c.y);
    Naive naive{{}, numbers(g), numbers(y), Sums(static_cast<size_t>(c.y.size())), {}};
    for (const Tensor& t : x) {
      naive.x.push_back(numbers(t));
      naive.d.emplace_back(static_cast<size_t>(t.size()));
    }
    c.naive(naive);
    const bool more_nan = with_nan && c.reaches;
    if (std::string wrong = compare(y, naive.y, c, more_nan); !wrong.empty()) return "the value: " + wrong;
    for (const bool differentiable : {false, true}) {
      if (leaves.empty()) break;
      const Grads d = grad(y, leaves, {.differentiable = differentiable, .cotangent = g});
      for (size_t i = 0; i < d.size(); ++i)
        if (std::string wrong = compare(d[i], naive.d[wanted[i]], c, more_nan); !wrong.empty())
          return fmt::format("the gradient{} of input {}: {}", differentiable ? ", recorded," : "", wanted[i], wrong);
    }
    const Recording off(false);
    if (std::string wrong = compare(c.op(x), naive.y, c, more_nan); !wrong.empty())
      return "the value, not recorded: " + wrong;
  } catch (const Error& e) {
    if (!c.refusal || std::string(e.what()).find(c.refusal) == std::string::npos)
      return std::string("the error: ") + e.what();
  }
  return "";
}

using Make = std::function<Case(Draw&)>;
using Cases = std::vector<std::pair<std::string, Make>>;

// --- Elementwise ---

// f(x), and the terms of its derivative f'(x), each with its size.
struct Value {
  double value, size;
  Value(double v) : value(v), size(std::abs(v)) {}
  Value(double v, double s) : value(v), size(s) {}
};
struct Unary {
  const char* name;
  std::function<Tensor(const Tensor&)> op;
  std::function<Value(double)> f;
  std::function<std::vector<Value>(double)> slope;
  bool positive = false;
};

inline double heaviside(double x) { return std::isnan(x) ? x : x > 0 ? 1 : 0; }
inline double normal_density(double x) { return std::exp(-x * x / 2) / std::sqrt(2 * 3.14159265358979323846); }
inline double normal_distribution(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }
inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }
inline double zero_or_nan(double x) { return std::isnan(x) ? x : 0; }

inline std::vector<Unary> unary_ops() {
  using std::exp, std::log, std::sqrt, std::tanh;
  constexpr double slope = static_cast<double>(real(0.01));
  return {
      {"square", [](const Tensor& x) { return square(x); }, [](double x) { return x * x; },
       [](double x) { return std::vector<Value>{2 * x}; }},
      {"sqrt", [](const Tensor& x) { return sqrt(x); }, [](double x) { return sqrt(x); },
       [](double x) { return std::vector<Value>{0.5 / sqrt(x)}; }, true},
      {"rsqrt", [](const Tensor& x) { return rsqrt(x); }, [](double x) { return 1 / sqrt(x); },
       [](double x) { return std::vector<Value>{-0.5 / (x * sqrt(x))}; }, true},
      {"reciprocal", [](const Tensor& x) { return reciprocal(x); }, [](double x) { return 1 / x; },
       [](double x) { return std::vector<Value>{-1 / (x * x)}; }, true},
      {"exp", [](const Tensor& x) { return exp(x); }, [](double x) { return exp(x); },
       [](double x) { return std::vector<Value>{exp(x)}; }},
      {"log", [](const Tensor& x) { return log(x); }, [](double x) { return log(x); },
       [](double x) { return std::vector<Value>{1 / x}; }, true},
      {"abs", [](const Tensor& x) { return abs(x); }, [](double x) { return std::abs(x); },
       [](double x) { return std::vector<Value>{heaviside(x) - heaviside(-x)}; }},
      {"sign", [](const Tensor& x) { return sign(x); }, [](double x) { return heaviside(x) - heaviside(-x); },
       [](double x) { return std::vector<Value>{zero_or_nan(x)}; }},
      {"step", [](const Tensor& x) { return step(x); }, [](double x) { return heaviside(x); },
       [](double x) { return std::vector<Value>{zero_or_nan(x)}; }},
      {"relu", [](const Tensor& x) { return relu(x); }, [](double x) { return x * heaviside(x); },
       [](double x) { return std::vector<Value>{heaviside(x)}; }},
      {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }, [](double x) { return x > 0 ? x : slope * x; },
       [](double x) {
         return std::vector<Value>{std::isnan(x) ? x : x > 0 ? 1 : slope};
       }},
      {"sigmoid", [](const Tensor& x) { return sigmoid(x); }, [](double x) { return logistic(x); },
       [](double x) {
         return std::vector<Value>{{logistic(x) * (1 - logistic(x)), logistic(x)}};
       }},
      {"tanh", [](const Tensor& x) { return tanh(x); }, [](double x) { return tanh(x); },
       [](double x) {
         return std::vector<Value>{1, -tanh(x) * tanh(x)};
       }},
      {"softplus", [](const Tensor& x) { return softplus(x); }, [](double x) { return log(1 + exp(x)); },
       [](double x) { return std::vector<Value>{logistic(x)}; }},
      {"normal_cdf", [](const Tensor& x) { return normal_cdf(x); },
       [](double x) {
         return Value{normal_distribution(x), 1};
       },
       [](double x) {
         return std::vector<Value>{{normal_density(x), 1}};
       }},
      {"normal_pdf", [](const Tensor& x) { return normal_pdf(x); },
       [](double x) {
         return Value{normal_density(x), 1};
       },
       [](double x) {
         return std::vector<Value>{{-x * normal_density(x), 1}};
       }},
      {"gelu", [](const Tensor& x) { return gelu(x); },
       [](double x) {
         return Value{x * normal_distribution(x), std::abs(x)};
       },
       [](double x) {
         return std::vector<Value>{{normal_distribution(x), 1}, {x * normal_density(x), 1}};
       }},
      {"silu", [](const Tensor& x) { return silu(x); }, [](double x) { return x * logistic(x); },
       [](double x) {
         return std::vector<Value>{{logistic(x), 1}, {x * logistic(x) * (1 - logistic(x)), std::abs(x)}};
       }},
      {"clamp", [](const Tensor& x) { return clamp(x, -1, real(1.5)); },
       [](double x) { return std::isnan(x) ? x : std::min(std::max(x, -1.0), 1.5); },
       [](double x) {
         return std::vector<Value>{std::isnan(x) ? x : -1 < x && x < 1.5 ? 1 : 0};
       }},
      {"x + 2", [](const Tensor& x) { return x + 2; },
       [](double x) {
         return Value{x + 2, std::abs(x) + 2};
       },
       [](double) { return std::vector<Value>{1}; }},
      {"2 + x", [](const Tensor& x) { return 2 + x; },
       [](double x) {
         return Value{x + 2, std::abs(x) + 2};
       },
       [](double) { return std::vector<Value>{1}; }},
      {"x - 2", [](const Tensor& x) { return x - 2; },
       [](double x) {
         return Value{x - 2, std::abs(x) + 2};
       },
       [](double) { return std::vector<Value>{1}; }},
      {"2 - x", [](const Tensor& x) { return 2 - x; },
       [](double x) {
         return Value{2 - x, std::abs(x) + 2};
       },
       [](double) { return std::vector<Value>{-1}; }},
      {"x * 3", [](const Tensor& x) { return x * 3; }, [](double x) { return x * 3; },
       [](double) { return std::vector<Value>{3}; }},
      {"3 * x", [](const Tensor& x) { return 3 * x; }, [](double x) { return x * 3; },
       [](double) { return std::vector<Value>{3}; }},
      {"x / 3", [](const Tensor& x) { return x / 3; }, [](double x) { return x / 3; },
       [](double) { return std::vector<Value>{1.0 / 3}; }},
      {"-x", [](const Tensor& x) { return -x; }, [](double x) { return -x; },
       [](double) { return std::vector<Value>{-1}; }},
      {"alias", [](const Tensor& x) { return alias(x); }, [](double x) { return x; },
       [](double) { return std::vector<Value>{1}; }},
  };
}

inline void add_elementwise(Cases& cases) {
  for (const Unary& u : unary_ops())
    cases.emplace_back(u.name, [u](Draw& d) {
      const Shape s = d.shape();
      return Case{{u.positive ? d.positive(s) : d.values(s)},
                  [u](const Inputs& in) { return u.op(in[0]); },
                  s,
                  [u](Naive& n) {
                    for (size_t i = 0; i < n.y.size(); ++i) {
                      const Value v = u.f(n.x[0][i]);
                      n.y[i].add(v.value, v.size);
                      for (const Value& t : u.slope(n.x[0][i]))
                        n.d[0][i].add(n.g[i] * t.value, std::abs(n.g[i]) * t.size);
                    }
                  },
                  nullptr,
                  32};
    });
  using Op = Tensor (*)(const Tensor&, const Tensor&);
  const auto two = [&](const char* name, Op op, auto naive, bool positive = false) {
    cases.emplace_back(name, [=](Draw& d) {
      const Shape s = d.shape();
      return Case{{d.values(s), positive ? d.positive(s) : d.values(s)},
                  [=](const Inputs& in) { return op(in[0], in[1]); },
                  s,
                  [=](Naive& n) {
                    for (size_t i = 0; i < n.y.size(); ++i) naive(n, static_cast<int64_t>(i));
                  }};
    });
  };
  two("x + y", operator+, [](Naive& n, int64_t i) { n.term(i, {{0, i}}), n.term(i, {{1, i}}); });
  two("x - y", operator-, [](Naive& n, int64_t i) { n.term(i, {{0, i}}), n.term(i, {{1, i}}, -1); });
  two("x * y", operator*, [](Naive& n, int64_t i) { n.term(i, {{0, i}, {1, i}}); });
  two(
      "x / y", operator/,
      [](Naive& n, int64_t at) {
        const size_t i = static_cast<size_t>(at);
        const double x = n.x[0][i], y = n.x[1][i];
        n.y[i].add(x / y);
        n.d[0][i].add(n.g[i] / y);
        n.d[1][i].add(-n.g[i] * x / (y * y));
      },
      true);
  two(
      "add_to",
      [](const Tensor& x, const Tensor& y) {
        Tensor sum = x.clone();
        add_to(sum, y);
        return record(sum, {x, y}, [](const Tensor&, const Tensor& g) { return Grads{g, g}; });
      },
      [](Naive& n, int64_t i) {
        n.term(i, {{0, i}}), n.term(i, {{1, i}});
      });
  cases.emplace_back("gate", [](Draw& d) {  // the gradient is that of x alone
    const Shape s = d.shape();
    return Case{{d.values(s), d.values(s)},
                [](const Inputs& in) { return gate(in[0], in[1]); },
                s,
                [](Naive& n) {
                  for (size_t i = 0; i < n.y.size(); ++i)
                    if (const double open = heaviside(n.x[1][i]); open != 0)
                      n.term(static_cast<int64_t>(i), {{0, static_cast<int64_t>(i)}}, open);
                },
                nullptr,
                4,
                1};
  });
}

// --- Sums and spreads ---

inline void add_reductions(Cases& cases) {
  // y[target(i)] += weight x[i] for all i, or y[i] = weight x[target(i)].
  using Target = std::function<int64_t(int64_t i, const Shape& s)>;
  using Part = std::function<Shape(const Shape&)>;
  using Weight = std::function<double(const Shape&)>;
  const auto sums = [&](const char* name, Tensor (*op)(const Tensor&), Part part, Target target, int rank = 0,
                        Weight weight = nullptr, const char* refusal = nullptr) {
    cases.emplace_back(name, [=](Draw& d) {
      const Shape s = d.shape(rank);
      const double w = weight ? weight(s) : 1;
      return Case{{d.values(s)},
                  [op](const Inputs& in) { return op(in[0]); },
                  part(s),
                  [=](Naive& n) {
                    for (int64_t i = 0; i < s.size(); ++i) n.term(target(i, s), {{0, i}}, w);
                  },
                  std::isfinite(w) ? nullptr : refusal};
    });
  };
  const auto spreads = [&](const char* name, Tensor (*op)(const Tensor&, const Shape&), Part part, Target target,
                           int rank = 0) {
    cases.emplace_back(name, [=](Draw& d) {
      const Shape s = d.shape(rank);
      return Case{{d.values(part(s))},
                  [=](const Inputs& in) { return op(in[0], s); },
                  s,
                  [=](Naive& n) {
                    for (int64_t i = 0; i < s.size(); ++i) n.term(i, {{0, target(i, s)}});
                  }};
    });
  };
  const Part one = [](const Shape&) { return Shape(); }, channels = [](const Shape&s) { return Shape{s.channels()}; },
             rows = [](const Shape&s) { return s.without_last(); }, ends = [](const Shape&s) {
               return Shape{s[0], s.channels()};
             };
  const Target first = [](int64_t, const Shape&) { return int64_t{0}; },
               channel = [](int64_t i, const Shape&s) { return i % s.channels(); },
               row = [](int64_t i, const Shape&s) { return i / s.channels(); },
               end = [](int64_t i, const Shape&s) { return i / (s.size() / s[0]) * s.channels() + i % s.channels(); };
  sums("sum", sum, one, first);
  sums("sum_rows", sum_rows, channels, channel);
  sums("sum_channels", sum_channels, rows, row, 1);
  sums("sum_positions", sum_positions, ends, end, 2);
  sums(
      "mean", mean, one, first, 0, [](const Shape& s) { return 1 / static_cast<double>(s.size()); },
      "must have values");
  sums(
      "mean_rows", mean_rows, channels, channel, 0, [](const Shape& s) { return 1 / static_cast<double>(s.rows()); },
      "must have rows");
  sums(
      "mean_channels", mean_channels, rows, row, 1,
      [](const Shape& s) { return 1 / static_cast<double>(s.channels()); }, "must have channels");
  spreads("spread", spread, one, first);
  spreads("spread_rows", spread_rows, channels, channel);
  spreads("spread_channels", spread_channels, rows, row, 1);
  spreads("spread_positions", spread_positions, ends, end, 2);

  cases.emplace_back("dot", [](Draw& d) {
    const Shape s = d.shape();
    return Case{{d.values(s), d.values(s)},
                [](const Inputs& in) { return dot(in[0], in[1]); },
                {},
                [s](Naive& n) {
                  for (int64_t i = 0; i < s.size(); ++i) n.term(0, {{0, i}, {1, i}});
                }};
  });
  cases.emplace_back("add_per_channel", [](Draw& d) {
    const Shape s = d.shape();
    return Case{{d.values(s), d.values({s.channels()})},
                [](const Inputs& in) { return add_per_channel(in[0], in[1]); },
                s,
                [s](Naive& n) {
                  for (int64_t i = 0; i < s.size(); ++i) n.term(i, {{0, i}}), n.term(i, {{1, i % s.channels()}});
                }};
  });
  cases.emplace_back("scale_per_channel", [](Draw& d) {
    const Shape s = d.shape();
    return Case{{d.values(s), d.values({s.channels()})},
                [](const Inputs& in) { return scale_per_channel(in[0], in[1]); },
                s,
                [s](Naive& n) {
                  for (int64_t i = 0; i < s.size(); ++i) n.term(i, {{0, i}, {1, i % s.channels()}});
                }};
  });
  for (const bool second : {false, true})  // the gated, and its sums
    cases.emplace_back(second ? "gate_and_sum_rows, sums" : "gate_and_sum_rows", [second](Draw& d) {
      const Shape s = d.shape();
      return Case{{d.values(s), d.values(s)},
                  [second](const Inputs& in) {
                    Tensor gated = Tensor::empty(in[0].shape());
                    const Tensor sums = gate_and_sum_rows(in[0], in[1], gated);
                    return second ? sums : gated;
                  },
                  second ? Shape{s.channels()} : s,
                  [=](Naive& n) {
                    for (int64_t i = 0; i < s.size(); ++i)
                      if (const double open = heaviside(n.x[1][static_cast<size_t>(i)]); open != 0)
                        n.term(second ? i % s.channels() : i, {{0, i}}, open);
                  },
                  nullptr,
                  4,
                  0,
                  false};
    });
  cases.emplace_back("reshape", [](Draw& d) {
    const Shape s = d.shape();
    Shape to;
    for (int axis = s.rank() - 1; axis >= 0; --axis) to.push_back(s[axis]);
    if (d.once_in(2)) to = {s.size()};
    return Case{{d.values(s)},
                [to](const Inputs& in) { return reshape(in[0], to); },
                to,
                [s](Naive& n) {
                  for (int64_t i = 0; i < s.size(); ++i) n.term(i, {{0, i}});
                }};
  });
}

// --- Pooling, borders, channels, layout ---

inline int64_t offset(const Shape& s, int64_t n, int64_t h, int64_t w, int64_t c) {
  return ((n * s[1] + h) * s[2] + w) * s[3] + c;
}

// f(n, h, w, c) for every element of an image batch.
template <class F>
void for_each(const Shape& s, F f) {
  for (int64_t n = 0; n < s[0]; ++n)
    for (int64_t h = 0; h < s[1]; ++h)
      for (int64_t w = 0; w < s[2]; ++w)
        for (int64_t c = 0; c < s[3]; ++c) f(n, h, w, c);
}

inline Shape image(Draw& d) {
  Shape s = d.shape(4, 4);
  if (s.size() < 1000 && d.once_in(8)) s = longer(s, 3, 7);  // more than a vector
  return s;
}

inline void add_pools(Cases& cases) {
  for (const bool largest : {true, false})
    cases.emplace_back(largest ? "max_pool" : "avg_pool", [largest](Draw& d) {
      const Shape s = image(d);
      PoolOptions o{.size = d.between(1, 4), .stride = d.between(0, 5)};
      o.padding = d.between(0, o.size / 2);
      const int64_t stride = o.stride ? o.stride : o.size;
      const bool empty = s[1] == 0 || s[2] == 0, small = std::min(s[1], s[2]) + 2 * o.padding < o.size;
      const auto side = [&](int64_t h) { return (h + 2 * o.padding - o.size) / stride + 1; };
      const Shape y = empty || small ? s : Shape{s[0], side(s[1]), side(s[2]), s[3]};
      return Case{{d.values(s)},
                  [=](const Inputs& in) { return largest ? max_pool(in[0], o) : avg_pool(in[0], o); },
                  y,
                  [=](Naive& naive) {
                    for_each(y, [&](int64_t n, int64_t p, int64_t q, int64_t c) {
                      std::vector<int64_t> cells;
                      for (int64_t h = p * stride - o.padding; h < p * stride - o.padding + o.size; ++h)
                        for (int64_t w = q * stride - o.padding; w < q * stride - o.padding + o.size; ++w)
                          if (h >= 0 && h < s[1] && w >= 0 && w < s[2]) cells.push_back(offset(s, n, h, w, c));
                      const auto value = [&](int64_t cell) { return naive.x[0][static_cast<size_t>(cell)]; };
                      int64_t best = cells[0];
                      bool nan = false;
                      for (int64_t cell : cells) {
                        nan = nan || std::isnan(value(cell));
                        if (value(cell) > value(best)) best = cell;
                      }
                      for (int64_t cell : cells)
                        if (!largest || nan || cell == best)
                          naive.term(offset(y, n, p, q, c), {{0, cell}},
                                     !largest ? 1 / static_cast<double>(cells.size())
                                     : nan    ? not_a_number
                                              : 1);
                    });
                  },
                  empty   ? "must have a height and a width"
                  : small ? "must fit into the padded image"
                          : nullptr};
    });
  cases.emplace_back("global_avg_pool", [](Draw& d) {
    const Shape s = image(d);
    return Case{{d.values(s)},
                [](const Inputs& in) { return global_avg_pool(in[0]); },
                {s[0], s[3]},
                [s](Naive& naive) {
                  for_each(s, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
                    naive.term(n * s[3] + c, {{0, offset(s, n, h, w, c)}}, 1 / static_cast<double>(s[1] * s[2]));
                  });
                },
                s[1] * s[2] == 0 ? "must have a height and a width" : nullptr};
  });
  for (const bool adds : {true, false})
    cases.emplace_back(adds ? "pad" : "crop", [adds](Draw& d) {
      const Shape s = image(d);
      const Border b{d.between(0, 3), d.between(0, 3), d.between(0, 3), d.between(0, 3)};
      const Shape larger{s[0], s[1] + b.top + b.bottom, s[2] + b.left + b.right, s[3]};
      return Case{{d.values(adds ? s : larger)},
                  [=](const Inputs& in) { return adds ? pad(in[0], b) : crop(in[0], b); },
                  adds ? larger : s,
                  [=](Naive& naive) {
                    for_each(s, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
                      const int64_t inner = offset(s, n, h, w, c), outer = offset(larger, n, h + b.top, w + b.left, c);
                      naive.term(adds ? outer : inner, {{0, adds ? inner : outer}});
                    });
                  }};
    });
  cases.emplace_back("concat_channels", [](Draw& d) {
    Shape s = d.shape(1, 3);
    Inputs x;
    int64_t channels = 0;
    for (int i = 0; i < 3; ++i) {
      s = s.with_channels(d.size());
      channels += s.channels();
      x.push_back(d.values(s));
    }
    s = s.with_channels(channels);
    return Case{x, concat_channels, s, [=](Naive& n) {
                  int64_t begin = 0;
                  for (size_t part = 0; part < 3; begin += x[part++].channels())
                    for (int64_t i = 0; i < x[part].size(); ++i)
                      n.term(i / x[part].channels() * channels + begin + i % x[part].channels(), {{part, i}});
                }};
  });
  for (const bool cuts : {true, false})
    cases.emplace_back(cuts ? "slice_channels" : "embed_channels", [cuts](Draw& d) {
      const Shape part = d.shape(1);
      const int64_t begin = d.size(), channels = begin + part.channels() + d.size();
      const Shape whole = part.with_channels(channels);
      return Case{{d.values(cuts ? whole : part)},
                  [=](const Inputs& in) {
                    return cuts ? slice_channels(in[0], begin, begin + part.channels())
                                : embed_channels(in[0], begin, channels);
                  },
                  cuts ? part : whole,
                  [=](Naive& n) {
                    for (int64_t i = 0; i < part.size(); ++i) {
                      const int64_t in_whole = i / part.channels() * channels + begin + i % part.channels();
                      n.term(cuts ? i : in_whole, {{0, cuts ? in_whole : i}});
                    }
                  }};
    });
  cases.emplace_back("transpose", [](Draw& d) {
    const Shape s = d.shape(2, 2);
    return Case{{d.values(s)},
                [](const Inputs& in) { return transpose(in[0]); },
                {s[1], s[0]},
                [=](Naive& n) {
                  for (int64_t i = 0; i < s.size(); ++i) n.term(i % s[1] * s[0] + i / s[1], {{0, i}});
                }};
  });
  for (const bool gathers : {true, false})
    cases.emplace_back(gathers ? "gather_rows" : "scatter_rows", [gathers](Draw& d) {
      const Shape many = d.shape(1);
      const int64_t count = many[0], all = std::max<int64_t>(1, d.size()), size = count ? many.size() / count : 0;
      Shape few{all};
      for (int axis = 1; axis < many.rank(); ++axis) few.push_back(many[axis]);
      std::vector<int64_t> rows(static_cast<size_t>(count));
      for (int64_t& row : rows) row = d.between(0, all - 1);
      return Case{{d.values(gathers ? few : many)},
                  [=](const Inputs& in) { return gathers ? gather_rows(in[0], rows) : scatter_rows(in[0], rows, all); },
                  gathers ? many : few,
                  [=](Naive& n) {
                    for (int64_t i = 0; i < many.size(); ++i) {
                      const int64_t in_few = rows[static_cast<size_t>(i / size)] * size + i % size;
                      n.term(gathers ? i : in_few, {{0, gathers ? in_few : i}});
                    }
                  }};
    });
  for (const bool first : {true, false})
    cases.emplace_back(first ? "to_channels_first" : "to_channels_last", [first](Draw& d) {
      const Shape last = image(d), other{last[0], last[3], last[1], last[2]};
      return Case{{d.values(first ? last : other)},
                  [=](const Inputs& in) { return first ? to_channels_first(in[0]) : to_channels_last(in[0]); },
                  first ? other : last,
                  [=](Naive& naive) {
                    for_each(last, [&](int64_t n, int64_t h, int64_t w, int64_t c) {
                      const int64_t a = offset(last, n, h, w, c), b = offset(other, n, c, h, w);
                      naive.term(first ? b : a, {{0, first ? a : b}});
                    });
                  }};
    });
}

// --- Products and convolutions, and what follows them ---

// after(z) in place of z, and the pullback of g; `size` is for g what Sum::size is for a sum.
struct Pulled {
  double g, size;
};
inline Pulled naive_after(After after, double g, double got, Sum& z) {
  if (after == After::relu) {
    g *= heaviside(got);
    if (z.value < 0) z.value = 0;
  }
  if (after != After::gelu) return {g, std::abs(g)};
  const double u = z.value, size = std::abs(g) * (2 + z.size);  // |gelu''| < 1, |gelu'| < 1.13
  z.value = u * normal_distribution(u);
  z.size = 2 * z.size;
  return {g * (normal_distribution(u) + u * normal_density(u)), size};
}

// y = after(v + bias + add), v the sum of the terms that `terms(term)` names: term(i, a, b) for v[i] += x[0][a]
// x[1][b].
template <class Terms>
void naive_product(Naive& n, const Terms& terms, int64_t channels, const std::array<size_t, 2>& at, After after) {
  const auto [bias, add] = at;  // numbers of inputs; 0 where there is none
  Sums v(n.y.size());
  terms([&](int64_t i, int64_t a, int64_t b) {
    v[static_cast<size_t>(i)].add(n.x[0][static_cast<size_t>(a)] * n.x[1][static_cast<size_t>(b)]);
  });
  std::vector<Pulled> gv(n.y.size());
  for (size_t i = 0; i < v.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    Sum u = v[i];
    if (bias) u.add(n.x[bias][c]);
    if (add) u.add(n.x[add][i]);
    const auto [g, size] = gv[i] = naive_after(after, n.g[i], n.got[i], u);
    if (bias) n.d[bias][c].add(g, size);
    if (add) n.d[add][i].add(g, size);
    n.y[i] = u;
  }
  terms([&](int64_t i, int64_t a, int64_t b) {
    const auto [g, size] = gv[static_cast<size_t>(i)];
    const double xa = n.x[0][static_cast<size_t>(a)], xb = n.x[1][static_cast<size_t>(b)];
    n.d[0][static_cast<size_t>(a)].add(g * xb, size * std::abs(xb));
    n.d[1][static_cast<size_t>(b)].add(g * xa, size * std::abs(xa));
  });
}

// Appends a bias and an epilogue's tensors to the inputs, and says where.
struct Following {
  std::array<size_t, 2> at{};
  After after = After::nothing;
  Following() = default;
  Following(Draw& d, const Shape& y, Inputs& x) {
    after = d.after();
    for (size_t part = 0; part < 2; ++part)
      if (d.once_in(3)) {
        at[part] = x.size();
        x.push_back(d.values(part == 1 ? y : Shape{y.channels()}));
      }
  }
  Tensor bias(const Inputs& in) const { return at[0] ? in[at[0]] : Tensor(); }
  Epilogue then(const Inputs& in) const { return {.add = at[1] ? in[at[1]] : Tensor(), .after = after}; }
};

// The sizes of a convolution; the terms of y[i] += x[a] w[b].
struct Convolution {
  Shape x, w, y;
  ConvOptions options;
  const char* refusal = nullptr;

  Convolution(Draw& d, ConvAlgorithm algorithm) {
    const bool winograd = algorithm == ConvAlgorithm::winograd,
               larger = algorithm == ConvAlgorithm::automatic && d.once_in(4);
    options = {.stride = winograd ? 1 : d.between(1, 3), .padding = d.between(0, 3), .algorithm = algorithm};
    x = {d.size(larger || d.once_in(10) ? 9 : 3), d.size(d.once_in(30) ? 30 : 9), d.size(9), 0};
    if (winograd && d.once_in(2)) options.padding = 3;  // else many results are of one row
    const int64_t side = winograd ? (d.once_in(2) ? 3 : 5) : 0;
    const auto channels = [&] {
      return winograd || larger ? d.between(16, d.once_in(50) ? 50 : 20) : d.size(d.once_in(20) ? 140 : 5);
    };
    const bool depthwise = !winograd && d.once_in(6);
    options.groups = depthwise ? d.between(2, 40) : d.once_in(4) ? d.between(2, 3) : 1;
    const int64_t c = depthwise ? 1 : channels(), k = depthwise ? 1 : channels();
    x = x.with_channels(options.groups * c);
    w = {options.groups * k, side ? side : d.size(5), side ? side : d.size(5), c};
    const int64_t h = x[1] + 2 * options.padding - w[1], v = x[2] + 2 * options.padding - w[2];
    if (w[1] < 1 || w[2] < 1 || h < 0 || v < 0)
      refusal = "must fit into the padded image";
    else
      y = {x[0], h / options.stride + 1, v / options.stride + 1, w[0]};
    if (winograd && !refusal && (h == 0 || v == 0)) refusal = "a result of at least 2x2";
  }
  template <class Term>
  void terms(const Term& term) const {
    for_each(y, [&](int64_t n, int64_t p, int64_t q, int64_t k) {
      for (int64_t r = 0; r < w[1]; ++r)
        for (int64_t s = 0; s < w[2]; ++s) {
          const int64_t h = p * options.stride + r - options.padding, v = q * options.stride + s - options.padding;
          if (h < 0 || h >= x[1] || v < 0 || v >= x[2]) continue;
          const int64_t first = k / (w[0] / options.groups) * w[3];  // channel of the group
          for (int64_t c = 0; c < w[3]; ++c)
            term(offset(y, n, p, q, k), offset(x, n, h, v, first + c), offset(w, k, r, s, c));
        }
    });
  }
};

inline void add_products(Cases& cases) {
  for (const bool linear_layer : {false, true})
    cases.emplace_back(linear_layer ? "linear" : "matmul", [linear_layer](Draw& d) {
      int64_t m = d.size(), k = d.size(), n = d.size();
      if (d.once_in(20)) (d.once_in(3) ? m : d.once_in(2) ? k : n) *= d.between(2, 20);
      if (d.once_in(500)) k *= 1000;  // partial sums
      const bool ta = !linear_layer && d.once_in(2), tb = linear_layer || d.once_in(2);
      Inputs x{d.values(ta ? Shape{k, m} : Shape{m, k}), d.values(tb ? Shape{n, k} : Shape{k, n})};
      const Following after = linear_layer ? Following(d, {m, n}, x) : Following();
      return Case{x,
                  [=](const Inputs& in) {
                    return linear_layer ? linear(in[0], in[1], after.bias(in), after.then(in))
                                        : matmul(in[0], in[1], ta, tb);
                  },
                  {m, n},
                  [=](Naive& naive) {
                    naive_product(
                        naive,
                        [=](const auto& term) {
                          for (int64_t i = 0; i < m; ++i)
                            for (int64_t j = 0; j < n; ++j)
                              for (int64_t p = 0; p < k; ++p)
                                term(i * n + j, ta ? p * m + i : i * k + p, tb ? j * k + p : p * n + j);
                        },
                        n, after.at, after.after);
                  }};
    });
  const std::pair<ConvAlgorithm, const char*> algorithms[] = {{ConvAlgorithm::direct, "direct"},
                                                              {ConvAlgorithm::winograd, "winograd"},
                                                              {ConvAlgorithm::automatic, "automatic"}};
  for (const auto& [algorithm_, name] : algorithms) {
    const auto& algorithm = algorithm_;
    const bool spreads = algorithm != ConvAlgorithm::direct;
    const double roundings = spreads ? 2000 : 4;
    cases.emplace_back(fmt::format("conv2d, {}", name), [=](Draw& d) {
      const Convolution a(d, algorithm);
      Inputs x{d.values(a.x), d.values(a.w)};
      const Following after(d, a.y.rank() ? a.y : Shape{0, 0, 0, a.w[0]}, x);
      return Case{x,
                  [=](const Inputs& in) { return conv2d(in[0], in[1], a.options, after.bias(in), after.then(in)); },
                  a.y,
                  [=](Naive& n) {
                    naive_product(
                        n, [&](const auto& term) { a.terms(term); }, a.w[0], after.at, after.after);
                  },
                  a.refusal,
                  roundings,
                  0,
                  true,
                  true,
                  spreads};
    });
    cases.emplace_back(fmt::format("PreparedFilters, {}", name),
                       [=](Draw& d) {  // w is a constant, and it is asked twice
                         const Convolution a(d, algorithm);
                         Inputs x{d.values(a.x), d.values(a.w)};
                         const Following after(d, a.y.rank() ? a.y : Shape{0, 0, 0, a.w[0]}, x);
                         return Case{x,
                                     [=](const Inputs& in) {
                                       PreparedFilters filters(in[1], a.options);
                                       filters(Tensor::zeros({1, 24, 24, a.x[3]}));
                                       return filters(in[0], after.bias(in), after.then(in));
                                     },
                                     a.y,
                                     [=](Naive& n) {
                                       naive_product(
                                           n, [&](const auto& term) { a.terms(term); }, a.w[0], after.at, after.after);
                                     },
                                     a.refusal,
                                     roundings,
                                     0,
                                     false,
                                     true,
                                     spreads};
                       });
    cases.emplace_back(fmt::format("conv2d_dx, {}", name), [=](Draw& d) {
      const Convolution a(d, algorithm);
      return Case{{d.values(a.y.rank() ? a.y : Shape{0, 0, 0, 0}), d.values(a.w)},
                  [=](const Inputs& in) { return conv2d_dx(in[0], in[1], a.x, a.options); },
                  a.x,
                  [=](Naive& n) { a.terms([&](int64_t i, int64_t p, int64_t q) {
                                    n.term(p, {{0, i}, {1, q}});
                                  }); },
                  a.refusal,
                  roundings,
                  0,
                  true,
                  true,
                  spreads};
    });
    cases.emplace_back(fmt::format("conv2d_dw, {}", name), [=](Draw& d) {
      const Convolution a(d, algorithm);
      return Case{{d.values(a.x), d.values(a.y.rank() ? a.y : Shape{0, 0, 0, 0})},
                  [=](const Inputs& in) { return conv2d_dw(in[0], in[1], a.w, a.options); },
                  a.w,
                  [=](Naive& n) { a.terms([&](int64_t i, int64_t p, int64_t q) {
                                    n.term(q, {{0, p}, {1, i}});
                                  }); },
                  a.refusal,
                  roundings,
                  0,
                  true,
                  true,
                  spreads};
    });
  }
  cases.emplace_back("Epilogue", [](Draw& d) {
    const Shape s = d.shape();
    Inputs x{d.values(s), Tensor::full({1}, 1)};
    const Following after(d, s, x);
    return Case{x,
                [=](const Inputs& in) {
                  const Tensor v = in[0] * in[1].item(), bias = after.bias(in);
                  return after.then(in)(bias.defined() ? add_per_channel(v, bias) : v);
                },
                s,
                [=](Naive& n) {
                  naive_product(
                      n,
                      [&](const auto& term) {
                        for (int64_t i = 0; i < s.size(); ++i) term(i, i, 0);
                      },
                      s.channels(), after.at, after.after);
                  n.d[1].assign(1, Sum());
                }};
  });
}

// --- Losses and dropout ---

inline void add_losses(Cases& cases) {
  // The shares e^x / sum of e^x of a row, and the log of the sum, for x less its maximum.
  struct Row {
    Numbers share;
    double largest, log_sum;
    Row(const Numbers& x, int64_t begin, int64_t channels)
        : share(static_cast<size_t>(channels)), largest(x[static_cast<size_t>(begin)]) {
      double sum = 0;
      for (int64_t c = 0; c < channels; ++c) largest = std::max(largest, x[static_cast<size_t>(begin + c)]);
      for (int64_t c = 0; c < channels; ++c)
        sum += share[static_cast<size_t>(c)] = std::exp(x[static_cast<size_t>(begin + c)] - largest);
      for (double& s : share) s /= sum;
      log_sum = std::log(sum);
    }
  };
  cases.emplace_back("softmax", [](Draw& d) {
    const Shape s = d.shape(1);
    return Case{{d.values(s)},
                [](const Inputs& in) { return softmax(in[0]); },
                s,
                [s](Naive& n) {
                  for (int64_t begin = 0; begin < s.size(); begin += s.channels()) {
                    const Row row(n.x[0], begin, s.channels());
                    for (size_t c = 0; c < row.share.size(); ++c) {
                      const size_t at = static_cast<size_t>(begin) + c;
                      n.y[at].add(row.share[c]);
                      n.d[0][at].add(row.share[c] * n.g[at]);
                      for (size_t k = 0; k < row.share.size(); ++k)
                        n.d[0][at].add(-row.share[c] * row.share[k] * n.g[static_cast<size_t>(begin) + k]);
                    }
                  }
                },
                s.channels() == 0 ? "needs channels" : nullptr,
                64};
  });
  cases.emplace_back("log_softmax", [](Draw& d) {
    const Shape s = d.shape(1);
    return Case{{d.values(s)},
                [](const Inputs& in) { return log_softmax(in[0]); },
                s,
                [s](Naive& n) {
                  for (int64_t begin = 0; begin < s.size(); begin += s.channels()) {
                    const Row row(n.x[0], begin, s.channels());
                    for (size_t c = 0; c < row.share.size(); ++c) {
                      const size_t at = static_cast<size_t>(begin) + c;
                      n.y[at].add(n.x[0][at] - row.largest);
                      n.y[at].add(-row.log_sum);
                      n.d[0][at].add(n.g[at]);
                      for (size_t k = 0; k < row.share.size(); ++k)
                        n.d[0][at].add(-row.share[c] * n.g[static_cast<size_t>(begin) + k]);
                    }
                  }
                },
                s.channels() == 0 ? "needs channels" : nullptr,
                64};
  });
  for (const bool definition : {false, true})
    cases.emplace_back(definition ? "cross_entropy_definition" : "cross_entropy", [definition](Draw& d) {
      const Shape s = d.shape(2, 2);
      const real smoothing = d.once_in(2) ? 0 : static_cast<real>(d.random.uniform());
      Labels labels;
      for (int64_t r = 0; r < s[0]; ++r)
        labels.push_back(static_cast<int32_t>(d.between(0, std::max<int64_t>(s[1], 1) - 1)));
      return Case{{d.values(s)},
                  [=](const Inputs& in) {
                    return definition ? cross_entropy_definition(in[0], labels, smoothing)
                                      : cross_entropy(in[0], labels, smoothing);
                  },
                  {},
                  [=](Naive& n) {
                    const double rows = static_cast<double>(s[0]),
                                 rest = static_cast<double>(smoothing) / static_cast<double>(s[1]);
                    for (int64_t r = 0; r < s[0]; ++r) {
                      const Row row(n.x[0], r * s[1], s[1]);
                      for (int64_t c = 0; c < s[1]; ++c) {
                        const size_t at = static_cast<size_t>(r * s[1] + c);
                        const double target =
                            rest + (labels[static_cast<size_t>(r)] == c ? 1 - static_cast<double>(smoothing) : 0);
                        n.y[0].add(-target * (n.x[0][at] - row.largest - row.log_sum) / rows,
                                   target * (std::abs(n.x[0][at] - row.largest) + row.log_sum) / rows);
                        n.d[0][at].add(n.g[0] * row.share[static_cast<size_t>(c)] / rows);
                        n.d[0][at].add(-n.g[0] * target / rows);
                      }
                    }
                  },
                  s.size() == 0 ? "logits must be (rows, classes)" : nullptr,
                  64};
    });
  for (const bool mean : {true, false})
    cases.emplace_back(mean ? "mean_squared_error" : "squared_distance", [mean](Draw& d) {
      const Shape s = d.shape();
      return Case{
          {d.values(s), d.values(s)},
          [mean](const Inputs& in) { return mean ? mean_squared_error(in[0], in[1]) : squared_distance(in[0], in[1]); },
          {},
          [s, mean](Naive& n) {
            const double share = mean ? 1 / static_cast<double>(s.size()) : 1;
            for (size_t i = 0; i < n.x[0].size(); ++i) {
              const double difference = n.x[0][i] - n.x[1][i];
              n.y[0].add(difference * difference * share);
              n.d[0][i].add(2 * n.g[0] * difference * share);
              n.d[1][i].add(-2 * n.g[0] * difference * share);
            }
          },
          mean && s.size() == 0 ? "hold values" : nullptr,
          8};
    });
  cases.emplace_back("count_correct", [](Draw& d) {
    const Shape s = d.shape(2, 2);
    Labels labels;
    for (int64_t r = 0; r < s[0]; ++r)
      labels.push_back(static_cast<int32_t>(d.between(0, std::max<int64_t>(s[1], 1) - 1)));
    return Case{{d.values(s)},
                [=](const Inputs& in) { return Tensor::scalar(static_cast<real>(count_correct(in[0], labels))); },
                {},
                [=](Naive& n) {
                  for (int64_t r = 0; r < s[0]; ++r) {
                    const auto begin = n.x[0].begin() + r * s[1], end = begin + s[1];
                    const bool nan = std::any_of(begin, end, [](double v) { return std::isnan(v); });
                    n.y[0].add(!nan && std::max_element(begin, end) - begin == labels[static_cast<size_t>(r)]);
                  }
                },
                s.size() == 0 ? "logits must be (rows, classes)" : nullptr,
                0,
                0,
                false};
  });
  cases.emplace_back("dropout", [](Draw& d) {
    const Shape s = d.shape();
    const real p = d.once_in(5) ? 0 : static_cast<real>(d.random.uniform()) * real(0.99);
    const Random stream = d.random;
    return Case{{d.values(s)},
                [=](const Inputs& in) {
                  Random copy = stream;
                  return dropout(in[0], p, copy);
                },
                s,
                [=](Naive& n) {
                  Random copy = stream;
                  uint64_t bits = 0;
                  for (int64_t i = 0; i < s.size(); ++i, bits >>= 32) {
                    if (i % 2 == 0) bits = copy.bits();
                    const bool kept =
                        static_cast<double>(bits & 0xffffffff) >= std::floor(static_cast<double>(p) * 0x1p32);
                    n.term(i, {{0, i}}, kept ? 1 / (1 - static_cast<double>(p)) : 0);
                  }
                },
                nullptr,
                200};  // 1 - p is rounded
  });
}

// --- Normalisation ---

// y = gamma xhat + beta, then `add` and `after`. Inputs x, gamma, beta, perhaps add. Element i belongs to `group(i)`,
// over which mean and variance are taken, unless they are given per channel as the last two inputs.
inline void naive_norm(Naive& n, int64_t channels, size_t groups, const std::function<size_t(size_t)>& group,
                       double eps, bool add, After after, bool given = false) {
  const Numbers &x = n.x[0], &gamma = n.x[1], &beta = n.x[2];
  Numbers count(groups), mean(groups), size(groups), var(groups), a(groups), b(groups), rough_a(groups),
      rough_b(groups);
  for (size_t i = 0; i < x.size(); ++i) count[group(i)] += 1;
  for (size_t i = 0; i < x.size(); ++i)
    mean[group(i)] += x[i] / count[group(i)], size[group(i)] += std::abs(x[i]) / count[group(i)];
  for (size_t i = 0; i < x.size(); ++i)
    var[group(i)] += (x[i] - mean[group(i)]) * (x[i] - mean[group(i)]) / count[group(i)];
  if (given) mean = n.x[n.x.size() - 2], var = n.x.back(), size = Numbers(groups);
  const auto rstd = [&](size_t i) { return 1 / std::sqrt(var[group(i)] + eps); };
  const auto xhat = [&](size_t i) { return (x[i] - mean[group(i)]) * rstd(i); };
  const auto rough = [&](size_t i) { return (std::abs(x[i]) + std::abs(mean[group(i)]) + size[group(i)]) * rstd(i); };
  std::vector<Pulled> pulled(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i % static_cast<size_t>(channels);
    n.y[i].add(gamma[c] * xhat(i), std::abs(gamma[c]) * rough(i));
    n.y[i].add(beta[c]);
    if (add) n.y[i].add(n.x[3][i]);
    const auto [g, size] = pulled[i] = naive_after(after, n.g[i], n.got[i], n.y[i]);
    if (add) n.d[3][i].add(g, size);
    n.d[1][c].add(g * xhat(i), size * rough(i));
    n.d[2][c].add(g, size);
    a[group(i)] += gamma[c] * g / count[group(i)];
    b[group(i)] += gamma[c] * g * xhat(i) / count[group(i)];
    rough_a[group(i)] += std::abs(gamma[c]) * size / count[group(i)];
    rough_b[group(i)] += std::abs(gamma[c]) * size * rough(i) / count[group(i)];
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const double gamma_rstd = rstd(i) * gamma[i % static_cast<size_t>(channels)];
    n.d[0][i].add(gamma_rstd * pulled[i].g, std::abs(gamma_rstd) * pulled[i].size);
    if (given) continue;
    n.d[0][i].add(-rstd(i) * a[group(i)], rstd(i) * rough_a[group(i)]);
    n.d[0][i].add(-rstd(i) * xhat(i) * b[group(i)], rstd(i) * rough(i) * rough_b[group(i)]);
  }
}

inline void add_norms(Cases& cases) {
  enum Kind { kernel, definition, inference };
  for (const auto& [kind, name] :
       {std::pair{kernel, "batch_norm"}, {definition, "batch_norm_definition"}, {inference, "batch_norm_inference"}})
    cases.emplace_back(name, [kind = kind](Draw& d) {
      const Shape s = d.shape(1), c{s.channels()};
      const bool add = d.once_in(2);
      const After after = d.after();
      const real eps = d.once_in(4) ? real(0.3) : real(1e-5);
      Inputs x{d.values(s), d.values(c), d.values(c)};
      if (add) x.push_back(d.values(s));
      if (kind == inference) x.insert(x.end(), {d.values(c), d.positive(c)});
      const char* refusal = s.size() == 0                    ? "x must have values"
                            : kind == kernel && s.rows() < 2 ? "one value per channel"
                                                             : nullptr;
      return Case{x,
                  [=](const Inputs& in) {
                    const Epilogue then{add ? in[3] : Tensor(), after};
                    if (kind == inference)
                      return batch_norm_inference(in[0], in[in.size() - 2], in.back(), in[1], in[2], eps, then);
                    return kind == kernel ? batch_norm(in[0], in[1], in[2], eps, then).y
                                          : batch_norm_definition(in[0], in[1], in[2], eps, then);
                  },
                  s,
                  [=](Naive& n) {
                    const size_t channels = static_cast<size_t>(s.channels());
                    naive_norm(
                        n, s.channels(), channels, [=](size_t i) { return i % channels; }, static_cast<double>(eps),
                        add, after, kind == inference);
                  },
                  refusal,
                  64,
                  kind == inference ? size_t{2} : 0};
    });
  for (const bool plain : {false, true})
    cases.emplace_back(plain ? "group_norm_definition" : "group_norm", [plain](Draw& d) {
      Shape s = d.shape(2);
      const int64_t groups = d.between(1, 3);
      s = s.with_channels(s.channels() * groups);
      const Shape c{s.channels()};
      const int64_t of_a_group = s.size() == 0 ? 0 : s.size() / s[0] / groups;
      const bool add = d.once_in(2);
      const After after = d.after();
      const real eps = real(1e-3);
      Inputs x{d.values(s), d.values(c), d.values(c)};
      if (add) x.push_back(d.values(s));
      return Case{x,
                  [=](const Inputs& in) {
                    const Epilogue then{add ? in[3] : Tensor(), after};
                    return plain && of_a_group >= 2 ? group_norm_definition(in[0], groups, in[1], in[2], eps, then)
                           : groups == 1            ? layer_norm(in[0], in[1], in[2], eps, then)
                                                    : group_norm(in[0], groups, in[1], in[2], eps, then);
                  },
                  s,
                  [=](Naive& n) {
                    const size_t each = static_cast<size_t>(s.channels() / groups),
                                 example = n.x[0].size() / static_cast<size_t>(s[0]);
                    naive_norm(
                        n, s.channels(), static_cast<size_t>(s[0] * groups),
                        [=](size_t i) {
                          return i / example * static_cast<size_t>(groups) +
                                 i % static_cast<size_t>(s.channels()) / each;
                        },
                        static_cast<double>(eps), add, after);
                  },
                  s.size() == 0    ? "x must have values"
                  : of_a_group < 2 ? "one value per group"
                                   : nullptr,
                  64};
    });
}

inline Cases make_cases() {
  Cases cases;
  add_elementwise(cases);
  add_reductions(cases);
  add_pools(cases);
  add_products(cases);
  add_losses(cases);
  add_norms(cases);
  return cases;
}

// Runs all cases with poisoned memory; reports the first few that are wrong.
struct Poisoned {
  Poisoned() { poison_memory(true); }
  ~Poisoned() { poison_memory(false); }
  int64_t cases = 0, wrong = 0;
  void check_case(const std::string& op, const Make& make, Draw& draw, const std::string& which) {
    const Case c = make(draw);
    const std::string message = fault(c, draw);
    ++cases;
    if (message.empty()) return;
    ++wrong;
    std::string shapes;
    for (const Tensor& t : c.x) shapes += " " + t.shape().str();
    INFO(op, ", case ", which, ", inputs", shapes, ": ", message);
    if (wrong <= 20) CHECK(false);
  }
};

// Every op equals its naive definition, value and gradient, over random shapes, in poisoned memory. EVENKEEL_CASES: how
// many cases of each op.
inline void check_random_shapes() {
  const char* given = std::getenv("EVENKEEL_CASES");
  const int64_t count = given ? std::atoll(given) : 20;
  Poisoned run;
  const Cases ops = make_cases();
  for (const auto& [op, make] : ops)
    for (int64_t i = 0; i < count; ++i) {
      Draw draw(static_cast<uint64_t>(i));
      run.check_case(op, make, draw, std::to_string(i));
    }
  if (given) MESSAGE(ops.size(), " ops, ", run.cases, " cases, ", run.wrong, " wrong");
  CHECK(run.wrong == 0);
}

// Every op, on axes of 0, 1 and 2 in all combinations, gives what its definition says or an error that says why not.
inline void check_small_axes() {
  Poisoned run;
  for (const auto& [op, make] : make_cases()) {
    Draw draw(1, true);
    do run.check_case(op, make, draw, std::to_string(run.cases));
    while (draw.next());
  }
  CHECK(run.wrong == 0);
}

}  // namespace evenkeel::property
