// The code in the README files is compiled and run: the installation test's program, the examples, the instruments.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
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

TEST_CASE("the README files show the tested code, word for word") {
  const std::string examples = text_of("tests/layers/examples_double_test.cpp");
  const auto shows = [&](const std::string& file, const std::string& code) {
    return text_of(file).find("```cpp\n" + code + "```") != std::string::npos;
  };
  CHECK(shows("README.md", text_of("tests/install/main.cpp")));
  CHECK(shows("README.md", part(examples, "op")));
  CHECK(shows("README.md", part(examples, "two inputs")));
  CHECK(shows("README.md", part(examples, "layer")));
  CHECK(shows("optim/README.md", part(examples, "optimiser")));
  CHECK(shows("optim/README.md", part(examples, "instruments")));
  CHECK(shows("apps/README.md", part(text_of("tests/apps/own_optimizer_test.cpp"), "own parts")));
  CHECK_FALSE(shows("README.md", "// nothing of the kind\n"));
}

TEST_CASE("the README has at most 200 lines") {
  const std::string readme = text_of("README.md");
  CHECK(std::count(readme.begin(), readme.end(), '\n') <= 200);
}

// Every link of a README, and every file that it names in its text, is there.
TEST_CASE("the links of the README files lead somewhere") {
  for (const std::string folder :
       {"", "core/", "layers/", "optim/", "data/", "apps/", "apps/lab/", "apps/bench/", "apps/practice/"}) {
    const std::string readme = text_of(folder + "README.md");
    for (size_t at = readme.find("]("); at != std::string::npos; at = readme.find("](", at + 1)) {
      const std::string link = readme.substr(at + 2, readme.find(')', at) - at - 2);
      if (link.find_first_of(" &") != std::string::npos) continue;  // a lambda in code
      CAPTURE(folder + "README.md: " + link);
      CHECK(std::filesystem::exists(EVENKEEL_SOURCE_DIR "/" + folder + link));
    }
  }
}
