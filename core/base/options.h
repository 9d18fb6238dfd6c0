// Options are declared once: a struct's each() gives its check, parser, usage text and description. The arguments after
// a name have one grammar for layers and optimisers: "conv:32:5:stride=2", "sgd:momentum=0.9".
//
//   struct SgdOptions {
//     real momentum = 0;
//     bool nesterov = false;
//     static void each(auto& o, auto&& option) {
//       option("momentum", o.momentum, Range{0, 1, Range::Top::below}, "v <- momentum v + gradient");
//       option("nesterov", o.nesterov, Words{"off", "on"}, "Nesterov's momentum");
//     }
//   };
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "check.h"

namespace evenkeel {

struct Range {  // the numbers from low to high; Top::below excludes high
  enum class Top { included, below };
  double low, high;
  Top top = Top::included;
  bool holds(double v) const { return v >= low && (v < high || (v == high && top == Top::included)); }
  std::string words() const {
    return fmt::format("a number from {} to {}{}", low, top == Top::below ? "below " : "", high);
  }
};
struct Words {  // what false and true are called
  const char *no, *yes;
};

std::vector<std::string> split(const std::string& text, char separator);  // at least one part

class SpecArguments {
 public:
  SpecArguments() = default;
  // Messages begin with `kind`. The text may begin with a colon: arguments without a name. Error(Fault::usage) if a
  // named argument occurs twice.
  SpecArguments(std::string kind, const std::string& text);

  // The argument at `position` or written key=value, else `otherwise`. Error(Fault::usage), with the range and the
  // text, if it is out of range.
  int64_t integer(size_t position, const std::string& key, int64_t low, int64_t high, int64_t otherwise);
  double number(size_t position, const std::string& key, double low, double high, double otherwise);
  bool flag(const std::string& key, bool otherwise);
  std::string word(size_t position, const std::string& key, const std::vector<std::string>& allowed,
                   const std::string& otherwise);
  // The options of a struct with each(), by name.
  template <class Options>
  Options options();

  // Error(Fault::usage), with the usage text, if the text has an argument that no call above has read.
  void check_used(const std::string& usage) const;

  std::string name;  // before the first colon

 protected:
  std::string text(size_t position, const std::string& key);  // "" if it is not given
  template <class Number>                                     // double or int64_t
  Number parsed(const std::string& key, const std::string& text, const Range& range, const char* meaning = "") const;

 private:
  std::string written() const;                        // the whole text, as it was given
  std::string subject(const std::string& key) const;  // "sgd's momentum"
  std::string kind_, all_;
  std::vector<std::string> positional_;
  std::map<std::string, std::string> named_;
  std::vector<bool> used_;
};

// "[:momentum=0][:nesterov=off|on]", the default first.
template <class Options>
std::string usage_options() {
  std::string text;
  const Options standard;
  Options::each(standard, [&](const char* key, const auto& value, const auto& allowed, const char*) {
    if constexpr (std::is_same_v<decltype(allowed), const Words&>)
      text += fmt::format("[:{}={}|{}]", key, value ? allowed.yes : allowed.no, value ? allowed.no : allowed.yes);
    else
      text += fmt::format("[:{}={}]", key, value);
  });
  return text;
}

// ":momentum=0.9": the options that differ from their defaults, as a user writes them.
template <class Options>
std::string describe_options(const Options& options) {
  std::vector<std::string> standard;
  std::string text;
  const auto each = [](const Options& o, auto see) {
    Options::each(o, [&](const char* key, const auto& value, const auto& allowed, const char*) {
      if constexpr (std::is_same_v<decltype(allowed), const Words&>)
        see(fmt::format(":{}={}", key, value ? allowed.yes : allowed.no));
      else
        see(fmt::format(":{}={}", key, value));
    });
  };
  each(Options(), [&](const std::string& one) { standard.push_back(one); });
  each(options, [&, i = size_t{0}](const std::string& one) mutable {
    if (one != standard[i++]) text += one;
  });
  return text;
}

// Error(Fault::usage) if an option of `name` is out of its range.
template <class Options>
void check_options(const std::string& name, const Options& options) {
  Options::each(options, [&](const char* key, const auto& value, const auto& allowed, const char* meaning) {
    if constexpr (std::is_same_v<decltype(allowed), const Range&>)
      check(allowed.holds(static_cast<double>(value)), "{}: {} ({}) must be {}, got {}", name, key, meaning,
            allowed.words(), value);
  });
}

template <class Options>
Options SpecArguments::options() {
  Options result;
  Options::each(result, [&](const char* key, auto& value, const auto& allowed, const char* meaning) {
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
      value = word(SIZE_MAX, key, {allowed.no, allowed.yes}, value ? allowed.yes : allowed.no) == allowed.yes;
    } else if (const std::string given = text(SIZE_MAX, key); !given.empty()) {
      using Number = std::conditional_t<std::is_integral_v<Value>, int64_t, double>;
      value = static_cast<Value>(parsed<Number>(key, given, allowed, meaning));
    }
  });
  return result;
}

}  // namespace evenkeel
