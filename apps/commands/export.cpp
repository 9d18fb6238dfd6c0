// evenkeel export: a trained network in a format of other programs.
#include <filesystem>

#include "apps/cli/command.h"
#include "apps/cli/console.h"
#include "apps/cli/options.h"
#include "apps/formats/network_file.h"
#include "apps/formats/npz.h"
#include "apps/formats/onnx.h"
#include "apps/report/run_record.h"
#include "core/io/file.h"
#include "core/io/utf8.h"
#include "layers/model/fold.h"

namespace evenkeel {

Action export_command(CLI::App& app, const Registry& registry) {
  struct Options {
    std::string file, format, out;
    bool fold = false;
  };
  const auto o = std::make_shared<Options>();
  app.add_option("FILE", o->file, "a .safetensors file that evenkeel train wrote, or its run's folder")->required();
  add_choice(app, "--format", o->format, {"safetensors", "npz", "onnx"}, "of the file to write")->required();
  add_text(app, "--out", o->out, "FILE", "the file to write")
      ->default_str("FILE with the extension .export.safetensors, .npz or .onnx");
  add_flag(app, "--fold", o->fold,
           "fold every batch normalisation after a convolution or dense layer into that layer's weights");
  app.footer(
      "safetensors and npz: only the weights and running averages, with PyTorch's names and shapes.\n"
      "onnx: the network, from \"input\" (N, C, H, W) to \"logits\". Its metadata have the mean and deviation by "
      "which pixels on the scale 0 .. 255 are normalised.");
  return [o, &registry] {
    o->file = network_path(o->file);
    const std::string ending = o->format == "safetensors" ? ".export.safetensors" : "." + o->format;
    const std::string out = o->out.empty() ? std::filesystem::path(o->file).replace_extension(ending).string() : o->out;
    check_result(out, {o->file});
    NetworkFile file = open_network(o->file, registry.layers);
    if (o->fold) {
      fold_batch_norms(*file.network);
      file.info.model.model = file.network->describe();
      file.info.model.norm = file.info.model.activation = "none";  // the text has them
    }
    const SafeTensors packed = pack_network(*file.network, file.info, Part::weights);
    write_file(out, o->format == "safetensors" ? format_safetensors(packed)
                    : o->format == "npz"
                        ? format_npz(packed.tensors)
                        : format_onnx(*file.network, file.info.model.input, file.info.model.classes, packed.metadata));
    say("wrote {}\n", on_one_line(out));
    return 0;
  };
}

}  // namespace evenkeel
