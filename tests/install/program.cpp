// The program with a layer of one's own in its vocabulary: evenkeel train --model "flatten dense:100 norm twice
// dense:classes"
#include <evenkeel/apps/cli/program.h>

#include <memory>
#include <string>

using namespace evenkeel;

struct Twice : Layer {
  Tensor forward(const Tensor& x, Mode) override { return x * real(2); }
  std::string describe() const override { return "twice"; }
};

int main(int argc, char** argv) {
  Vocabulary vocabulary = standard_vocabulary();
  vocabulary["twice"] = {[](LayerArguments&) { return std::make_unique<Twice>(); }, "twice"};
  return run_program(argc, argv, {vocabulary});
}
