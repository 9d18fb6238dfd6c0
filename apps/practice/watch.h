// The screen that watches a learner's file: one exercise, a verdict at each save, single keys.
#pragma once
#include "apps/practice/folder.h"
#include "apps/practice/workshop.h"

namespace evenkeel::practice {

// Runs until the learner quits. Standard input and output must be a terminal.
int watch(Folder& folder, Workshop& workshop);

}  // namespace evenkeel::practice
