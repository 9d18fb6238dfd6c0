// evenkeel recalibrate: replaces a network's running statistics by those of a data set.
#include "layers/norm/recalibrate.h"

#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/commands/subject.h"
#include "apps/report/run_record.h"
#include "apps/trainer/evaluate.h"
#include "core/io/file.h"
#include "core/io/utf8.h"

namespace evenkeel {

Action recalibrate_command(CLI::App& app, const Registry& registry) {
  struct Options {
    SubjectOptions subject;
    std::string out;
  };
  const auto o = std::make_shared<Options>();
  add_subject_options(app, o->subject);
  add_text(app, "--out", o->out, "FILE", "write the network with its new statistics here")->required();
  app.footer(
      "The first normalisation gets the statistics of its inputs, then the second those of its inputs in "
      "inference, and so on: one pass over the images for each.");
  return [o, &registry] {
    Subject subject = open_subject(o->subject, registry);
    check_result(o->out, subject.inputs);
    const auto norms = running_norms(subject.network());
    check(!norms.empty(),
          "recalibrate: the network must have a batch or renorm layer, which has running averages; {} has none",
          o->subject.file);
    const auto score = [&] {
      return evaluate(subject.network(), subject.images, subject.file.info.normalization, subject.batch_size);
    };
    const Score before = score();
    recalibrate(subject.network(), [&](const std::function<void(const Tensor&)>& see) {
      subject.each_batch([&](const Batch& b) { see(b.x); });
    });
    const Score after = score();
    check_outputs("recalibrate", after.loss);
    write_safetensors(o->out, pack_network(subject.network(), subject.file.info));
    say("{} recalibrated on {} of {}\naccuracy on them {:.4f} before, {:.4f} after\n{}\n",
        counted(static_cast<int64_t>(norms.size()), "layer"), counted(subject.images.size(), "image"),
        on_one_line(subject.images.name), before.accuracy(), after.accuracy(), on_one_line(o->out));
    return 0;
  };
}

}  // namespace evenkeel
