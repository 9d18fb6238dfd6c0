// The README's code is code that is compiled and run: the installation test's program, the examples of extending, the instruments.
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>
#include <string>

namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(EVENKEEL_SOURCE_DIR "/" + path);
  REQUIRE_MESSAGE(file, path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Between the lines "// [name]" and "// [/name]".
std::string part(const std::string& text, const std::string& name) {
  const std::string open = "// [" + name + "]\n", close = "// [/" + name + "]\n";
  const size_t begin = text.find(open), end = text.find(close);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  return text.substr(begin + open.size(), end - begin - open.size());
}

}  // namespace

TEST_CASE("the README shows the tested code, word for word") {
  const std::string readme = text_of("README.md"), examples = text_of("tests/layers/examples_double_test.cpp");
  auto shows = [&](const std::string& code) { return readme.find("```cpp\n" + code + "```") != std::string::npos; };
  CHECK(shows(text_of("tests/install/main.cpp")));
  CHECK(shows(part(examples, "op")));
  CHECK(shows(part(examples, "layer")));
  CHECK(shows(part(examples, "instruments")));
  CHECK_FALSE(shows("// nothing of the kind\n"));
}
