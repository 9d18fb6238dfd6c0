// The program `evenkeel` as a function: your own main() can call it with your own layers, optimisers and data sets.
#pragma once
#include "../../data/catalogue/load.h"
#include "../../layers/model/spec.h"
#include "../../optim/named_optimizers.h"

namespace evenkeel {

// The names that options and files can use. To add one: `Registry r; r.optimizers["sign"] = {...};`
struct Registry {
  Vocabulary layers = standard_vocabulary();
  Optimizers optimizers = standard_optimizers();
  DataSets data = {};  // besides the library's; replaces one of the same name
};

// Runs one command line; returns the exit status: 0 success, 1 the run failed, 2 usage, 3 something is missing, 4 a bad
// file, 5 input or output failed, 128 + n stopped by signal n.
int run_program(int argc, char** argv, const Registry& registry = {});

}  // namespace evenkeel
