// What is wrong with a command line, in the program's own words.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

namespace evenkeel {

// What is wrong after app.parse(), with the help to read: what the parser found (`error`), or what it lets pass: an
// option without a value, an empty value. "" if nothing is wrong.
std::string usage_fault(CLI::App& app, const CLI::ParseError* error = nullptr);

// Of an option with one value that is given twice the last one counts, in the app and its sub-commands.
void let_last_count(CLI::App& app);

}  // namespace evenkeel
