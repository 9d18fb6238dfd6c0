// Winograd's convolution: blocks of tiles are transformed, multiplied and transformed back (winograd_scheme.h).
#include "core/kernels/winograd.h"

#include <algorithm>

#include "core/base/memory.h"
#include "core/base/parallel.h"
#include "core/base/scratch.h"
#include "core/kernels/gemm.h"
#include "core/kernels/winograd_scheme.h"
#include "core/kernels/winograd_tiles.h"

namespace evenkeel {
namespace {

using namespace winograd;

// The number of tiles that are transformed, multiplied and transformed back together.
constexpr int64_t block = 30 / gemm_rows * gemm_rows;
// in_cache: floats that stay in a core's L2 cache (processors with AVX-512 have at least 1 MiB of it).
// large_block: the tiles of a block in two cases. The filters' transforms have more than 2 in_cache floats: they are
// read again for every block. Or they have at most short_products floats: the calls of short products cost time.
// in_l3: floats of a part of the tiles' transforms that stay in the L3 cache.
// With AVX2 larger parts were slower; larger blocks were not measured.
#if defined(__AVX512F__)
constexpr int64_t in_cache = 1 << 18, large_block = 2 * block, in_l3 = 1 << 22;
#else
constexpr int64_t in_cache = 1 << 16, large_block = block, in_l3 = 1 << 19;
#endif

constexpr int64_t short_products = 1 << 14;

// The input of the next block is prefetched during the products, if the filters' transforms are at most this large, in
// floats. With larger filters the prefetches delayed the products, and cost 5 to 15 %.
constexpr int64_t prefetch_beside = 1 << 16;

// Tiles of m x m outputs that cover p x q.
struct Grid {
  Grid(int64_t p, int64_t q, int64_t m) : down((p + m - 1) / m), across((q + m - 1) / m) {}
  int64_t down, across;
};

// packed = the transformed filters of w (k, r, r, c): n^2 matrices c x k, each packed for gemm_packed. `rotated`, for
// the data gradient: the filters from the last tap to the first, and matrices k x c.
template <class S>
void pack_filters(const real* w, int64_t k, int64_t c, bool rotated, real* packed) {
  constexpr int64_t r = S::taps;
  const Matrices<S, Storage> u(by_matrix, k, c);
  const int64_t first = rotated ? (r * r - 1) * c : 0, next = rotated ? -c : c;
  parallel_blocks(k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      transform<Filter<S>>(View<const real>{w + i * r * r * c + first, r * next, next}, u.row(i), c);
  });
  const int64_t out = rotated ? c : k, in = rotated ? k : c, size = packed_size(out, in);
  parallel_for(S::products, [&](int64_t e) { pack(!rotated, out, in, u[e], c, packed + e * size); });
}

// y = epilogue(x convolved with packed filters). x (n, h, w, c), y (n, p, q, k), or (n, p / 2, q / 2, k) if `pooled`.
template <class S>
void convolve(const real* x, int64_t n, int64_t h, int64_t w, int64_t c, const real* packed, real* y, int64_t p,
              int64_t q, int64_t k, int64_t padding, const Finish& finish, std::vector<Moments>* moments = nullptr,
              PooledCells* pooled = nullptr) {
  constexpr int products = S::products, outputs = S::outputs;
  const Grid a(p, q, outputs);
  const int64_t size = packed_size(k, c), tiles = n * a.down * a.across;
  const Tiles<const real> from{x, h, w, c, a.down, a.across, S::points, outputs, padding};
  const Tiles<real> to{y, p, q, k, a.down, a.across, outputs, outputs, 0};
  const bool streamed =
      worth_streaming(pooled ? n * (p / 2) * (q / 2) * k : n * p * q * k, k) && k % (Stream::vecs * lanes) == 0;
  const int64_t filters = products * c * k,
                most = filters > 2 * in_cache || filters <= short_products ? large_block : block,
                together = std::clamp<int64_t>((tiles + 1) / 2, 8, most);
  const bool ahead = filters <= prefetch_beside;
  // Writes a block of tiles, and sets its part of the moments.
  const auto write = [&](const auto& product, int64_t begin, int64_t end, int64_t first, int64_t part, bool stream) {
    using Output = EvaluateTransposed<S, outputs>;
    RowMoments gathered(moments ? k : 0);
    RowMoments* const gather = moments ? &gathered : nullptr;
    if (pooled)
      write_pooled_tiles<Output>(product, begin, end, first, to, finish, *pooled, stream && !gather, gather);
    else
      write_tiles<Output>(product, begin, end, first, to, finish, stream, gather);
    if (gather) (*moments)[static_cast<size_t>(part)] = gathered.result();
  };
  const auto parts = [&](int64_t each) {
    if (moments) moments->resize(static_cast<size_t>((tiles + each - 1) / each));
  };
  // Filters that stay in each core's cache, or many tiles: in blocks, whose transforms stay there too.
  if (tiles > 4 * most || filters <= in_cache) {
    parts(together);
    // A group of consecutive blocks runs on one thread, because each block prefetches the input of the next.
    const int64_t blocks = (tiles + together - 1) / together,
                  group = ahead ? std::clamp<int64_t>(blocks / 16, 1, 8) : 1;
    return parallel_blocks(blocks, group, [&](int64_t first_block, int64_t last_block) {
      const Matrices<S, Scratch<real>> v(by_row, together, c), product(by_matrix, together, k);
      const int64_t last = std::min(last_block * together, tiles);
      for (int64_t begin = first_block * together; begin < last; begin += together) {
        const int64_t end = std::min(begin + together, last), count = end - begin;
        read_tiles<Input<S>>(from, begin, end, begin, v);
        Prefetch input = prefetch_tiles(from, end, ahead ? std::min(end + together, last) : end, products);
        for (int e = 0; e < products; ++e) {
          input.next();
          gemm_packed(count, k, c, v[e], v.row_step, packed + e * size, product[e], 0, k);
        }
        write(product, begin, end, begin, begin / together, streamed);
      }
    });
  }
  // Few tiles: all at once, so that the filters, now the larger part, are read only once.
  const Matrices<S, Storage> v(by_row, tiles, c), product(by_matrix, tiles, k);
  const int64_t some = std::clamp<int64_t>(tiles / 8, 1, 8);
  parallel_blocks(tiles, some, [&](int64_t begin, int64_t end) { read_tiles<Input<S>>(from, begin, end, 0, v); });
  parallel_for(products,
               [&](int64_t e) { gemm_packed(tiles, k, c, v[e], v.row_step, packed + e * size, product[e], 0, k); });
  parts(some);
  parallel_blocks(tiles, some, [&](int64_t begin, int64_t end) { write(product, begin, end, 0, begin / some, false); });
}

template <class S>
void backward_x(const ConvSizes& a, const real* g, const real* w, real* dx) {
  const Storage packed(S::products * packed_size(a.c, a.k));
  pack_filters<S>(w, a.k, a.c, true, packed.data);
  convolve<S>(g, a.n, a.p, a.q, a.k, packed.data, dx, a.h, a.w, a.c, S::taps - 1 - a.padding, Finish());
}

// Few channels: each thread has its own sums, which stay in its cache with the tiles that it transforms. Many channels:
// all threads transform a part of the tiles; then all threads add that part's products to the sums; and so on. A part
// stays in the L3 cache, but has enough tiles to pay for reading and writing the sums.
// The products read columns of v and z, so v and z are stored matrix by matrix: interleaved by rows, each step down a
// column would touch another page.
template <class S>
void backward_w(const ConvSizes& a, const real* x, const real* g, real* dw) {
  constexpr int products = S::products, outputs = S::outputs, r = S::taps;
  const Grid grid(a.p, a.q, outputs);
  const int64_t tiles = a.n * grid.down * grid.across, size = a.k * r * r * a.c;
  const Tiles<const real> x_tiles{x, a.h, a.w, a.c, grid.down, grid.across, S::points, outputs, a.padding},
      g_tiles{g, a.p, a.q, a.k, grid.down, grid.across, outputs, outputs, 0};
  auto read = [&](int64_t begin, int64_t end, int64_t first, const auto& v, const auto& z) {
    read_tiles<Input<S>>(x_tiles, begin, end, first, v);
    read_tiles<Evaluate<S, outputs>>(g_tiles, begin, end, first, z);
  };
  auto add_product = [&](int64_t e, int64_t count, bool add, const auto& v, const auto& z, const auto& sum) {
    gemm(true, false, a.k, a.c, count, z[e], z.row_step, v[e], v.row_step, add, sum[e], a.c);
  };
  auto write = [&](int64_t k, const auto& sum, real* to) {
    transform<FilterTransposed<S>>(sum.row(k), View<real>{to + k * r * r * a.c, r * a.c, a.c}, a.c);
  };
  if (tiles == 0 || products * a.k * a.c <= in_cache) {
    const int64_t each = products * (a.c + a.k) * 2 * block <= in_cache ? 2 * block : block,
                  group = std::max((tiles / 64 + each - 1) / each * each, 4 * block),
                  groups = (tiles + group - 1) / group;
    const bool ahead = products * a.k * a.c <= prefetch_beside;
    const Storage partial(groups * size);
    parallel_for(groups, [&](int64_t i) {
      const Matrices<S, Scratch<real>> v(by_matrix, each, a.c), z(by_matrix, each, a.k), sum(by_matrix, a.k, a.c);
      const int64_t first = i * group, last = std::min(first + group, tiles);
      for (int64_t begin = first; begin < last; begin += each) {
        const int64_t end = std::min(begin + each, last);
        read(begin, end, begin, v, z);
        const int64_t next = ahead ? std::min(end + each, last) : end;
        Prefetch of_x = prefetch_tiles(x_tiles, end, next, products),
                 of_g = prefetch_tiles(g_tiles, end, next, products);
        for (int e = 0; e < products; ++e) {
          of_x.next();
          of_g.next();
          add_product(e, end - begin, begin > first, v, z, sum);
        }
      }
      for (int64_t k = 0; k < a.k; ++k) write(k, sum, partial.data + i * size);
    });
    return add_in_order(groups, size, partial.data, dw);
  }
  const int64_t large = std::min(tiles, std::max<int64_t>(in_l3 / (products * (a.c + a.k)), 120) / block * block);
  const Matrices<S, Storage> v(by_matrix, large, a.c), z(by_matrix, large, a.k), sum(by_matrix, a.k, a.c);
  for (int64_t first = 0; first < tiles; first += large) {
    const int64_t count = std::min(large, tiles - first);
    parallel_blocks(count, 16, [&](int64_t begin, int64_t end) { read(first + begin, first + end, first, v, z); });
    parallel_for(products, [&](int64_t e) { add_product(e, count, first > 0, v, z, sum); });
  }
  parallel_blocks(a.k, 16, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) write(k, sum, dw);
  });
}

using Small = Scheme<3, 2>;
using Three = Scheme<3, 4>;
using Five = Scheme<5, 4>;

// f with the scheme of a form.
template <class F>
void with_scheme(const ConvSizes& a, ConvForm form, const F& f) {
  if (form == ConvForm::winograd_small)
    f.template operator()<Small>();
  else if (a.r == 3)
    f.template operator()<Three>();
  else
    f.template operator()<Five>();
}

int64_t outputs_of(ConvForm form) { return form == ConvForm::winograd_small ? Small::outputs : Three::outputs; }

int64_t products_of_a_tile(const ConvSizes& a, ConvForm form) {
  const int64_t points = a.r + outputs_of(form) - 1;
  return points * points;
}

}  // namespace

bool winograd_applies(const ConvSizes& a, ConvForm form) {
  return a.stride == 1 && a.r == a.s && (a.r == 3 || (a.r == 5 && form == ConvForm::winograd)) && a.c >= 16 &&
         a.k >= 16 && a.p >= 2 && a.q >= 2;
}
int64_t winograd_products(const ConvSizes& a, ConvForm form, int64_t more_tiles) {
  const Grid grid(a.p, a.q, outputs_of(form));
  return products_of_a_tile(a, form) * (a.n * grid.down * grid.across + more_tiles);
}

int64_t winograd_filters_size(const ConvSizes& a, ConvForm form) {
  return products_of_a_tile(a, form) * packed_size(a.k, a.c);
}
void winograd_filters(const ConvSizes& a, ConvForm form, const real* w, real* filters) {
  with_scheme(a, form, [&]<class S>() { pack_filters<S>(w, a.k, a.c, false, filters); });
}
void winograd_forward(const ConvSizes& a, ConvForm form, const real* x, const real* filters, real* y,
                      const Finish& finish, std::vector<Moments>* moments, PooledCells* pooled) {
  with_scheme(a, form, [&]<class S>() {
    convolve<S>(x, a.n, a.h, a.w, a.c, filters, y, a.p, a.q, a.k, a.padding, finish, moments, pooled);
  });
}
void winograd_backward_x(const ConvSizes& a, const real* g, const real* w, real* dx) {
  a.r == 3 ? backward_x<Three>(a, g, w, dx) : backward_x<Five>(a, g, w, dx);
}
void winograd_backward_w(const ConvSizes& a, const real* x, const real* g, real* dw) {
  a.r == 3 ? backward_w<Three>(a, x, g, dw) : backward_w<Five>(a, x, g, dw);
}

}  // namespace evenkeel
