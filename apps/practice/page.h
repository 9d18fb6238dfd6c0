// The tutor's page: all tasks without answers, to print.
#pragma once
#include <string>

namespace evenkeel::practice {

std::string tasks_page();  // self-contained HTML

}  // namespace evenkeel::practice
