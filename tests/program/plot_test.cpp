// Pictures, the log they are drawn from, and small things the program prints.
#include "apps/plot.h"

#include <doctest/doctest.h>

#include <cmath>

#include "apps/console.h"
#include "apps/run_log.h"
#include "apps/suggest.h"
#include "apps/text.h"
#include "core/check.h"
#include "tests/program/process.h"

using namespace evenkeel;

TEST_CASE("plot: ticks are round and lie within") {
  CHECK(axis_ticks(0, 10, 6) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(axis_ticks(1, 5, 8) == std::vector<double>{1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5});
  CHECK(axis_ticks(1, 5, 8, 1) == std::vector<double>{1, 2, 3, 4, 5});
  CHECK(axis_ticks(0.5, 1.5, 8, 1) == std::vector<double>{1});
  CHECK(axis_ticks(-0.05, 0.05, 3).size() == 3);
}

TEST_CASE("plot: a line breaks where a value is not finite, and text is escaped") {
  const std::string svg = svg_picture(
      "a < b",
      {{.title = "t", .x_label = "x", .y_label = "y", .series = {{.name = "a&b", .x = {1, 2, 3, 4}, .y = {1, NAN, INFINITY, 2}}}}});
  CHECK(svg.starts_with("<svg xmlns"));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("a &lt; b") != std::string::npos);
  CHECK(svg.find("a&amp;b") != std::string::npos);
  CHECK(svg.find("nan") == std::string::npos);
  CHECK(svg.find("inf") == std::string::npos);
  const size_t path = svg.find("<path d=\"M");
  CHECK(svg.substr(path, svg.find('"', path + 9) - path).find('L') == std::string::npos);
  // Nothing to draw is still a picture.
  CHECK(svg_picture("", {{.title = "", .x_label = "", .y_label = "", .series = {}}}).find("nan") == std::string::npos);
}

TEST_CASE("text: what is not UTF-8, or no XML may hold, is replaced; the rest stays") {
  const std::string bad = "\xef\xbf\xbd", good = "lat\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 <&>\t\n";
  CHECK(legal_text(good) == good);
  CHECK(is_utf8(good + "\x01"));
  CHECK(legal_text("x\x01y\x1f") == "x" + bad + "y" + bad);
  CHECK(legal_text("lat\xe9") == "lat" + bad);
  CHECK(legal_text(std::string("a\0b", 3)) == "a" + bad + "b");
  CHECK(legal_text("\xef\xbf\xbe") == bad);  // U+FFFE
  // Cut short, too long a form, a surrogate, above 10FFFF, bytes that never occur.
  for (const char* text : {"\xe2\x82", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff", "\x80"}) {
    CHECK(!is_utf8(text));
    CHECK(is_utf8(legal_text(text)));
    CHECK(legal_text(text).find(bad) != std::string::npos);
  }
}

TEST_CASE("plot: a folder, a label and a title that are not UTF-8 make a picture that is") {
  const Scratch scratch;
  const std::string folder = scratch / "lat\xe9";
  std::filesystem::create_directory(folder);
  const EpochRow row{1, 0.05, 0.25, 0.9, 0.5, 0.8125, 1234.5, 6.789, {}, {}};
  std::ofstream(folder + "/log.csv") << log_csv({row}, false);
  for (const Arguments& more : {Arguments{}, {"--label", "\xff"}, {"--title", "x\x01y\xe9"}}) {
    const Outcome o = run(Arguments{"plot", folder, "--out", scratch / "a.svg"} + more);
    CHECK_MESSAGE(o.status == 0, o.err);
    const std::string svg = slurp(scratch / "a.svg");
    CHECK(svg.starts_with("<svg"));
    CHECK(legal_text(svg) == svg);
  }
}

TEST_CASE("run_log: what is written is what is read") {
  const EpochRow row{1, 0.05, 0.25, 0.9, 0.5, 0.8125, 1234.5, 6.789, {}, {}};
  EpochRow validated = row;
  validated.validation_loss = 0.75;
  validated.validation_accuracy = 0.625;
  for (bool validation : {false, true}) {
    const std::string text = log_csv({validation ? validated : row}, validation);
    const auto read = parse_log_csv(text, "log");
    REQUIRE(read.size() == 1);
    CHECK(log_csv(read, validation) == text);
    CHECK(read[0].validation_loss.has_value() == validation);
  }
  CHECK_THROWS_AS(parse_log_csv("", "log"), Error);
  CHECK_THROWS_AS(parse_log_csv("epoch,lr\n", "log"), Error);
  CHECK_THROWS_AS(parse_log_csv(log_csv({row}, false) + "2,3\n", "log"), Error);
  CHECK_THROWS_AS(parse_log_csv(log_csv({row}, false) + "2,x,0,0,0,0,0,0\n", "log"), Error);
}

TEST_CASE("plot: the curves of two runs in one picture") {
  const Scratch scratch;
  for (const char* norm : {"none", "batch"}) {
    REQUIRE(
        run({"train", "--samples", "300", "--model", "mlp:8", "--epochs", "2", "--norm", norm, "--out", scratch / norm}).status ==
        0);
  }
  const Outcome o = run({"plot", scratch / "none", scratch / "batch/log.csv", "--label", "without", "--label", "with BN", "--out",
                         scratch / "both.svg"});
  CHECK_MESSAGE(o.status == 0, o.err);
  CHECK(last_line(o.out) == scratch / "both.svg");
  const std::string svg = slurp(scratch / "both.svg");
  CHECK(svg.find("without, test") != std::string::npos);
  CHECK(svg.find("with BN, training") != std::string::npos);
  CHECK(run({"plot", scratch / "none", "--label", "a", "--label", "b"}).status == 2);
}

TEST_CASE("suggest: the nearest word, if one is near") {
  CHECK(edit_distance("epochs", "ephocs") == 2);
  CHECK(edit_distance("trian", "train") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(suggestion("fashon-mnist", {"mnist", "fashion-mnist"}) == "; did you mean fashion-mnist?");
  CHECK(suggestion("fashion", {"mnist", "fashion-mnist"}) == "; did you mean fashion-mnist?");
  CHECK(suggestion("zebra", {"mnist", "fashion-mnist"}) == "");
}

TEST_CASE("console: durations, thousands and the bar") {
  CHECK(duration(7.4) == "0:07");
  CHECK(duration(754) == "12:34");
  CHECK(duration(3723) == "1:02:03");
  CHECK(thousands(1234567) == "1,234,567");
  CHECK(thousands(-123) == "-123");
  CHECK(progress_bar(0.5, 4) == "[##--]");
}
