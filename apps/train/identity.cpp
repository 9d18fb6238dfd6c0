#include "apps/train/identity.h"

#include "apps/cli/model_options.h"

namespace evenkeel {

using Json = nlohmann::ordered_json;

Json run_facts(const TrainOptions& options, Sequential& network, const NetworkInfo& info, const TrainingData& data) {
  Json facts;
  facts["network"] = {{"layers", model_spec(options.model.model)},
                      {"parameters", parameter_count(network)},
                      {"input", shape_text(info.model.input)},
                      {"classes", info.model.classes}};
  facts["images"] = {
      {"training", data.train.size()}, {"validation", data.validation.size()}, {"test", data.test.size()}};
  const uint32_t crc = checksum(data.test, checksum(data.validation, checksum(data.train)));
  facts["images"]["crc32"] = fmt::format("{:08x}", crc);
  facts["normalization"] = {{"mean", info.normalization.mean}, {"deviation", info.normalization.deviation}};
  return facts;
}

Json run_identity(Json facts, Json options) {
  for (const char* name : {"threads", "data-dir", "checkpoint-every"}) options.erase(name);
  facts["options"] = std::move(options);
  return facts;
}

void check_same(const std::string& file, const nlohmann::json& before, const nlohmann::json& now) {
  const nlohmann::json was = before.flatten(), is = now.flatten();
  std::string differences;
  for (const auto& [key, there] : was.items()) {
    const std::string here = is.contains(key) ? is[key].dump() : "nothing";
    if (there.dump() != here) differences += fmt::format("\n  {}: {} there, {} now", key.substr(1), there.dump(), here);
  }
  check(differences.empty(), "{} belongs to a run with other data or options, so it cannot be resumed:{}", file,
        differences);
}

}  // namespace evenkeel
