// The tutor's page: every task without its answer, to print.
#pragma once
#include <string>

namespace evenkeel::practice {

std::string tasks_page();  // HTML that needs no other file

}  // namespace evenkeel::practice
