#include "apps/cli/program.h"

int main(int argc, char** argv) { return evenkeel::run_program(argc, argv); }
