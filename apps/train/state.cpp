#include "apps/train/state.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "apps/formats/network_file.h"
#include "core/io/json_check.h"

namespace evenkeel {
namespace {

// The members by name, for reading and writing.
template <class State, class Visit>
void each_member(State& s, Visit visit) {
  visit("epoch", s.epoch);
  visit("batch", s.batch);
  visit("loss_sum", s.loss_sum);
  visit("correct", s.correct);
  visit("seen", s.seen);
  visit("test_correct", s.test_correct);
  visit("best_epoch", s.best_epoch);
  visit("best_correct", s.best_correct);
  visit("best_test_correct", s.best_test_correct);
}

}  // namespace

void pack_training(const TrainState& state, const std::vector<Parameter>& kept, SafeTensors& file) {
  nlohmann::ordered_json members;
  each_member(state, [&](const char* name, const auto& value) { members[name] = value; });
  file.metadata["training"] = members.dump();
  file.metadata["generation"] = std::to_string(training_generation);
  for (const Parameter& v : kept) file.tensors.push_back(store(own_prefix + v.name, v.value));
}

void check_generation(const SafeTensors& file, const std::string& path) {
  metadata(file, "training", path);
  const auto generation = file.metadata.find("generation");
  const std::string from = generation == file.metadata.end() ? "1" : generation->second;
  if (from == std::to_string(training_generation)) return;
  fail(Fault::bad_file,
       "{}: the run cannot be resumed to the same bits: it is of generation {}, this program of generation {}, with "
       "other random streams (evenkeel 0.1.0 has 1). Its weights can still be read: by eval, export, and train --init "
       "{}",
       path, from, training_generation, path);
}

TrainState unpack_training(const SafeTensors& file, const std::vector<Parameter>& kept, const std::string& path) {
  TrainState state;
  const std::string text = metadata(file, "training", path);
  check_json(text, path + ": its \"training\" is wrong");
  const nlohmann::json members = nlohmann::json::parse(text);
  each_member(state, [&](const char* name, auto& value) {
    const nlohmann::json stored = members.is_object() && members.contains(name) ? members[name] : nlohmann::json();
    constexpr bool whole = std::is_same_v<decltype(value), int64_t&>;
    // Integers up to 2^53, which a double holds exactly.
    const bool good = whole ? stored.is_number_integer() && std::abs(stored.get<double>()) <= 0x1p53
                            : stored.is_number() && std::isfinite(stored.get<double>());
    if (!good)
      fail(Fault::bad_file, "{}: its \"training\" is wrong: it must hold {} \"{}\", it has {}", path,
           whole ? "a whole number" : "a number", name, stored.dump());
    stored.get_to(value);
  });
  const bool possible = state.epoch >= 1 && state.batch >= 0 && state.seen >= 0 &&
                        (state.seen > 0) == (state.batch > 0) && state.correct >= 0 && state.correct <= state.seen &&
                        state.loss_sum >= 0 && state.test_correct >= 0 && state.best_test_correct >= 0 &&
                        state.best_epoch >= 0 && state.best_epoch < state.epoch && state.best_correct >= -1;
  if (!possible)
    fail(Fault::bad_file, "{}: its \"training\" is wrong: it holds numbers that no run can have reached: {}", path,
         text);
  const auto names = by_name(file);
  for (const Parameter& v : kept) {
    const auto stored = names.find(own_prefix + v.name);
    if (stored == names.end())
      fail(Fault::bad_file, "{}: it must have {}{}, and has not; restore the file, or start the run again", path,
           own_prefix, v.name);
    const Tensor value = load(*stored->second);
    if (value.shape() != v.value.shape()) {
      fail(Fault::bad_file, "{}: {}{} must have shape {}, got {}", path, own_prefix, v.name, v.value.shape(),
           value.shape());
    }
    Tensor(v.value).copy_from(value);
  }
  return state;
}

}  // namespace evenkeel
