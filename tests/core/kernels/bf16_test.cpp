// Products in bf16 against products in double of inputs rounded by hand: the error is a float32 sum's.
#include "core/kernels/bf16.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/ops/ops.h"

using namespace evenkeel;

namespace {

// v rounded to 8 significant bits: the nearest of the two neighbours in bf16, the even one in a tie.
double rounded(float v) {
  if (v == 0 || !std::isfinite(v)) return static_cast<double>(v);
  int exponent = 0;
  const double fraction = std::frexp(static_cast<double>(v), &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

std::vector<double> rounded(const Tensor& t) {
  std::vector<double> all;
  for (const real v : t.values()) all.push_back(rounded(v));
  return all;
}

// A sum in double, and the sum of its terms' absolute values.
struct Sum {
  double value = 0, size = 0;
  int terms = 0;
  void add(double term) {
    value += term;
    size += std::abs(term);
    ++terms;
  }
};

// A float32 sum of n terms, in any order, is within n 2^-24 of the terms' absolute sum (Higham 2002, section 4.2).
void check_sums(const Tensor& got, const std::vector<Sum>& exact) {
  REQUIRE(got.size() == static_cast<int64_t>(exact.size()));
  double worst = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double error = std::abs(static_cast<double>(got.data()[i]) - exact[i].value);
    const double bound = (exact[i].terms + 1) * std::ldexp(exact[i].size, -24);
    worst = std::max(worst, error == 0 ? 0 : std::isfinite(error) ? error / bound : 1e30);
  }
  CHECK(worst <= 1);
}

struct Poisoned {
  Poisoned() { poison_memory(true); }
  ~Poisoned() { poison_memory(false); }
};

struct Convolution {
  int64_t n, h, w, c, k, r, s;
  ConvOptions options;
};

void check_convolution(const Convolution& a, Random& random) {
  CAPTURE(a.n);
  CAPTURE(a.h);
  CAPTURE(a.w);
  CAPTURE(a.c);
  CAPTURE(a.k);
  CAPTURE(a.r);
  CAPTURE(a.s);
  CAPTURE(a.options.stride);
  CAPTURE(a.options.padding);
  CAPTURE(a.options.groups);
  const int64_t groups = a.options.groups, stride = a.options.stride, padding = a.options.padding;
  const Tensor x = Tensor::normal({a.n, a.h, a.w, a.c * groups}, random),
               w = Tensor::normal({a.k * groups, a.r, a.s, a.c}, random);
  const Shape y_shape = conv2d_shape(x.shape(), w.shape(), a.options);
  const Tensor g = Tensor::normal(y_shape, random);
  const auto xv = rounded(x), wv = rounded(w), gv = rounded(g);
  std::vector<Sum> y(static_cast<size_t>(g.size())), dx(xv.size()), dw(wv.size());
  for (int64_t at = 0; at < g.size(); ++at) {
    const int64_t f = at % (a.k * groups), q = at / (a.k * groups) % y_shape[2],
                  p = at / (a.k * groups) / y_shape[2] % y_shape[1], n = at / (a.k * groups) / y_shape[2] / y_shape[1];
    for (int64_t tap = 0; tap < a.r * a.s; ++tap) {
      const int64_t i = p * stride + tap / a.s - padding, j = q * stride + tap % a.s - padding;
      if (i < 0 || j < 0 || i >= a.h || j >= a.w) continue;
      for (int64_t c = 0; c < a.c; ++c) {
        const auto x_at = static_cast<size_t>(((n * a.h + i) * a.w + j) * a.c * groups + f / a.k * a.c + c),
                   w_at = static_cast<size_t>((f * a.r * a.s + tap) * a.c + c), g_at = static_cast<size_t>(at);
        y[g_at].add(xv[x_at] * wv[w_at]);
        dx[x_at].add(gv[g_at] * wv[w_at]);
        dw[w_at].add(gv[g_at] * xv[x_at]);
      }
    }
  }
  const UsePrecision precision(Precision::bf16);
  check_sums(conv2d(x, w, a.options), y);
  check_sums(conv2d_dx(g, w, x.shape(), a.options), dx);
  check_sums(conv2d_dw(x, g, w.shape(), a.options), dw);
}

}  // namespace

TEST_CASE("a number in bf16 is the nearest one, ties to even; infinities and NaN stay") {
  const auto back = [](float v) { return std::bit_cast<float>(static_cast<uint32_t>(to_bf16(v)) << 16); };
  Random random(1);
  for (int i = 0; i < 100'000; ++i) {
    const float v = std::bit_cast<float>(static_cast<uint32_t>(random.below(uint64_t{1} << 32)));
    if (!std::isnormal(v) || std::abs(v) > 3e38f) continue;
    CHECK(static_cast<double>(back(v)) == rounded(v));
  }
  CHECK(back(1 + 0x1p-8f) == 1);  // ties
  CHECK(back(1 + 3 * 0x1p-8f) == 1 + 4 * 0x1p-8f);
  CHECK(back(std::numeric_limits<float>::max()) == std::numeric_limits<float>::infinity());
  CHECK(back(-std::numeric_limits<float>::infinity()) == -std::numeric_limits<float>::infinity());
  CHECK(std::isnan(back(std::bit_cast<float>(0x7f800001u))));  // a NaN whose upper half alone is infinity
}

TEST_CASE("matrix products in bf16 are the products of rounded inputs, for any sizes and forms") {
  const Poisoned memory;
  Random random(2);
  const int64_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 48, 65, 130};
  for (int round = 0; round < 200; ++round) {
    auto pick = [&] { return sizes[random.below(std::size(sizes))]; };
    const bool ta = random.below(2), tb = random.below(2);
    const int64_t m = pick(), n = pick(), k = pick();
    CAPTURE(ta);
    CAPTURE(tb);
    CAPTURE(m);
    CAPTURE(n);
    CAPTURE(k);
    const Tensor a = Tensor::normal(ta ? Shape{k, m} : Shape{m, k}, random),
                 b = Tensor::normal(tb ? Shape{n, k} : Shape{k, n}, random);
    const auto av = rounded(a), bv = rounded(b);
    std::vector<Sum> c(static_cast<size_t>(m * n));
    for (int64_t i = 0; i < m * n; ++i)
      for (int64_t p = 0; p < k; ++p)
        c[static_cast<size_t>(i)].add(av[static_cast<size_t>(ta ? p * m + i / n : i / n * k + p)] *
                                      bv[static_cast<size_t>(tb ? i % n * k + p : p * n + i % n)]);
    const UsePrecision precision(Precision::bf16);
    check_sums(matmul(a, b, ta, tb), c);
  }
}

TEST_CASE("convolutions in bf16 and their adjoints are those of rounded inputs") {
  const Poisoned memory;
  Random random(3);
  for (const Convolution& a : {Convolution{2, 32, 32, 16, 20, 3, 3, {.padding = 1}},
                               {3, 8, 8, 40, 33, 3, 3, {.padding = 1}},
                               {9, 4, 4, 64, 32, 3, 3, {.padding = 1}},
                               {1, 70, 50, 3, 17, 5, 5, {.padding = 2}},
                               {2, 9, 7, 33, 16, 1, 1, {}},
                               {2, 16, 16, 16, 32, 3, 3, {.stride = 2, .padding = 1}},
                               {2, 11, 12, 5, 9, 2, 3, {.stride = 3, .padding = 2}},
                               {2, 6, 6, 7, 16, 2, 2, {.padding = 4}},
                               {2, 2, 2, 32, 16, 2, 2, {.stride = 9, .padding = 4}},  // windows of padding alone
                               {2, 7, 9, 16, 24, 3, 3, {.padding = 1, .groups = 2}},
                               {0, 5, 5, 4, 4, 3, 3, {}},
                               {2, 5, 5, 0, 4, 3, 3, {}},
                               {2, 5, 5, 4, 0, 3, 3, {}}})
    check_convolution(a, random);
  for (int round = 0; round < 60; ++round) {
    auto upto = [&](uint64_t most) { return 1 + static_cast<int64_t>(random.below(most)); };
    const int64_t r = upto(4), s = upto(4), padding = upto(4) - 1;
    check_convolution({upto(5),
                       std::max(r, upto(12)),
                       std::max(s, upto(12)),
                       upto(40),
                       upto(40),
                       r,
                       s,
                       {.stride = upto(3), .padding = padding}},
                      random);
  }
}

TEST_CASE("products in bf16 have the same bits for any number of threads") {
  const int before = threads();
  const UsePrecision precision(Precision::bf16);
  Random random(4);
  const Tensor x = Tensor::normal({20, 17, 13, 24}, random), w = Tensor::normal({40, 3, 3, 24}, random),
               a = Tensor::normal({300, 200}, random);
  std::vector<std::vector<real>> expected;
  for (const int count : {1, 2, 3, 8}) {
    set_threads(count);
    const ConvOptions o{.padding = 1};
    const Tensor y = conv2d(x, w, o);
    const std::vector<std::vector<real>> got{y.values(), conv2d_dx(y, w, x.shape(), o).values(),
                                             conv2d_dw(x, y, w.shape(), o).values(), matmul(a, a, true).values()};
    if (expected.empty()) expected = got;
    CHECK(got == expected);
  }
  set_threads(before);
}

TEST_CASE("the epilogue follows a product in bf16; prepared filters compute the same bits") {
  const UsePrecision precision(Precision::bf16);
  Random random(5);
  const Tensor x = Tensor::normal({3, 9, 10, 20}, random), w = Tensor::normal({35, 3, 3, 20}, random),
               bias = Tensor::normal({35}, random), more = Tensor::normal({3, 9, 10, 35}, random);
  const ConvOptions o{.padding = 1};
  const std::vector<real> fused = conv2d(x, w, o, bias, {.add = more, .after = After::relu}).values();
  CHECK(fused == relu(add_per_channel(conv2d(x, w, o), bias) + more).values());
  CHECK(fused == PreparedFilters(w, o)(x, bias, {.add = more, .after = After::relu}).values());
  const Tensor a = Tensor::normal({70, 50}, random), b = Tensor::normal({33, 50}, random),
               shift = Tensor::normal({33}, random);
  CHECK(linear(a, b, shift, {.after = After::relu}).values() ==
        relu(add_per_channel(matmul(a, b, false, true), shift)).values());
}

TEST_CASE("the precision is the thread's, for the lifetime of the object") {
  Random random(6);
  const Tensor a = Tensor::normal({40, 40}, random);
  const std::vector<real> exact = matmul(a, a).values();
  {
    const UsePrecision precision(Precision::bf16);
    CHECK(matmul(a, a).values() != exact);
    {
      const UsePrecision inner(Precision::float32);
      CHECK(matmul(a, a).values() == exact);
    }
    CHECK(matmul(a, a).values() != exact);
  }
  CHECK(matmul(a, a).values() == exact);
}

TEST_CASE("filters prepared in one precision are refused in the other") {
  const PreparedFilters filters(Tensor::full({4, 3, 3, 4}, 1), {});
  const UsePrecision precision(Precision::bf16);
  CHECK_THROWS_WITH_AS(filters(Tensor::full({1, 5, 5, 4}, 1)),
                       doctest::Contains("these filters were prepared in another precision"), Error);
}

namespace {

using Matrix = std::vector<std::vector<double>>;
using Round = double (*)(double);

Matrix matrix(const Tensor& t) {
  Matrix m(static_cast<size_t>(t.dim(0)), std::vector<double>(static_cast<size_t>(t.dim(1))));
  for (size_t i = 0; i < m.size(); ++i)
    for (size_t j = 0; j < m[i].size(); ++j) m[i][j] = static_cast<double>(t.data()[i * m[i].size() + j]);
  return m;
}
Matrix transposed(const Matrix& m) {
  Matrix t(m[0].size(), std::vector<double>(m.size()));
  for (size_t i = 0; i < m.size(); ++i)
    for (size_t j = 0; j < m[i].size(); ++j) t[j][i] = m[i][j];
  return t;
}
// a b^T of inputs that `round` rounds
Matrix product(const Matrix& a, const Matrix& b, Round round) {
  Matrix c(a.size(), std::vector<double>(b.size()));
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < b.size(); ++j)
      for (size_t p = 0; p < a[i].size(); ++p) c[i][j] += round(a[i][p]) * round(b[j][p]);
  return c;
}
// w -= lr v, v = momentum v + g
void move(Matrix& w, Matrix& v, const Matrix& g, double lr, double momentum) {
  for (size_t i = 0; i < w.size(); ++i)
    for (size_t j = 0; j < w[i].size(); ++j) w[i][j] -= lr * (v[i][j] = momentum * v[i][j] + g[i][j]);
}

// 30 steps of SGD on a network of two dense layers without biases, in double: the first layer's weights.
Matrix train_in_double(const Matrix& x, const std::vector<int32_t>& labels, Matrix w1, Matrix w2, double lr,
                       double momentum, Round round) {
  Matrix v1(w1.size(), std::vector<double>(w1[0].size())), v2(w2.size(), std::vector<double>(w2[0].size()));
  for (int step = 0; step < 30; ++step) {
    Matrix h = product(x, w1, round);
    for (auto& row : h)
      for (double& v : row) v = std::max(v, 0.0);
    Matrix d = product(h, w2, round);
    for (size_t i = 0; i < d.size(); ++i) {  // softmax - one-hot
      double sum = 0;
      for (double& v : d[i]) sum += v = std::exp(v);
      for (double& v : d[i]) v /= sum * static_cast<double>(d.size());
      d[i][static_cast<size_t>(labels[i])] -= 1 / static_cast<double>(d.size());
    }
    Matrix dh = product(d, transposed(w2), round);
    for (size_t i = 0; i < h.size(); ++i)
      for (size_t j = 0; j < h[i].size(); ++j) dh[i][j] = h[i][j] > 0 ? dh[i][j] : 0;
    const Matrix dw2 = product(transposed(d), transposed(h), round),
                 dw1 = product(transposed(dh), transposed(x), round);
    move(w2, v2, dw2, lr, momentum);
    move(w1, v1, dw1, lr, momentum);
  }
  return w1;
}

double largest_difference(const Matrix& a, const Matrix& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) worst = std::max(worst, std::abs(a[i][j] - b[i][j]));
  return worst;
}

}  // namespace

// About 60,000 numbers are rounded on the way. A float32 error of 2^-24 moves one of 2^16 across the middle between two
// bf16 numbers, which changes it by 2^-8: about one, and its weight by at most lr 2^-8 / 16 a step.
TEST_CASE("training in bf16 follows training in double with the same roundings") {
  Random random(8);
  const Tensor x = Tensor::normal({16, 12}, random);
  std::vector<int32_t> labels;
  for (int i = 0; i < 16; ++i) labels.push_back(static_cast<int32_t>(random.below(3)));
  Tensor w1 = Tensor::normal({8, 12}, random).track(), w2 = Tensor::normal({3, 8}, random).track();
  const Matrix before1 = matrix(w1), before2 = matrix(w2);
  const double lr = 0.125, momentum = 0.875;

  const UsePrecision precision(Precision::bf16);
  Tensor v1 = Tensor::zeros(w1.shape()), v2 = Tensor::zeros(w2.shape());
  for (int step = 0; step < 30; ++step) {
    const Grads g = grad(cross_entropy(linear(relu(linear(x, w1)), w2), labels), {w1, w2});
    v1.copy_from((v1 * real(momentum) + g[0]).detach());
    v2.copy_from((v2 * real(momentum) + g[1]).detach());
    w1.copy_from(w1.detach() - v1 * real(lr));
    w2.copy_from(w2.detach() - v2 * real(lr));
  }
  const Round to_bf16 = [](double v) { return rounded(static_cast<float>(v)); }, exact = [](double v) { return v; };
  CHECK(largest_difference(matrix(w1), train_in_double(matrix(x), labels, before1, before2, lr, momentum, to_bf16)) <
        1e-4);
  CHECK(largest_difference(matrix(w1), train_in_double(matrix(x), labels, before1, before2, lr, momentum, exact)) >
        1e-3);
}
