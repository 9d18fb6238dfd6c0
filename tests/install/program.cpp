// The program with a layer of one's own in its vocabulary: evenkeel train --model "flatten dense:100 norm twice
// dense:classes"
#include <evenkeel/apps/cli/program.h>

#include <memory>

#include "twice.h"

using namespace evenkeel;

int main(int argc, char** argv) {
  Vocabulary vocabulary = standard_vocabulary();
  vocabulary["twice"] = {[](LayerArguments&) { return std::make_unique<Twice>(); }, "twice"};
  return run_program(argc, argv, {vocabulary});
}
