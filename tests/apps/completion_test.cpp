// evenkeel completion: the words that a shell offers, asked of the shells themselves where they are.
#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

#include "tests/apps/process.h"
#include "tests/scratch.h"

namespace {

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  for (int c; (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  const int status = pclose(pipe);
  return status == 0 ? text : "status " + std::to_string(status) + ": " + text;
}

bool there(const std::string& program) { return output_of("command -v " + program + " || true") != ""; }

std::string written(const Scratch& folder, const std::string& format) {
  const Outcome o = run({"completion", format});
  CHECK(o.status == 0);
  const std::string file = folder / format;
  std::ofstream(file) << o.out;
  return file;
}

}  // namespace

TEST_CASE("completion: bash offers commands, then their commands, then their options") {
  const Scratch folder;
  const std::string file = written(folder, "bash");
  const auto offered = [&](const std::string& words, int place) {
    return output_of("bash -c 'source " + file + "; COMP_WORDS=(" + words + "); COMP_CWORD=" + std::to_string(place) +
                     "; _evenkeel; echo ${COMPREPLY[@]}'");
  };
  CHECK(offered("evenkeel tr", 1) == "train\n");
  CHECK(offered("evenkeel p", 1) == "predict plot practice\n");
  CHECK(offered("evenkeel data s", 2) == "show\n");
  CHECK(offered("evenkeel train --weight", 2) == "\n");
  CHECK(offered("evenkeel train --ep", 2) == "--epochs\n");
  CHECK(contains(offered("evenkeel train --model lenet --", 4), "--norm"));
  CHECK(offered("evenkeel data show --nor", 3) == "\n");
  CHECK(offered("evenkeel train runs/x", 2) == "\n");  // then files are offered
}

TEST_CASE("completion: every command and option is in every format") {
  const Scratch folder;
  for (const char* format : {"bash", "zsh", "fish", "man"}) {
    const Outcome o = run({"completion", format});
    CAPTURE(format);
    for (const char* word : {"train", "predict", "data", "show", "fetch", "doctor", "practice"})
      CHECK_MESSAGE(contains(o.out, word), word);
    for (const char* option : {"epochs", "norm", "label-smoothing"}) {
      const std::string name =
          format == std::string("man") && option == std::string("label-smoothing") ? "label\\-smoothing" : option;
      CHECK_MESSAGE(contains(o.out, name), option);
    }
  }
}

TEST_CASE("completion: zsh, fish and groff read what is written for them") {
  const Scratch folder;
  if (there("zsh")) CHECK(output_of("zsh -n " + written(folder, "zsh")) == "");
  if (there("fish")) CHECK(output_of("fish --no-execute " + written(folder, "fish")) == "");
  if (there("groff")) CHECK(output_of("groff -man -ww -z " + written(folder, "man")) == "");
  const std::string page = run({"completion", "man"}).out;
  CHECK(page.starts_with(".TH EVENKEEL 1"));
  for (const char* section : {"\n.SH NAME\n", "\n.SH SYNOPSIS\n", "\n.SH \"evenkeel train\"\n",
                              "\n.SS \"evenkeel data show\"\n", "\n.SH \"EXIT STATUS\"\n"})
    CHECK_MESSAGE(contains(page, section), section);
}

TEST_CASE("completion: another format is refused") {
  const Outcome o = run({"completion", "tcsh"});
  CHECK(o.status == 2);
  CHECK(contains(o.err, "must be bash, zsh, fish or man, got \"tcsh\""));
}
