// evenkeel train with a layer of one's own that goes wrong without an error of its own: refused before the first step.
#include <doctest/doctest.h>

#include <tuple>

#include "apps/cli/program.h"
#include "tests/apps/process.h"

using namespace evenkeel;

namespace {

// y = x a + b per channel; names are the ones given for a and b, "" for none.
struct Line : Layer {
  Line(int64_t channels, std::string name_a, std::string name_b)
      : a(Tensor::full({channels}, 1).track()),
        b(Tensor::zeros({channels}).track()),
        names{std::move(name_a), std::move(name_b)} {}
  Tensor forward(const Tensor& x, Mode) override { return add_per_channel(scale_per_channel(x, a), b); }
  void visit(Visitor& v) override {
    if (!names[0].empty()) v.parameter(names[0], a, true);
    if (!names[1].empty()) v.parameter(names[1], b, false);
  }
  std::string describe() const override { return "line"; }
  Owned a, b;
  std::string names[2];
};

// The program with that layer as `line`, on a child process' main thread.
Outcome train_with(const char* name_a, const char* name_b, const std::string& out) {
  const Scratch files;
  const pid_t child = fork();
  if (child == 0) {
    for (const auto& [file, stream] : {std::pair("out", STDOUT_FILENO), {"err", STDERR_FILENO}})
      dup2(open((files / file).c_str(), O_CREAT | O_WRONLY, 0600), stream);
    Vocabulary words = standard_vocabulary();
    words["line"] = {[&](LayerArguments& l) { return std::make_unique<Line>(l.input.channels(), name_a, name_b); },
                     "line"};
    Arguments arguments{"evenkeel", "train",     "--samples", "200",     "--epochs",
                        "1",        "--threads", "1",         "--model", "flatten dense:8 residual(line) dense:classes",
                        "--out",    out};
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    _exit(run_program(static_cast<int>(argv.size()), argv.data(), words));
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), slurp(files / "out"), slurp(files / "err")};
}

}  // namespace

TEST_CASE("train: a layer whose visit() forgets a tensor, or names two alike, is refused before the first step") {
  const Scratch scratch;
  const Outcome good = train_with("a", "b", scratch / "good");
  REQUIRE_MESSAGE(good.status == 0, good.err);
  for (const auto& [a, b, reason] :
       {std::tuple("a", "", "layer 2.body.0 (line): 1 of its tracked tensors, the first of shape (8)"),
        {"", "", "layer 2.body.0 (line): 2 of its tracked tensors"},
        {"a", "a", "(line): visit() names a twice"}}) {
    const Outcome bad = train_with(a, b, scratch / "bad");
    CHECK(bad.status == 2);
    CHECK_MESSAGE(bad.err.find(reason) != std::string::npos, bad.err);
    CHECK(!std::filesystem::exists(scratch / "bad/last.safetensors"));
    std::filesystem::remove_all(scratch / "bad");
  }
}
