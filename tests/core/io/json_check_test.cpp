#include "core/io/json_check.h"

#include <doctest/doctest.h>

#include "core/base/check.h"
#include "tests/data_files.h"

using namespace evenkeel;

namespace {

std::string said(const std::string& text) {
  return error_of(Fault::bad_file, [&] { check_json(text, "file"); });
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a JSON text from a file is refused with the reason before anything is built of it") {
  for (const char* good : {"{}", R"({"a": [1, -2.5e3, null, true, "x"], "b": {"a": 1}})", "5", R"([[[[[[[[]]]]]]]])"})
    check_json(good, "file");
  CHECK(contains(said(""), "file: it is not JSON: "));
  CHECK(contains(said("{"), "it is not JSON"));
  CHECK(contains(said("{} x"), "it is not JSON"));
  CHECK(contains(said("{\n\"\xff\""), "file: line 2 is not text in UTF-8"));
  CHECK(contains(said("NaN"), "it is not JSON"));
  CHECK(contains(said("[1e400]"), "line 1 has the number 1e400, which is too large"));
  CHECK(said("") == "file: it is not JSON: it is empty");
  CHECK(contains(said("{\"a\": [1,\n 2"), "it ends too early"));
  CHECK(contains(said("{\"a\": \"b}\n"), "line 1 is wrong where '{\"a\": \"b}' ends"));
  CHECK(contains(said("{\n \"a\": 1,\n}\n"), "line 3 is wrong where '}' ends; look for a missing or extra comma"));
  CHECK(contains(said("{\n \"a\": 1\n \"b\": 2}"), "line 3 is wrong where ' \"b\"' ends"));
  CHECK(contains(said("{'a': 1}"), "line 1 is wrong where '{'' ends"));
  for (const char* bad : {"", "{", "{} x", "NaN", "[1e400]", "{'a': 1}", "\"\n\"", "[1,]", "tru", "\"\\x\""})
    CHECK_FALSE_MESSAGE((contains(said(bad), "json.exception") || contains(said(bad), "parse error")), bad);
  CHECK(contains(said(R"({"a": 1, "b": {"c": 1, "c": 2}})"), "it has the name \"c\" twice"));
  CHECK(contains(said("[[[[[[[[[]]]]]]]]]"), "more than 8 deep"));
  CHECK(contains(said(std::string(1'000'000, '[')), "more than 8 deep"));
}
