#include "apps/lab/symbols.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "apps/lab/mathml.h"

namespace evenkeel::lab {
namespace {

const std::map<std::string, std::string> words{
    {"gamma", "γ"}, {"beta", "β"},    {"mu", "μ"},     {"sigma", "σ"},  {"eps", "ε"}, {"pi", "π"}, {"sqrt", "√"},
    {"xhat", "x̂"},  {"dgamma", "dγ"}, {"dbeta", "dβ"}, {"lambda", "λ"}, {"Phi", "Φ"}, {"phi", "φ"}};
const std::map<char, std::string> raised{{'0', "⁰"}, {'1', "¹"}, {'2', "²"}, {'3', "³"}, {'4', "⁴"}, {'5', "⁵"},
                                         {'6', "⁶"}, {'7', "⁷"}, {'8', "⁸"}, {'9', "⁹"}, {'-', "⁻"}, {'t', "ᵗ"}};

bool letter(char c) { return std::isalpha(static_cast<unsigned char>(c)); }
bool digit(char c) { return std::isdigit(static_cast<unsigned char>(c)); }

std::string above(const std::string& text) {
  std::string out;
  for (char c : text) out += raised.at(c);
  return out;
}

// The first number with a power of ten, such as 1.5e-16 or +- 1e-10; empty if there is none.
std::string_view scientific(std::string_view text) {
  for (size_t e = text.find('e'); e != std::string_view::npos; e = text.find('e', e + 1)) {
    size_t begin = e, end = e + 1;
    while (begin > 0 && (digit(text[begin - 1]) || text[begin - 1] == '.')) --begin;
    if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
    const size_t exponent = end;
    while (end < text.size() && digit(text[end])) ++end;
    if (begin == e || end == exponent || (begin > 0 && letter(text[begin - 1]))) continue;
    if (text.substr(0, begin).ends_with("+- ")) begin -= 3;
    return text.substr(begin, end - begin);
  }
  return {};
}

}  // namespace

std::string symbols(const std::string& text) {
  static constexpr const char* can_be_raised = "0123456789-t";
  std::string out;
  for (size_t i = 0; i < text.size();) {
    // What begins here: a word, ^2 or ^(-2t-1), the exponent of 1.5e-16, or a sign.
    size_t end = i;
    while (end < text.size() && letter(text[end])) ++end;
    const bool inside = i > 0 && (letter(text[i - 1]) || text[i - 1] == '_');
    const size_t first = i + (text.compare(i, 2, "^(") == 0 ? 2 : 1),
                 last = std::min(text.find_first_not_of(can_be_raised, first), text.size());
    const bool closed = first == i + 1 || (last < text.size() && text[last] == ')');
    if (const auto found = words.find(text.substr(i, end - i)); found != words.end() && !inside) {
      out += found->second;
      i = end;
    } else if (text[i] == '^' && last > first && closed) {
      out += above(text.substr(first, last - first));
      i = last + (first == i + 2);
    } else if (text[i] == 'e' && i > 0 && digit(text[i - 1]) && text.find_first_of("-+0123456789", i + 1) == i + 1) {
      size_t stop = i + 2;
      while (stop < text.size() && digit(text[stop])) ++stop;
      out += "\u00a0×\u00a010" + above(std::to_string(std::stoi(text.substr(i + 1, stop - i - 1))));
      i = stop;
    } else if (const std::string two = text.substr(i, 2); two == "+-" || two == "->" || two == "<-") {
      out += two == "+-" ? "±" : two == "->" ? "→" : "←";
      i += 2;
    } else {
      out.append(text, i, std::max(end, i + 1) - i);
      i = std::max(end, i + 1);
    }
  }
  return out;
}

std::string plain(const std::string& text) {
  std::string out;
  for (char c : text)
    if (c != '$') out += c;
  return out;
}

std::string html(const std::string& text) {
  if (const size_t begin = text.find('$'), end = text.find('$', begin + 1); end < text.size())
    return html(text.substr(0, begin)) + mathml(text.substr(begin + 1, end - begin - 1)) + html(text.substr(end + 1));
  if (const std::string_view number = scientific(text); !number.empty()) {
    const auto begin = static_cast<size_t>(number.data() - text.data());
    return html(text.substr(0, begin)) + mathml(std::string(number)) + html(text.substr(begin + number.size()));
  }
  const std::string from = symbols(text);
  std::string out;
  bool code = false;
  for (size_t i = 0; i < from.size();) {
    size_t end = i + 1;
    while (end < from.size() && (letter(from[end]) || digit(from[end]))) ++end;
    const std::string below = from[i] == '_' ? from.substr(i + 1, end - i - 1) : "";
    const bool index = (!below.empty() && below.size() <= 2) || below == "test" || below == "max";
    if (index && i > 0 && (end == from.size() || from[end] != '_')) {
      out += "<sub>" + below + "</sub>";
      i = end;
    } else if (from[i] == '`') {
      out += (code = !code) ? "<code>" : "</code>";
      ++i;
    } else {
      out += from[i] == '&' ? "&amp;" : from[i] == '<' ? "&lt;" : from[i] == '>' ? "&gt;" : std::string(1, from[i]);
      ++i;
    }
  }
  return out;
}

}  // namespace evenkeel::lab
