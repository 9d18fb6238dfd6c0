// Kernels read and write nothing beside their operands. Each operand lies against a page that must not be touched,
// behind it or before it: a fault there ends the test program. The results have the bits of ordinary memory.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "core/engine/tensor.h"
#include "core/kernels/conv.h"
#include "core/kernels/gemm.h"
#include "core/kernels/normalize.h"
#include "core/kernels/pool.h"
#include "core/kernels/winograd.h"
#include "core/ops/matmul.h"

using namespace evenkeel;

namespace {

enum class Fence { behind, before };

// n numbers, at first NaN, between two forbidden pages; they touch the one that `fence` says.
template <class T = real>
struct Fenced {
  Fenced(int64_t n, Fence fence) : size(n) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes = static_cast<size_t>(n) * sizeof(T),
                 inside = (bytes + page - 1) / page * page;
    mapped = inside + 2 * page;
    block = static_cast<char*>(mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(block != MAP_FAILED);
    REQUIRE((inside == 0 || mprotect(block + page, inside, PROT_READ | PROT_WRITE) == 0));
    data = reinterpret_cast<T*>(block + page + (fence == Fence::behind ? inside - bytes : 0));
    std::memset(static_cast<void*>(data), 0xff, bytes);
  }
  Fenced(const Tensor& t, Fence fence) : Fenced(t.size(), fence) { std::copy_n(t.data(), size, data); }
  ~Fenced() { munmap(block, mapped); }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  bool holds(const Fenced& other) const {
    return size == other.size && std::memcmp(data, other.data, static_cast<size_t>(size) * sizeof(T)) == 0;
  }

  int64_t size;
  size_t mapped;
  char* block;
  T* data;
};

// f(fence) with the operands behind and before a fence; both have the same bits.
template <class F>
void check_both(F f) {
  const auto first = f(Fence::behind), second = f(Fence::before);
  REQUIRE(first.size() == second.size());
  CHECK(std::memcmp(first.data(), second.data(), first.size() * sizeof(first[0])) == 0);
  int64_t unwritten = 0;
  for (const real v : first) unwritten += std::isnan(v);
  CHECK(unwritten == 0);
}

std::vector<real> values(const Fenced<>& t) { return {t.data, t.data + t.size}; }
void append(std::vector<real>& all, const Fenced<>& t) { all.insert(all.end(), t.data, t.data + t.size); }

}  // namespace

TEST_CASE("products touch nothing beside their operands, for any sizes and forms") {
  Random random(21);
  const int64_t sizes[] = {1, 2, 3, 5, 7, 13, 14, 15, 16, 17, 30, 31, 32, 33, 47, 70};
  const auto pick = [&] { return sizes[random.below(std::size(sizes))]; };
  for (const bool bf16 : {false, true})
    for (int round = 0; round < 100; ++round) {
      const bool ta = random.below(2), tb = random.below(2);
      const int64_t m = round % 10 == 0 ? 8 * pick() : pick(), n = round % 10 == 1 ? 8 * pick() : pick(),
                    k = round % 10 == 2 ? 100 * pick() : pick();
      CAPTURE(bf16);
      CAPTURE(ta);
      CAPTURE(tb);
      CAPTURE(m);
      CAPTURE(n);
      CAPTURE(k);
      const Tensor a = Tensor::normal({m * k}, random), b = Tensor::normal({k * n}, random);
      check_both([&](Fence fence) {
        const Fenced<> left(a, fence), right(b, fence), c(m * n, fence);
        const UsePrecision precision(bf16 ? Precision::bf16 : Precision::float32);
        gemm_blocked(ta, tb, m, n, k, left.data, right.data, c.data);
        return values(c);
      });
      if (bf16) continue;
      check_both([&](Fence fence) {
        const Fenced<> left(a, fence), right(b, fence), c(m * n, fence);
        gemm(ta, tb, m, n, k, left.data, ta ? m : k, right.data, tb ? k : n, false, c.data, n);
        return values(c);
      });
      check_both([&](Fence fence) {
        const Fenced<> left(a, fence), right(b, fence), packed(packed_size(n, k), fence), c(m * n, fence);
        pack(tb, n, k, right.data, tb ? k : n, packed.data);
        for (int64_t begin = 0; begin < n; begin += 64)
          gemm_packed(m, n, k, left.data, k, packed.data, c.data, begin, std::min(begin + 64, n));
        return values(c);
      });
    }
}

TEST_CASE("convolutions touch nothing beside their operands, for any sizes and forms") {
  Random random(22);
  for (int round = 0; round < 150; ++round) {
    const auto upto = [&](uint64_t most) { return 1 + static_cast<int64_t>(random.below(most)); };
    ConvSizes a{};
    const bool square = random.below(2);
    a.n = round % 10 == 0 ? 71 : upto(3), a.r = square ? 3 + 2 * (upto(2) - 1) : upto(4), a.s = square ? a.r : upto(4);
    a.h = a.r + upto(12) - 1, a.w = a.s + upto(12) - 1;
    a.groups = upto(5) == 1 ? upto(3) : 1;
    const bool depthwise = a.groups == 1 && upto(6) == 1;
    if (depthwise) a.groups = upto(40);
    a.c = depthwise ? 1 : square ? 14 + upto(20) : upto(20), a.k = depthwise ? 1 : square ? 14 + upto(20) : upto(40);
    a.stride = square ? 1 : upto(3), a.padding = upto(4) - 1;
    a.p = (a.h + 2 * a.padding - a.r) / a.stride + 1, a.q = (a.w + 2 * a.padding - a.s) / a.stride + 1;
    const Tensor x = Tensor::normal({a.n * a.h * a.w * a.c * a.groups}, random),
                 w = Tensor::normal({a.k * a.groups * a.r * a.s * a.c}, random),
                 g = Tensor::normal({a.n * a.p * a.q * a.k * a.groups}, random),
                 bias = Tensor::normal({a.k * a.groups}, random);
    for (const ConvForm form : {ConvForm::direct, ConvForm::winograd, ConvForm::winograd_small, ConvForm::bf16}) {
      const bool by_tiles = form == ConvForm::winograd || form == ConvForm::winograd_small;
      if (by_tiles && !winograd_applies(a, form)) continue;
      CAPTURE(static_cast<int>(form));
      CAPTURE(round);
      check_both([&](Fence fence) {
        const Fenced<> xf(x, fence), wf(w, fence), gf(g, fence), y(g.size(), fence), more(g, fence);
        const Fenced<> filters(conv_filters_size(a, form), Fence::behind);
        conv_pack_filters(a, form, wf.data, filters.data);
        conv_forward(a, form, xf.data, filters.data, y.data, Finish(y.data, bias.values(), more.data, true));
        std::vector<real> all = values(y);
        if (conv_gathers_moments(a, form)) {
          std::vector<Moments> parts;
          conv_forward(a, form, xf.data, filters.data, y.data, {}, &parts);
          append(all, y);
        }
        if (conv_pools(a, form) && a.p > 1 && a.q > 1) {
          const int64_t size = a.n * (a.p / 2) * (a.q / 2) * a.k;
          const Fenced<> pooled(size, fence);
          const Fenced<uint8_t> winners(size, fence);
          PooledCells cells;
          cells.winners = winners.data;
          conv_forward(a, form, xf.data, filters.data, pooled.data, {}, nullptr, &cells);
          append(all, pooled);
        }
        if (form == ConvForm::winograd_small) return all;
        const Fenced<> dx(x.size(), fence), dw(w.size(), fence);
        conv_backward_x(a, form, gf.data, wf.data, dx.data);
        conv_backward_w(a, form, xf.data, gf.data, dw.data);
        append(all, dx);
        append(all, dw);
        return all;
      });
    }
  }
}

TEST_CASE("pools touch nothing beside their operands, for any sizes") {
  Random random(23);
  const auto upto = [&](uint64_t most) { return 1 + static_cast<int64_t>(random.below(most)); };
  for (int round = 0; round < 100; ++round) {
    PoolSizes a{};
    a.n = round % 10 == 0 ? 71 : upto(3), a.size = upto(4), a.stride = upto(5),
    a.padding = upto(static_cast<uint64_t>(a.size / 2 + 1)) - 1;
    a.h = a.size + upto(8) - 1, a.w = a.size + upto(8) - 1, a.c = upto(40);
    a.p = (a.h + 2 * a.padding - a.size) / a.stride + 1, a.q = (a.w + 2 * a.padding - a.size) / a.stride + 1;
    CAPTURE(round);
    const Tensor x = Tensor::normal({a.n * a.h * a.w * a.c}, random),
                 g = Tensor::normal({a.n * a.p * a.q * a.c}, random);
    check_both([&](Fence fence) {
      const Fenced<> xf(x, fence), gf(g, fence), y(g.size(), fence), picked(g.size(), fence), mean(g.size(), fence),
          dx(x.size(), fence), spread(x.size(), fence);
      const Fenced<uint8_t> winners(g.size(), fence);
      max_cells(a, xf.data, winners.data, y.data);
      pick_cells(a, xf.data, winners.data, picked.data);
      CHECK(values(picked) == values(y));
      unpick_cells(a, gf.data, winners.data, dx.data);
      average_cells(a, xf.data, mean.data);
      spread_cells(a, gf.data, spread.data);
      std::vector<real> all;
      for (const Fenced<>* t : {&y, &dx, &mean, &spread}) append(all, *t);
      return all;
    });
  }
}

TEST_CASE("norms touch nothing beside their operands, for any sizes") {
  Random random(24);
  for (const auto& size : {std::array<int64_t, 2>{2, 1}, {500, 1}, {77, 3}, {3, 31}, {40, 130}, {5, 1000}}) {
    const int64_t rows = size[0], channels = size[1];
    const Tensor x = Tensor::normal({rows * channels}, random), g = Tensor::normal({rows * channels}, random),
                 add = Tensor::normal({rows * channels}, random), gamma = Tensor::normal({channels}, random),
                 beta = Tensor::normal({channels}, random);
    for (const After after : {After::nothing, After::relu, After::gelu})
      for (const bool with_add : {false, true})
        check_both([&](Fence fence) {
          const Fenced<> xf(x, fence), gf(g, fence), more(add, fence), y(x.size(), fence), dx(x.size(), fence),
              pulled(x.size(), fence), gammas(gamma, fence), betas(beta, fence);
          const Moments m = moments_of_rows(xf.data, rows, channels);
          std::vector<double> var = m.squares;
          for (double& v : var) v /= m.count;
          const Affine affine(m.mean, var, 1e-5, channels, gammas.data, betas.data);
          normalize_batch(affine, rows, xf.data, with_add ? more.data : nullptr, after, y.data);
          const bool first = after == After::gelu || (after == After::relu && with_add);
          const GradientSums sums =
              batch_gradient_sums(affine, rows, xf.data, gf.data,
                                  {after, with_add ? more.data : nullptr,
                                   after == After::relu && with_add ? y.data : nullptr, first ? pulled.data : nullptr});
          normalize_batch_backward(NormGradient(affine, gammas.data, sums, static_cast<double>(rows), false), rows,
                                   xf.data, first ? pulled.data : gf.data, after == After::relu && !first, dx.data);
          std::vector<real> all = values(y);
          append(all, dx);
          return all;
        });
  }
}
