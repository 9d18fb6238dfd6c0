#include "core/io/json_check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/base/check.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

constexpr size_t max_depth = 8;

struct Check : nlohmann::json_sax<nlohmann::json> {
  explicit Check(const std::string& whole) : text(whole) {}
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(int64_t) override { return true; }
  bool number_unsigned(uint64_t) override { return true; }
  bool number_float(double, const std::string&) override { return true; }
  bool string(std::string&) override { return true; }
  bool binary(nlohmann::json::binary_t&) override { return true; }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (names.back().insert(name).second) return true;
    wrong = "it has the name \"" + name + "\" twice";
    return false;
  }
  // `position`: the number of bytes read, the end of the file counted as one.
  bool parse_error(size_t position, const std::string& token, const nlohmann::json::exception& error) override {
    size_t end = std::min(position, text.size());
    if (end > 0 && text[end - 1] == '\n') --end;                        // a text that does not end in its line
    const size_t begin = end == 0 ? 0 : text.rfind('\n', end - 1) + 1;  // of its line
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n');
    const size_t from = std::max(begin, end - std::min<size_t>(end, 40));
    if (dynamic_cast<const nlohmann::json::out_of_range*>(&error))
      wrong = fmt::format("line {} has the number {}, which is too large", line, token.substr(0, 40));
    else if (text.empty())
      wrong = "it is not JSON: it is empty";
    else if (position > text.size())
      wrong = "it is not JSON: it ends too early; look for a missing quote or closing bracket";
    else
      wrong = fmt::format(
          "it is not JSON: line {} is wrong where '{}' ends; look for a missing or extra comma, quote or bracket", line,
          text.substr(from, end - from));
    return false;
  }

  bool open() {
    names.emplace_back();
    if (names.size() > max_depth) wrong = fmt::format("it nests objects and arrays more than {} deep", max_depth);
    return wrong.empty();
  }
  bool close() {
    names.pop_back();
    return true;
  }

  const std::string& text;
  std::vector<std::set<std::string>> names;  // of the open objects; empty for an array
  std::string wrong;
};

}  // namespace

void check_json(const std::string& text, const std::string& name) {
  for (size_t at = 0; at < text.size(); at += character_at(text, at).bytes)
    if (!character_at(text, at).valid)
      fail(Fault::bad_file, "{}: line {} is not text in UTF-8", name,
           1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
  Check check(text);
  nlohmann::json::sax_parse(text, &check);
  if (!check.wrong.empty()) fail(Fault::bad_file, "{}: {}", name, check.wrong);
}

}  // namespace evenkeel
