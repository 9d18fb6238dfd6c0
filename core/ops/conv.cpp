#include "core/ops/conv.h"

#include <algorithm>

#include "core/base/parallel.h"
#include "core/kernels/conv.h"
#include "core/kernels/finish.h"
#include "core/kernels/gemm.h"
#include "core/kernels/winograd.h"
#include "core/ops/pool.h"

namespace evenkeel {
namespace {

ConvSizes sizes_of(const char* op, const Shape& x, const Shape& w, const ConvOptions& o) {
  check(x.rank() == 4 && w.rank() == 4, "{}: needs x (N, H, W, C) and w (K, R, S, C), got {} and {}", op, x, w);
  check(o.groups >= 1 && x[3] % o.groups == 0 && w[0] % o.groups == 0,
        "{}: the groups must divide channels and filters, got {} groups, {} channels and {} filters", op, o.groups,
        x[3], w[0]);
  const int64_t groups = std::min(o.groups, std::max<int64_t>({1, x[3], w[0]}));  // without channels and filters: one
  check(x[3] == w[3] * groups,
        "{}: x {} has {} channels, w {} expects {}; the last axis has the channels, as to_channels_last() leaves them",
        op, x, x[3], w, w[3] * groups);
  check(o.stride >= 1 && o.padding >= 0 && o.padding <= Shape::max_size,
        "{}: stride must be at least 1 and padding 0 to 2^58, got {} and {}", op, o.stride, o.padding);
  check(w[1] >= 1 && w[2] >= 1 && x[1] + 2 * o.padding >= w[1] && x[2] + 2 * o.padding >= w[2],
        "{}: the kernel of {} x {} must fit into the padded image of {} x {}; x is {}, padding {}", op, w[1], w[2],
        x[1] + 2 * o.padding, x[2] + 2 * o.padding, x, o.padding);
  // All strides beyond the padded image are one: there is one window. The kernels' sums and memory stay small.
  const int64_t stride = std::min(o.stride, std::max(x[1], x[2]) + 2 * o.padding);
  const int64_t p = (x[1] + 2 * o.padding - w[1]) / stride + 1, q = (x[2] + 2 * o.padding - w[2]) / stride + 1;
  return {x[0], x[1], x[2], w[3], w[0] / groups, w[1], w[2], p, q, stride, o.padding, groups};
}

Shape y_shape(const ConvSizes& a) { return {a.n, a.p, a.q, a.k * a.groups}; }

ConvSizes sizes_of(const char* op, const Shape& x, const Shape& w, const Shape& g, const ConvOptions& o) {
  const ConvSizes a = sizes_of(op, x, w, o);
  const Shape y = y_shape(a);
  check(g == y, "{}: x {} and w {} make a result of {}, the cotangent is {}", op, x, w, y, g);
  return a;
}

// For a w that is packed for this product alone. Winograd's form needs at least 16 input and 16 output channels. It
// pays if it saves half of the multiplications or more; transforming the filters counts as 64 more tiles.
ConvForm form_of(const ConvSizes& a, ConvAlgorithm algorithm) {
  check(algorithm != ConvAlgorithm::winograd || winograd_applies(a, ConvForm::winograd),
        "conv2d: the Winograd form needs stride 1, a kernel of 3x3 or 5x5, at least 16 channels in and out in "
        "each group and a result of at least 2x2; got stride {}, {}x{}, {} and {}, and {}x{}",
        a.stride, a.r, a.s, a.c, a.k, a.p, a.q);
  if (algorithm == ConvAlgorithm::winograd) return ConvForm::winograd;
  if (thread_settings().bf16) return ConvForm::bf16;
  const bool pays = winograd_applies(a, ConvForm::winograd) &&
                    2 * winograd_products(a, ConvForm::winograd, 64) <= a.n * a.p * a.q * a.r * a.s;
  return pays && algorithm == ConvAlgorithm::automatic ? ConvForm::winograd : ConvForm::direct;
}

// For filters that were packed before: the form with the least cost, in products of the direct form. Reading the
// filters costs as much as 8 pixels or 6 tiles, and Winograd's transforms a part of each product. The numbers fit times
// on two cores with AVX-512 and with AVX2, for 1 to 16 images of 3 to 32 pixels a side and 16 to 512 channels.
ConvForm prepared_form_of(const ConvSizes& a, ConvAlgorithm algorithm) {
  const ConvForm form = form_of(a, algorithm);
  if (algorithm != ConvAlgorithm::automatic || form == ConvForm::bf16) return form;
  ConvForm best = ConvForm::direct;
  double least = static_cast<double>((a.n * a.p * a.q + 8) * a.r * a.s);
  for (const auto& [other, each] : {std::pair(ConvForm::winograd, 1.4), std::pair(ConvForm::winograd_small, 1.1)}) {
    if (!winograd_applies(a, other)) continue;
    const double cost = each * static_cast<double>(winograd_products(a, other, 6));
    if (cost < least) best = other, least = cost;
  }
  return best;
}

// Whether the kernel can do all of the epilogue that comes before the pooling, and the pooling.
bool pools(const ConvSizes& a, ConvForm form, const Epilogue& then) {
  return conv_pools(a, form) && !then.add.defined() && then.after != After::gelu;
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& w, const ConvOptions& options) {
  const ConvSizes a = sizes_of("conv2d", x, w, options);
  return y_shape(a);
}

// y is linear in x and in w, so each of the three ops has the other two as derivatives.
Tensor conv2d(const Tensor& x, const Tensor& w, const ConvOptions& options, const Tensor& bias, const Epilogue& then) {
  const ConvSizes a = sizes_of("conv2d", x.shape(), w.shape(), options);
  const ConvForm form = form_of(a, options.algorithm);
  if (then.pool && !pools(a, form, then)) return max_pool(conv2d(x, w, options, bias, then.without_pool()));
  const auto pool = then.pool ? std::make_shared<FusedMaxPool>(y_shape(a)) : nullptr;
  Tensor y = Tensor::empty(pool ? pool->y : y_shape(a));
  const Storage filters(conv_filters_size(a, form));
  conv_pack_filters(a, form, w.data(), filters.data);
  const Finish finish = then.finish("conv2d", bias, y);
  std::vector<Moments> parts;
  const bool gather =
      then.moments && !finish && then.after == After::nothing && y.size() > 0 && conv_gathers_moments(a, form);
  conv_forward(a, form, x.data(), filters.data, y.mutable_data(), finish, gather ? &parts : nullptr,
               pool ? pool->cells.get() : nullptr);
  if (gather) y.storage()->moments = std::make_shared<const Moments>(merged(std::move(parts)));
  return then.record(
      y, x, w, bias, [=](const Tensor& image, const Tensor& weight) { return conv2d(image, weight, options); },
      [=](const Tensor& dv) {
        return Grads{x.tracked() ? conv2d_dx(dv, w, x.shape(), options) : Tensor(),
                     w.tracked() ? conv2d_dw(x, dv, w.shape(), options) : Tensor()};
      },
      pool ? Unpool([pool](const Tensor& out, const Tensor& g) { return pool->adjoint(out, g); }) : Unpool());
}

PreparedFilters::PreparedFilters(const Tensor& w, const ConvOptions& options)
    : w_shape_(w.shape()), options_(options), blas_(uses_blas()) {
  // The packed forms do not depend on the image, and a large image needs all of them.
  const Shape& k = w_shape_;
  const ConvSizes a = sizes_of("conv2d", {1, k[1] + 255, k[2] + 255, k[3] * options.groups}, k, options);
  const auto prepare = [&](ConvForm form) {
    const auto filters = std::make_shared<Storage>(conv_filters_size(a, form));
    conv_pack_filters(a, form, w.data(), filters->data);
    packed_[static_cast<size_t>(form)] = filters;
  };
  const ConvForm largest = prepared_form_of(a, options.algorithm);
  prepare(largest);
  if (largest != ConvForm::winograd || options.algorithm != ConvAlgorithm::automatic) return;
  prepare(ConvForm::direct);
  if (winograd_applies(a, ConvForm::winograd_small)) prepare(ConvForm::winograd_small);
}

Tensor PreparedFilters::operator()(const Tensor& x, const Tensor& bias, const Epilogue& then) const {
  const ConvSizes a = sizes_of("conv2d", x.shape(), w_shape_, options_);
  const ConvForm form = prepared_form_of(a, options_.algorithm);
  const Storage* filters = packed_[static_cast<size_t>(form)].get();
  check(filters && blas_ == uses_blas(),
        "conv2d: these filters were prepared in another precision than this one, or for other products (set_blas()); "
        "prepare them again");
  if (then.pool && !pools(a, form, then)) return max_pool((*this)(x, bias, then.without_pool()));
  Tensor y = Tensor::empty(then.pool ? pool_shape("max_pool", y_shape(a), {}) : y_shape(a));
  PooledCells cells;
  conv_forward(a, form, x.data(), filters->data, y.mutable_data(), then.finish("conv2d", bias, y), nullptr,
               then.pool ? &cells : nullptr);
  return then.rest(record(y, {x}, [](const Tensor&, const Tensor&) -> Grads {
    fail(Fault::failed, "conv2d: filters prepared for inference have no gradient; call conv2d() to train");
  }));
}

Tensor conv2d_dx(const Tensor& g, const Tensor& w, const Shape& x_shape, const ConvOptions& options) {
  const ConvSizes a = sizes_of("conv2d_dx", x_shape, w.shape(), g.shape(), options);
  Tensor dx = Tensor::empty(x_shape);
  conv_backward_x(a, form_of(a, options.algorithm), g.data(), w.data(), dx.mutable_data());
  return record(dx, {g, w}, [=](const Tensor& h) {
    return Grads{g.tracked() ? conv2d(h, w, options) : Tensor(),
                 w.tracked() ? conv2d_dw(h, g, w.shape(), options) : Tensor()};
  });
}

Tensor conv2d_dw(const Tensor& x, const Tensor& g, const Shape& w_shape, const ConvOptions& options) {
  const ConvSizes a = sizes_of("conv2d_dw", x.shape(), w_shape, g.shape(), options);
  Tensor dw = Tensor::empty(w_shape);
  conv_backward_w(a, form_of(a, options.algorithm), x.data(), g.data(), dw.mutable_data());
  return record(dw, {x, g}, [=](const Tensor& h) {
    return Grads{x.tracked() ? conv2d_dx(g, h, x.shape(), options) : Tensor(),
                 g.tracked() ? conv2d(x, h, options) : Tensor()};
  });
}

}  // namespace evenkeel
