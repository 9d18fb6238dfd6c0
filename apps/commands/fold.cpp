// evenkeel fold: an equivalent network without batch normalisations.
#include "layers/model/fold.h"

#include <cmath>

#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/commands/subject.h"
#include "apps/report/run_record.h"
#include "apps/trainer/evaluate.h"
#include "core/io/file.h"
#include "core/io/utf8.h"

namespace evenkeel {

Action fold_command(CLI::App& app, const Registry& registry) {
  struct Options {
    SubjectOptions subject;
    std::string out;
  };
  const auto o = std::make_shared<Options>();
  o->subject.split = "test";
  add_subject_options(app, o->subject);
  add_text(app, "--out", o->out, "FILE", "write the network without normalisations here")->required();
  app.footer(
      "Compares the logits of both networks on the images. If they differ by more than 1/1000 of the largest "
      "logit, no file is written.");
  return [o, &registry] {
    Subject subject = open_subject(o->subject, registry);
    check_result(o->out, subject.inputs);
    NetworkFile plain = open_network(o->subject.file, registry.layers);
    const int norms = fold_batch_norms(*plain.network);
    check(norms > 0, "fold: the network must have a batch norm right after a convolution or dense layer; {} has none",
          o->subject.file);
    plain.info.model.model = plain.network->describe();
    plain.info.model.norm = plain.info.model.activation = "none";  // the text has them
    double apart = 0, largest = 0;
    int64_t changed = 0;
    subject.each_batch([&](const Batch& batch) {
      const Recording off(false);
      const Tensor a = subject.network().forward(batch.x, Mode::eval), b = plain.network->forward(batch.x, Mode::eval);
      for (int64_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(a.data()[i] - b.data()[i]);
        check_outputs("fold", d);
        apart = std::max(apart, d);
        largest = std::max(largest, std::abs(static_cast<double>(a.data()[i])));
      }
      changed += changed_predictions(a, b);
    });
    say("{} folded; on {} of {} the logits differ by at most {:.3g} (the largest is {:.3g}), {} "
        "predictions change\n",
        counted(norms, "normalisation"), counted(subject.images.size(), "image"), on_one_line(subject.images.name),
        apart, largest, changed);
    if (!(apart <= 1e-3 * largest))
      fail(Fault::failed,
           "fold: the difference is larger than rounding, so no file was written; running variances near zero amplify "
           "rounding (see evenkeel doctor)");
    write_safetensors(o->out, pack_network(*plain.network, plain.info));
    say("{}\n", on_one_line(o->out));
    return 0;
  };
}

}  // namespace evenkeel
