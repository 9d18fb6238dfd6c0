// The section "Train your own images" of the README files, command by command as a shell reads it, on drawn pictures.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/io/process.h"
#include "data/formats/image_folder.h"
#include "tests/apps/process.h"
#include "tests/apps/shapes.h"

namespace {

struct Step {
  std::string command;              // without a comment after it
  std::vector<std::string> output;  // lines that it is shown to print
};

std::string section(const std::string& readme) {
  const std::string text = slurp(EVENKEEL_SOURCE_DIR "/" + readme), heading = "\n## Train your own images\n";
  const size_t begin = text.find(heading);
  REQUIRE_MESSAGE(begin != std::string::npos, readme);
  return text.substr(begin + heading.size(), text.find("\n## ", begin + 1) - begin - heading.size());
}

// Indented lines: commands, each with what it prints. Commands in the text, between backquotes, print nothing there.
std::vector<Step> steps_of(const std::string& text) {
  const std::string program = "    build/release/evenkeel ";
  std::vector<Step> steps;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(program))
      steps.push_back({line.substr(program.size(), line.find("  #") - program.size()), {}});
    else if (line.starts_with("    ") && !steps.empty() && line != "    ...")
      steps.back().output.push_back(line.substr(4));
    else if (!line.starts_with("    "))
      for (size_t at = 0; (at = line.find('`', at)) != std::string::npos; ++at) {
        const size_t end = line.find('`', at + 1);
        if (const std::string quoted = line.substr(at + 1, end - at - 1);
            quoted.starts_with("data ") || quoted.starts_with("eval ") || quoted.starts_with("train "))
          steps.push_back({quoted, {}});
        at = end;
      }
  }
  return steps;
}

// Numbers, the classes' names and the width of columns depend on the pictures and on the processor.
std::string form(const std::string& line) {
  const std::string numbers = std::regex_replace(line, std::regex("[0-9][0-9.,:]*(e-[0-9]+)?"), "#"),
                    names = std::regex_replace(numbers, std::regex("\\b(cross|disc|frame)\\b"), "CLASS");
  return std::regex_replace(names, std::regex(" +"), " ");
}

// Pictures that no training saw: OpenCV, by the exported file alone, gives the probabilities of predict, to 1e-5. Both
// calculate in float, in another order.
void compare_with_opencv([[maybe_unused]] const std::string& onnx, [[maybe_unused]] const std::string& run_folder) {
  const Scratch scratch;
  Arguments pictures;
  for (const std::string kind : {"bar", "cross", "disc", "frame"}) {
    save(scratch / "large.png", png(shape(kind, evenkeel::Random(9))));
    pictures.push_back(scratch / (kind + ".png"));
    save(pictures.back(), evenkeel::encode_png(evenkeel::read_picture(scratch / "large.png", 24, 24, 1)));
  }
#ifdef EVENKEEL_PYTHON
  const evenkeel::ProcessResult theirs =
      evenkeel::run_process(Arguments{EVENKEEL_PYTHON, EVENKEEL_SOURCE_DIR "/tests/onnx_predict.py", onnx} + pictures);
  if (theirs.status == 77) {
    MESSAGE(theirs.text);
    return;
  }
  REQUIRE_MESSAGE(theirs.status == 0, theirs.text);
  std::istringstream their_lines(theirs.text),
      our_lines(run(Arguments{"predict", run_folder, "--json"} + pictures).out);
  std::string their_line, our_line;
  for (size_t i = 0; i < pictures.size(); ++i) {
    REQUIRE(std::getline(their_lines, their_line));
    REQUIRE(std::getline(our_lines, our_line));
    const auto t = nlohmann::json::parse(their_line), p = nlohmann::json::parse(our_line)["probabilities"];
    CHECK(p.size() == 4);
    for (const auto& [name, probability] : p.items())
      CHECK_MESSAGE(std::abs(probability.get<double>() - t.at(name).get<double>()) < 1e-5, their_line << "\n"
                                                                                                      << our_line);
  }
#else
  MESSAGE("skipped: python3 was not found");
#endif
}

}  // namespace

TEST_CASE("README: the commands of \"Train your own images\" work one after the other and print lines of that form") {
  for (const std::string readme : {"README.md", "data/README.md"}) {
    CAPTURE(readme);
    const Scratch scratch;
    save_shapes(scratch / "shapes", {"cross", "disc", "frame"}, 40, 1);
    save_shapes(scratch / "flowers", {"bar", "cross", "disc", "frame"}, 20, 2);
    save_shapes(scratch / "new", {"disc", "frame"}, 4, 3);
    save(scratch / "new/frame/2.png", png(shape("frame", evenkeel::Random(4))));
    const std::string text = section(readme);
    CHECK(std::count(text.begin(), text.end(), '\n') <= 40);
    const std::vector<Step> steps = steps_of(text);
    std::set<std::string> commands;
    for (Step step : steps) {
      commands.insert(step.command.substr(0, step.command.find(' ')));
      if (step.command.find("--init") != std::string::npos && step.command.find("--data ") == std::string::npos)
        step.command += " --data flowers --image-size 24 --color gray";  // "for other classes", says the text
      const evenkeel::ProcessResult r =
          evenkeel::run_process({"sh", "-c",
                                 "cd " + scratch.path + " && export HOME=. XDG_CACHE_HOME=" + scratch / "cache" +
                                     " && " EVENKEEL_PROGRAM " " + step.command + " 2>&1"});
      CHECK_MESSAGE(r.status == 0, step.command << "\n" << r.text);
      std::set<std::string> printed;
      std::istringstream lines(r.text);
      for (std::string line; std::getline(lines, line);) printed.insert(form(line));
      for (const std::string& line : step.output)
        CHECK_MESSAGE(printed.contains(form(line)), line << "\nis not printed by " << step.command << "\n" << r.text);
    }
    for (const char* command : {"train", "predict", "eval", "data", "runs", "plot", "export"})
      CHECK_MESSAGE(commands.contains(command), command);
    if (readme == "data/README.md") {
      REQUIRE(commands.contains("export"));
      compare_with_opencv(scratch / "runs/flowers/best.onnx", scratch / "runs/flowers");
    }
  }
}
