// The program `evenkeel`, as a function: a main of your own can call it with layers, optimisers and data sets of your
// own.
#pragma once
#include "../../data/catalogue/load.h"
#include "../../layers/model/spec.h"
#include "../../optim/named_optimizers.h"

namespace evenkeel {

// What options and files can name. To add to it: `Registry r; r.optimizers["sign"] = {...};`
struct Registry {
  Vocabulary layers = standard_vocabulary();
  Optimizers optimizers = standard_optimizers();
  DataSets data = {};  // besides those of the library, and before one of the same name
};

// Runs one command line; returns the exit status: 0 done, 1 the run failed, 2 usage, 3 something is missing, 4 a file
// is bad, 5 input or output failed, 128 + n stopped by signal n.
int run_program(int argc, char** argv, const Registry& registry = {});

}  // namespace evenkeel
