// The instruction set that the library was compiled for.
#pragma once

namespace evenkeel {

// "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4" (the levels of the x86-64 psABI), "aarch64", or "other". The same
// seed gives the same bits on every processor of one level.
const char* instruction_level();

// The extensions of x86-64 that the compiler was allowed to use; a null pointer ends the list.
extern const char* const processor_needs[];

// Always true: on a processor that lacks one of them the process ends before main, with a message and status 3. A
// program that reads this variable links the check.
extern const bool processor_checked;

}  // namespace evenkeel
