// Privacy: with batch statistics there are no per-example gradients; with group statistics there are: claim A10.4.
#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

struct Parameters {
  int64_t groups = 2;
  static void each(auto& o, auto&& option) {
    option("groups", o.groups, Range{1, 4}, "groups of the eight features for group norm");
  }
};

constexpr int64_t features = 8, classes = 3;

struct Net {
  Tensor w1, w2;
  bool batch;
  int64_t groups;
  Tensor logits(const Tensor& x) const {
    const Tensor z = matmul(x, w1);
    return matmul(tanh(batch ? standardise(z).y : group_norm(z, groups, ones(features), zeros(features))), w2);
  }
};

// The largest change of the other examples' outputs when the first example changes.
double moved(const Net& net, int64_t m, Random& random) {
  const Tensor x = Tensor::normal({m, features}, random), before = net.logits(x);
  Tensor other = x.clone();
  for (int64_t f = 0; f < features; ++f) other.mutable_data()[f] = random.normal();
  const Tensor after = net.logits(other);
  double most = 0;
  for (int64_t i = classes; i < before.size(); ++i) most = std::max(most, std::abs(after.data()[i] - before.data()[i]));
  return most;
}

void run(Lab& lab, const Parameters& p) {
  Random random(1);
  const Net bn{Tensor::normal({features, features}, random).track(),
               Tensor::normal({features, classes}, random).track(), true, p.groups},
      gn{bn.w1, bn.w2, false, p.groups};
  Series batch{"measured, batch norm", {}, {}, 1}, law{"predicted order: 1 / m", {}, {}, 0, true};
  double largest_group = 0;
  for (int64_t m : {4, 8, 16, 32, 64, 128, 256}) {
    Sample s;
    for (int i = 0; i < 40; ++i)
      s.add(moved(bn, m, random)), largest_group = std::max(largest_group, moved(gn, m, random));
    batch.x.push_back(static_cast<double>(m));
    batch.y.push_back(s.mean());
  }
  lab.equal("A10.4", "group norm: how far others' outputs move", 0, largest_group, 0);
  lab.between("A10.4", "batch norm, batches of 4: another output moves by about its own size", .5, 5,
              {batch.y.front()});
  lab.between("A10.4", "batch norm: slope of log distance over log m, within 0.15 of the -1 of A4.1", -1.15, -.85,
              {std::log(batch.y.back() / batch.y[2]) / std::log(batch.x.back() / batch.x[2])});

  // Whether the batch's gradient is the sum of the per-example gradients.
  const int64_t m = 6;
  const Tensor x = Tensor::normal({m, features}, random);
  const Labels labels{0, 1, 2, 0, 1, 2};
  for (const Net* net : {&gn, &bn}) {
    const Tensor whole = grad(cross_entropy(net->logits(x), labels), {net->w1})[0].detach();
    Tensor parts = Tensor::zeros(whole.shape());
    if (!net->batch) {
      for (int64_t i = 0; i < m; ++i)
        parts = parts + grad(cross_entropy(net->logits(Tensor::of({1, features}, {x.data() + i * features,
                                                                                  x.data() + (i + 1) * features})),
                                           {labels[static_cast<size_t>(i)]}),
                             {net->w1})[0]
                                .detach() /
                            static_cast<double>(m);
      lab.same("A10.4", "group norm: the batch's gradient is the mean of the examples' own", whole, parts, 1e-13);
    } else {
      // Leave one out: with per-example gradients, the others' part would not change.
      const Tensor rest =
          grad(cross_entropy(net->logits(Tensor::of({m - 1, features}, {x.data() + features, x.data() + x.size()})),
                             {1, 2, 0, 1, 2}),
               {net->w1})[0]
              .detach();
      Tensor masked_loss = Tensor::scalar(0);
      const Tensor all = log_softmax(net->logits(x));
      Tensor pick = Tensor::zeros(all.shape());
      for (int64_t i = 1; i < m; ++i)
        pick.mutable_data()[i * classes + labels[static_cast<size_t>(i)]] = -1.0 / static_cast<double>(m - 1);
      const Tensor in_company = grad(dot(all, pick), {net->w1})[0].detach();
      const double change = std::sqrt(dot(rest - in_company, rest - in_company).item() / dot(rest, rest).item());
      lab.between("A10.4", "batch norm: the others' gradient changes, relatively, when one example leaves", .05,
                  INFINITY, {change});
    }
  }
  bool refused = false;
  try {
    group_norm(x, features, ones(features), zeros(features));
  } catch (const Error&) {
    refused = true;
  }
  lab.yes("A10.4", "as many groups as features would erase the input: refused", refused);
  law.x = batch.x;
  for (double m_other : batch.x) law.y.push_back(batch.y.back() * batch.x.back() / m_other);
  lab.figure(
      {{.title = "One example changes; the others' outputs move",
        .x_label = "batch size",
        .y_label = "largest change",
        .series = {law, batch},
        .log_x = true,
        .log_y = true}},
      {.shows = "The first example of a batch is replaced by another; the largest change of any other example's output "
                "(vertical, "
                "no unit), against the batch's size, both on logarithmic axes.",
       .predicted =
           "Under batch norm it falls only as 1 / m and is never zero, so differential privacy, which clips "
           "per-example gradients, cannot be applied. Under group norm it is zero, which this axis cannot show.",
       .seen = fmt::format("{:.2g} in batches of 4, {:.2g} in batches of 256; under group norm {}.", batch.y.front(),
                           batch.y.back(), largest_group)});
}

}  // namespace

extern const Experiment privacy{
    "privacy",
    "Applications",
    "Which outputs does a change of one example affect?",
    "Under batch norm the outputs of the whole batch, under group norm only its own.",
    "Under batch norm every output of the batch, by about 1/m (the off-diagonal entries of A4.1), so there are no "
    "per-example gradients; under group norm only its own output.",
    run,
    {"Take groups of two features: does the change affect another example now?", "groups=4", "group norm: how far",
     -1e-300, 1e-300,
     "No, nothing: however the features are grouped, the moments are those of one example. But a group of two values "
     "is always -1 and +1, whatever they were."}};

}  // namespace evenkeel::lab
