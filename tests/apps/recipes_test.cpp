// evenkeel train --recipe: every recipe can be run, and its options are ordinary ones.
#include "apps/train/recipes.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "apps/train/config.h"
#include "layers/model/spec.h"
#include "optim/groups.h"
#include "optim/named_optimizers.h"
#include "optim/schedule.h"
#include "tests/apps/process.h"
#include "tests/apps/tiny_data.h"

using namespace evenkeel;

namespace {}  // namespace

TEST_CASE("recipes: each one's network, optimiser, groups, schedule and augmentation can be made") {
  REQUIRE(!recipes.empty());
  for (const Recipe& recipe : recipes) {
    CAPTURE(recipe.name);
    TrainOptions o = read_config(recipe.name, recipe.json)->values;
    o.model.input = o.data == "cifar10" ? Shape{32, 32, 3} : Shape{28, 28, 1};
    const std::unique_ptr<Sequential> network = make_model(o.model);
    make_optimizer(o.optimizer, grouped(parameters(*network), o.groups));
    parse_schedule(o.schedule, o.lr, o.epochs, 25);
    CHECK(o.augment.on);
    CHECK(parse_augmentation(o.augment).crop > 0);
    CHECK(recipe_list().find("\n  --epochs          " + std::to_string(o.epochs) + "\n") != std::string::npos);
  }
}

TEST_CASE("recipes: options given beside one replace its own, and all of them are kept for --config") {
  const TinyData data(60, 20);
  const Scratch scratch;
  const Arguments beside{"--data-dir", data.folder.path, "--epochs", "1", "--batch-size", "30"};
  const Outcome r = run(Arguments{"train", "--recipe", "mnist", "--out", scratch / "a"} + beside);
  CHECK_MESSAGE(r.status == 0, r.err);
  CHECK_MESSAGE(contains(r.out, "on 3 views of each test image: test accuracy "), r.out);
  const auto options = nlohmann::json::parse(slurp(scratch / "a/config.json"))["options"];
  CHECK(options["epochs"] == 1);
  CHECK(options["activation"] == "relu");
  const Outcome again = run({"train", "--config", scratch / "a/config.json", "--out", scratch / "b"});
  CHECK_MESSAGE(again.status == 0, again.err);
  CHECK(slurp(scratch / "a/last.safetensors") == slurp(scratch / "b/last.safetensors"));
  CHECK(contains(run({"eval", scratch / "a", "--data-dir", data.folder.path, "--test-views"}).out, "test accuracy"));
}

TEST_CASE("recipes: a name that is none is answered with the nearest; --list-recipes shows what each one sets") {
  CHECK(run({"train", "--list-recipes"}).out == recipe_list());
  CHECK(contains(recipe_list(), "\n  --test-views\n"));  // a flag takes no value
  const Outcome wrong = run({"train", "--recipe", "cifar10-93"});
  CHECK(wrong.status == 2);
  CHECK(contains(wrong.err, "did you mean cifar10-94?"));
  const Outcome both = run({"train", "--recipe", "mnist", "--config", "config.json"});
  CHECK(both.status == 2);
  CHECK(contains(both.err, "leave out one"));
}
