// The program `evenkeel`, as a function: a main of your own can call it with a vocabulary that names layers of your
// own.
#pragma once
#include "layers/model/spec.h"

namespace evenkeel {

// Runs one command line; returns the exit status: 0 done, 1 the run failed, 2 usage, 3 something is missing, 4 a file
// is bad, 5 input or output failed, 128 + n stopped by signal n.
int run_program(int argc, char** argv, const Vocabulary& vocabulary = standard_vocabulary());

}  // namespace evenkeel
