#include "core/io/json_check.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "core/base/check.h"

namespace evenkeel {
namespace {

constexpr size_t max_depth = 8;

struct Check : nlohmann::json_sax<nlohmann::json> {
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
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override {
    const std::string text = error.what();  // "[json.exception.parse_error.101] parse error at ..."
    wrong = "it is not JSON: " + text.substr(text.starts_with("[") ? text.find(']') + 2 : 0);
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

  std::vector<std::set<std::string>> names;  // of the open objects; empty for an array
  std::string wrong;
};

}  // namespace

void check_json(const std::string& text, const std::string& name) {
  Check check;
  nlohmann::json::sax_parse(text, &check);
  if (!check.wrong.empty()) fail(Fault::bad_file, "{}: {}", name, check.wrong);
}

}  // namespace evenkeel
