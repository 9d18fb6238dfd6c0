// Errors: what must hold, what we got, what to do. Every error carries the exit status with which a program should end.
#pragma once
#include <fmt/core.h>

#include <stdexcept>
#include <string>

namespace evenkeel {

// Exit statuses of the program; 0 is success.
enum class Fault { failed = 1, usage = 2, missing = 3, bad_file = 4, io = 5 };

struct Error : std::runtime_error {
  Error(Fault f, const std::string& what) : std::runtime_error(what), fault(f) {}
  Fault fault;
};

[[noreturn]] void fail_with(Fault fault, fmt::string_view format, fmt::format_args args);

template <class... Args>
[[noreturn]] void fail(Fault fault, fmt::format_string<Args...> format, Args&&... args) {
  fail_with(fault, format, fmt::make_format_args(args...));
}

// Throws Error(Fault::usage) unless `holds`. The message: "op: what must hold, the shapes we got".
template <class... Args>
void check(bool holds, fmt::format_string<Args...> format, Args&&... args) {
  if (!holds) [[unlikely]]
    fail_with(Fault::usage, format, fmt::make_format_args(args...));
}

}  // namespace evenkeel
