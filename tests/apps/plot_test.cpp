// Pictures, the log they are drawn from, and small things the program prints.
#include "apps/report/plot.h"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <fstream>

#include "apps/cli/console.h"
#include "apps/cli/suggest.h"
#include "apps/cli/text.h"
#include "apps/report/axis.h"
#include "apps/report/run_log.h"
#include "core/base/check.h"
#include "core/base/random.h"
#include "tests/apps/process.h"
#include "tests/svg.h"

using namespace evenkeel;

namespace {

// What a reader takes from the ticks: within a tenth of a pixel.
void check_curve(const svg::Chart& chart, const std::string& name, const std::vector<double>& x,
                 const std::vector<double>& y) {
  CAPTURE(name);
  const svg::Curve* c = chart.find(name);
  REQUIRE(c);
  REQUIRE(c->x.size() == x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    CHECK(std::abs(c->x[i] - x[i]) <= 0.15 * chart.x.a_pixel());
    CHECK(std::abs(c->y[i] - y[i]) <= 0.15 * chart.y.a_pixel());
  }
}

}  // namespace

TEST_CASE("plot: ticks are round and lie within") {
  CHECK(axis_ticks(0, 10, 6) == std::vector<double>{0, 2, 4, 6, 8, 10});
  CHECK(axis_ticks(1, 5, 8) == std::vector<double>{1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5});
  CHECK(axis_ticks(1, 5, 8, 1) == std::vector<double>{1, 2, 3, 4, 5});
  CHECK(axis_ticks(0.5, 1.5, 8, 1) == std::vector<double>{1});
  CHECK(axis_ticks(-0.05, 0.05, 3).size() == 3);
}

TEST_CASE(
    "plot: ticks of any range are 1, 2 or 5 times a power of ten apart, as many as asked for, and reach its ends") {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double size = std::pow(10, random.uniform(-6, 6)), low = random.uniform(-3, 3) * size,
                 high = low + random.uniform(0.1, 3) * size;
    const int count = static_cast<int>(3 + random.below(8));
    const std::vector<double> ticks = axis_ticks(low, high, count);
    CAPTURE(low);
    CAPTURE(high);
    CAPTURE(count);
    const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : high - low,
                 digits = step / std::pow(10, std::floor(std::log10(step) + 1e-6));
    if (ticks.size() > 1)
      CHECK((std::abs(digits - 1) < 1e-6 || std::abs(digits - 2) < 1e-6 || std::abs(digits - 5) < 1e-6));
    REQUIRE(!ticks.empty());
    CHECK(ticks.size() <= static_cast<size_t>(count) + 1);
    CHECK(2.6 * (static_cast<double>(ticks.size()) + 1) >= count);  // the next finer step would be too many
    CHECK(ticks.front() >= low - 1e-6 * size);
    CHECK(ticks.back() <= high + 1e-6 * size);
    CHECK(ticks.front() - low < step * 1.000001);
    CHECK(high - ticks.back() < step * 1.000001);
    for (size_t k = 1; k < ticks.size(); ++k) CHECK(ticks[k] - ticks[k - 1] == doctest::Approx(step));
  }
}

TEST_CASE("plot: a curve's points lie where the axes say, under its own name, colour and dashes") {
  const std::vector<double> x{1, 2, 3, 4, 5, 6}, up{0.1, 0.2, 0.35, 0.5, 0.7, 0.95},
      down{0.9, 0.4, 0.3, 0.05, 0.02, -0.4}, few{2, 5}, far{1.5e6, 3e6};
  const std::vector<double> fine{0.00012, 0.00031};
  const std::string text = svg_picture(
      "two charts",
      {{.title = "left",
        .x_label = "epoch",
        .y_label = "share",
        .series = {{"up", x, up, 0, false}, {"down", x, down, 3, true}, {"up again", x, {0, 0, 1, 1, 0, 0}, 9, false}}},
       {.title = "right", .x_label = "step", .y_label = "size", .series = {{"large", few, far, 1, false}}},
       {.title = "third", .x_label = "u", .y_label = "v", .series = {{"small", {0.25, 0.5}, fine, 8, true}}}});
  const svg::Picture p = svg::read(text, 3);
  CHECK(p.title == "two charts");
  CHECK(p.width == 3 * 460);
  CHECK(p.inside);
  const svg::Chart &left = p.charts[0], &right = p.charts[1], &third = p.charts[2];
  CHECK((left.heading == "left" && left.x_label == "epoch" && left.y_label == "share"));
  CHECK((right.heading == "right" && right.x_label == "step" && right.y_label == "size"));
  for (const svg::Chart& c : p.charts) {
    CAPTURE(c.heading);
    CHECK(c.x.worst() < 0.15);
    CHECK(c.y.worst() < 0.15);
    REQUIRE((c.x.pixels.size() >= 2 && c.y.pixels.size() >= 3));
    CHECK(c.right - c.left == doctest::Approx(460 - 58 - 18));
    for (size_t i = 1; i < c.x.values.size(); ++i)
      CHECK((c.x.values[i] - c.x.values[i - 1]) * (c.x.pixels[i] - c.x.pixels[i - 1]) > 0);  // to the right
    for (size_t i = 1; i < c.y.values.size(); ++i)
      CHECK((c.y.values[i] - c.y.values[i - 1]) * (c.y.pixels[i] - c.y.pixels[i - 1]) < 0);  // upwards
  }
  check_curve(left, "up", x, up);
  check_curve(left, "down", x, down);
  check_curve(left, "up again", x, {0, 0, 1, 1, 0, 0});
  check_curve(right, "large", few, far);
  check_curve(third, "small", {0.25, 0.5}, fine);
  // The x axis begins and ends with the points, the y axis leaves a twentieth free.
  CHECK(left.x.at(left.left) == doctest::Approx(1).epsilon(1e-3));
  CHECK(left.x.at(left.right) == doctest::Approx(6).epsilon(1e-3));
  CHECK(left.y.at(left.bottom) == doctest::Approx(-0.4 - 0.05 * 1.4).epsilon(2e-3));
  CHECK(left.x.values == x);  // whole numbers where the points are
  // Names in the order of the series, colours by their number, modulo the eight there are.
  REQUIRE(left.curves.size() == 3);
  CHECK((left.curves[0].name == "up" && left.curves[1].name == "down" && left.curves[2].name == "up again"));
  CHECK((left.curves[0].color == "#0072b2" && left.curves[1].color == "#cc79a7" && left.curves[2].color == "#d55e00"));
  CHECK((!left.curves[0].dashed && left.curves[1].dashed && !left.curves[2].dashed));
  CHECK(third.curves[0].color == left.curves[0].color);
  // Dots on what is drawn through.
  REQUIRE(left.dots.size() == 2);
  CHECK(left.dots[0].color == "#0072b2");
  for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(left.dots[0].y[i] - up[i]) <= 0.15 * left.y.a_pixel());
  CHECK(third.dots.empty());
  // Dashes are drawn over lines, not under them.
  CHECK(text.find("stroke-dasharray") > text.find("stroke=\"#d55e00\"/>"));

  std::vector<double> many(41);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<double>(i);
  const auto dots = [&](size_t points) {
    const std::vector<double> some(many.begin(), many.begin() + static_cast<int64_t>(points));
    return svg::all(
               svg_picture("", {{.title = "", .x_label = "", .y_label = "", .series = {{"", some, some, 0, false}}}}),
               "<circle")
        .size();
  };
  CHECK(dots(40) == 40);
  CHECK(dots(41) == 0);
}

TEST_CASE("plot: on logarithmic axes decades are equally far apart, upwards and to the right; 0 interrupts a line") {
  const std::vector<double> x{0.01, 0.1, 2, 100, 1000}, y{0.002, 0.5, 30, 0, 500};
  const std::string text = svg_picture(
      "",
      {{.title = "", .x_label = "", .y_label = "", .series = {{"a", x, y, 0, false}}, .log_x = true, .log_y = true}});
  const svg::Picture p = svg::read(text, 1);
  const auto decades = [](const svg::Axis& axis) {
    svg::Axis logs;
    for (size_t i = 0; i < axis.values.size(); ++i)  // those between decades have no number
      if (axis.values[i] > 0) logs.pixels.push_back(axis.pixels[i]), logs.values.push_back(std::log10(axis.values[i]));
    return logs;
  };
  const svg::Axis to_right = decades(p.charts[0].x), upwards = decades(p.charts[0].y);
  CHECK(to_right.values == std::vector<double>{-2, -1, 0, 1, 2, 3});
  CHECK(upwards.values == std::vector<double>{-2, -1, 0, 1, 2});
  CHECK((to_right.worst() < 0.15 && upwards.worst() < 0.15));
  CHECK(to_right.pixels.front() < to_right.pixels.back());
  CHECK(upwards.pixels.front() > upwards.pixels.back());
  CHECK(std::abs(p.charts[0].bottom - upwards.pixels.front()) > 1);  // 0.002 is below 0.01
  const auto dots = svg::all(text, R"re(<circle cx="([\d.]+)" cy="([\d.]+)")re");
  REQUIRE(dots.size() == 4);
  for (size_t i = 0; i < 4; ++i) {
    const size_t k = i < 3 ? i : 4;
    CHECK(std::abs(to_right.at(std::stod(dots[i][1])) - std::log10(x[k])) <= 0.15 * to_right.a_pixel());
    CHECK(std::abs(upwards.at(std::stod(dots[i][2])) - std::log10(y[k])) <= 0.15 * upwards.a_pixel());
  }
  CHECK(svg::all(text, "<path d=\"M[^\"]*M").size() == 1);  // in two pieces
  // Far from 1 a decade is a power of ten.
  CHECK(
      svg_picture(
          "",
          {{.title = "", .x_label = "", .y_label = "", .series = {{"", {1, 2}, {1e-6, 1e6}, 0, false}}, .log_y = true}})
          .find("10\u207b\u2075") != std::string::npos);
}

TEST_CASE("plot: a chart for a page has its names at its lines and its numbers in a table") {
  const std::vector<double> x{0, 1, 2, 3}, up{1, 2, 4, 8}, down{8, 6, 3, 1};
  const Chart chart{.title = "a < b",
                    .x_label = "time",
                    .y_label = "size",
                    .series = {{"up", x, up, 1, false}, {"down", x, down, 2, true}}};
  const std::string html = html_chart(chart);
  const svg::Picture p = svg::read(html, 1);
  CHECK((p.width == 340 && p.inside));
  check_curve(p.charts[0], "up", x, up);
  check_curve(p.charts[0], "down", x, down);
  CHECK(p.charts[0].find("down")->dashed);
  CHECK(html.find("aria-label=\"a &lt; b: size against time. The numbers are in the table below.\"") !=
        std::string::npos);
  CHECK(html_numbers(chart) ==
        "<table class=\"numbers\"><caption>a &lt; b</caption><thead><tr><th scope=\"col\">time<th scope=\"col\">up<th "
        "scope=\"col\">down</tr></thead><tbody>\n<tr><th scope=\"row\">0<td>1<td>8</tr>\n<tr><th scope=\"row\">1<td>2"
        "<td>6</tr>\n<tr><th scope=\"row\">2<td>4<td>3</tr>\n<tr><th scope=\"row\">3<td>8<td>1</tr>\n</tbody></table>"
        "\n");
  // Every other place, and the last one.
  CHECK(svg::all(html_numbers(chart, 2), "scope=\"row\">(\\d)").size() == 3);
}

TEST_CASE("plot: on a page no name covers another, not even of lines that coincide at the bottom") {
  Chart chart{.title = "t", .x_label = "x", .y_label = "y", .series = {}};
  const std::vector<double> x{0, 1, 2, 3}, zeros{0, 0, 0, 0};
  int color = 0;
  for (const char* name : {"predicted, layer norm: none", "measured, layer norm", "measured, group norm"})
    chart.series.push_back({name, x, zeros, color++, false});
  chart.series.push_back({"measured, batch norm", x, {0.3, 0, 0.3, 0.5}, color, false});
  struct Name {
    double x, y, right;  // a letter is 6.8 wide
  };
  std::vector<Name> names;
  for (const auto& m :
       svg::all(html_chart(chart), "<text x=\"([\\d.]+)\" y=\"([\\d.]+)\"[^>]*class=\"label\"[^>]*>([^<]*)"))
    if (const double x = std::stod(m[1]); m[3].size() > 3)
      names.push_back({x, std::stod(m[2]), x + 6.8 * static_cast<double>(m[3].size())});
  REQUIRE(names.size() == 4);
  for (size_t i = 0; i < 4; ++i)
    for (size_t k = 0; k < i; ++k) {
      const Name &a = names[i], &b = names[k];
      CHECK_MESSAGE((std::abs(a.y - b.y) >= 15 || a.right <= b.x || b.right <= a.x), k, " and ", i);
    }
}

TEST_CASE("plot: a field of numbers begins at the top left; its signs have two colours, its sizes are how strong") {
  const Chart chart{.title = "J", .x_label = "", .y_label = "", .series = {}, .cells = {{1, -2}, {0, 0.5}}};
  for (const std::string& text : {html_chart(chart), svg_picture("", {chart})}) {
    const auto fields = svg::all(
        text,
        R"re(<rect x="([\d.]+)" y="([\d.]+)" width="[\d.]+" height="[\d.]+" fill="(#\w+)" fill-opacity="([\d.]+)")re");
    REQUIRE(fields.size() == 4);
    const auto at = [&](size_t field, size_t what) { return std::stod(fields[field][what]); };
    CHECK((at(0, 1) < at(1, 1) && at(0, 2) == at(1, 2)));  // a row from left to right
    CHECK((at(0, 1) == at(2, 1) && at(0, 2) < at(2, 2)));  // the second one below it
    CHECK((fields[0][3] == fields[3][3] && fields[0][3] != fields[1][3]));
    CHECK((at(0, 4) == 0.35 && at(1, 4) == 0.7 && at(2, 4) == 0 && at(3, 4) == doctest::Approx(0.175).epsilon(0.04)));
    CHECK(svg::all(text, "class=\"label\">(1.00|-2.00|0|0.50)<").size() == 4);
  }
}

TEST_CASE("plot: one value alone has an axis around it") {
  for (const double v : {0.0, 5.0, -200.0}) {
    const svg::Picture p = svg::read(
        svg_picture("", {{.title = "", .x_label = "", .y_label = "", .series = {{"a", {1}, {v}, 0, false}}}}), 1);
    CAPTURE(v);
    CHECK(p.inside);
    REQUIRE(p.charts[0].y.pixels.size() > 1);
    REQUIRE(p.charts[0].dots.size() == 1);
    CHECK(std::abs(p.charts[0].dots[0].y[0] - v) <= 0.15 * p.charts[0].y.a_pixel());
    REQUIRE(p.charts[0].x.values == std::vector<double>{1});  // in the middle
    CHECK(std::abs(p.charts[0].x.pixels[0] - (p.charts[0].left + p.charts[0].right) / 2) < 0.15);
    CHECK(p.charts[0].y.at(p.charts[0].bottom) == doctest::Approx(v - std::max(0.5, std::abs(v) / 10)).epsilon(2e-3));
  }
}

TEST_CASE("run_log: every curve of a run, and of two runs, is the column that its name says") {
  std::vector<EpochRow> rows, others;
  for (int e = 1; e <= 4; ++e) {
    rows.push_back({e, 0.1, 2.0 / e, 0.1 * e, 2.5 / e, 0.15 * e, 100, 1, 3.0 / e, 0.2 * e});
    others.push_back({e, 0.1, 1.0 / e, 0.05 * e, 1.5 / e, 0.07 * e, 100, 1, {}, {}});
  }
  const auto column = [](const std::vector<EpochRow>& r, auto value) {
    std::vector<double> v;
    for (const EpochRow& row : r) v.push_back(value(row));
    return v;
  };
  const std::vector<double> epochs{1, 2, 3, 4};
  const auto train_loss = [](const EpochRow& r) { return r.train_loss; };
  const auto test_loss = [](const EpochRow& r) { return r.test_loss; };
  const auto train_accuracy = [](const EpochRow& r) { return r.train_accuracy; };
  const auto test_accuracy = [](const EpochRow& r) { return r.test_accuracy; };

  const svg::Picture one = svg::read(draw_run("a run", rows), 2);
  CHECK((one.title == "a run" && one.inside));
  const svg::Chart &loss = one.charts[0], &accuracy = one.charts[1];
  CHECK((loss.heading == "Loss" && loss.x_label == "epoch" && loss.y_label == "cross-entropy"));
  CHECK((accuracy.heading == "Accuracy" && accuracy.x_label == "epoch" && accuracy.y_label == "fraction right"));
  check_curve(loss, "training", epochs, column(rows, train_loss));
  check_curve(loss, "test", epochs, column(rows, test_loss));
  check_curve(loss, "validation", epochs, column(rows, [](const EpochRow& r) { return *r.validation_loss; }));
  check_curve(accuracy, "training", epochs, column(rows, train_accuracy));
  check_curve(accuracy, "test", epochs, column(rows, test_accuracy));
  check_curve(accuracy, "validation", epochs, column(rows, [](const EpochRow& r) { return *r.validation_accuracy; }));
  for (const svg::Chart& c : one.charts) {
    REQUIRE(c.curves.size() == 3);
    CHECK((c.curves[0].dashed && !c.curves[1].dashed && !c.curves[2].dashed));
    CHECK((c.curves[0].color != c.curves[1].color && c.curves[1].color != c.curves[2].color &&
           c.curves[0].color != c.curves[2].color));
    for (size_t i = 0; i < 3; ++i) CHECK(c.curves[i].color == loss.curves[i].color);
  }
  CHECK(svg::read(draw_run("", others), 2).charts[0].curves.size() == 2);

  // Of several runs: a row of charts for each kind of images, one line a run, one legend.
  const std::vector<NamedLog> runs{{"a", rows}, {"b", others}};
  const svg::Picture two = svg::read(draw_runs("both", runs, {.test = true}), 2, 3);
  CHECK((two.title == "both" && two.inside));
  const char* headings[] = {"Loss on training images",       "Accuracy on training images", "Loss on validation images",
                            "Accuracy on validation images", "Loss on test images",         "Accuracy on test images"};
  for (size_t i = 0; i < 6; ++i) CHECK(two.charts[i].heading == headings[i]);
  for (const auto& [name, r] : {std::pair{"a", &rows}, {"b", &others}}) {
    check_curve(two.charts[0], name, epochs, column(*r, train_loss));
    check_curve(two.charts[1], name, epochs, column(*r, train_accuracy));
    check_curve(two.charts[4], name, epochs, column(*r, test_loss));
    check_curve(two.charts[5], name, epochs, column(*r, test_accuracy));
  }
  check_curve(two.charts[2], "a", epochs, column(rows, [](const EpochRow& r) { return *r.validation_loss; }));
  check_curve(two.charts[3], "a", epochs, column(rows, [](const EpochRow& r) { return *r.validation_accuracy; }));
  CHECK(two.charts[2].find("b")->x.empty());
  // Without a validation split there are no such charts, and test curves only on request.
  const svg::Picture plain = svg::read(draw_runs("", {{"b", others}}, {}), 2, 1);
  CHECK(svg::all(draw_runs("", {{"b", others}}, {}), "class=\"heading\"").size() == 2);
  CHECK(svg::all(draw_runs("", runs, {}), "class=\"heading\"").size() == 4);
  CHECK(plain.charts[0].curves.size() == 1);

  // Smoothed: the weighted mean of what came so far, by its definition.
  const svg::Picture smooth = svg::read(draw_runs("", {{"a", rows}, {"b", others}}, {.smooth = 0.7}), 2, 2);
  std::vector<double> expected;
  for (size_t t = 0; t < 4; ++t) {
    double sum = 0, weight = 0;
    for (size_t k = 0; k <= t; ++k) {
      sum += std::pow(0.7, static_cast<double>(t - k)) * rows[k].train_loss;
      weight += std::pow(0.7, static_cast<double>(t - k));
    }
    expected.push_back(sum / weight);
  }
  check_curve(smooth.charts[0], "a", epochs, expected);
}

TEST_CASE(
    "run_log: twenty runs have twenty styles, named once below the charts; more than can be told apart are refused") {
  std::vector<NamedLog> runs;
  for (int i = 0; i < 20; ++i) {
    runs.push_back({"run " + std::to_string(i), {}});
    for (int e = 1; e <= 3; ++e)
      runs.back().rows.push_back({e, 0.1, 2.0 / e + i, 0.02 * i + 0.1 * e, 1, 0.5, 100, 1, {}, {}});
  }
  runs[7].name = std::string(100, 'x') + "<";
  const std::string text = draw_runs("many", runs, {});
  CHECK(svg::all(text, "h26\" class=\"line\"").size() == 20);
  const svg::Picture p = svg::read(text, 2);  // the legend lies below both charts
  std::vector<std::string> styles, names;
  for (const svg::Chart& chart : p.charts) {
    for (const svg::Curve& c : chart.curves) styles.push_back(c.color + c.dashes), names.push_back(c.name);
  }
  std::sort(styles.begin(), styles.end());
  CHECK(styles.size() == 20);
  CHECK(std::unique(styles.begin(), styles.end()) == styles.end());
  CHECK(p.inside);
  for (int i = 0; i < 20; ++i)
    if (i != 7) CHECK(std::count(names.begin(), names.end(), "run " + std::to_string(i)) == 1);
  CHECK(text.find(std::string(35, 'x') + "\u2026<") != std::string::npos);
  while (runs.size() <= most_styles) runs.push_back(runs[0]);
  CHECK_THROWS_AS(draw_runs("", runs, {}), Error);
}

// In CIELAB, as eyes see it that lack a kind of cones: Machado, Oliveira and Fernandes 2009, severity 1.
std::array<double, 3> lab_colour(const std::string& hex, const double (&eye)[3][3]) {
  double light[3], seen[3], xyz[3];
  for (size_t i = 0; i < 3; ++i) {
    const double s = std::stoi(hex.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
    light[i] = s <= 0.04045 ? s / 12.92 : std::pow((s + 0.055) / 1.055, 2.4);
  }
  for (size_t i = 0; i < 3; ++i)
    seen[i] = std::clamp(eye[i][0] * light[0] + eye[i][1] * light[1] + eye[i][2] * light[2], 0.0, 1.0);
  constexpr double to_xyz[3][3] = {
      {0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}};
  constexpr double white[3] = {0.95047, 1, 1.08883};
  for (size_t i = 0; i < 3; ++i) {
    const double v = (to_xyz[i][0] * seen[0] + to_xyz[i][1] * seen[1] + to_xyz[i][2] * seen[2]) / white[i];
    xyz[i] = v > 0.008856 ? std::cbrt(v) : 7.787 * v + 16.0 / 116;
  }
  return {116 * xyz[1] - 16, 500 * (xyz[0] - xyz[1]), 200 * (xyz[1] - xyz[2])};
}

TEST_CASE("plot: the colours stay apart, for the colour-blind too") {
  constexpr double eyes[4][3][3] = {
      {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
      {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
      {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
      {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
  Chart chart{.title = "", .x_label = "", .y_label = "", .series = {}};
  for (int i = 0; i < 8; ++i) chart.series.push_back({std::to_string(i), {1, 2}, {1.0 * i, 2}, i, 0});
  const svg::Picture p = svg::read(svg_picture("", {chart}), 1);
  REQUIRE(p.charts[0].curves.size() == 8);
  for (const auto& eye : eyes) {
    for (const svg::Curve& a : p.charts[0].curves) {
      for (const svg::Curve& b : p.charts[0].curves) {
        if (&a == &b) continue;
        const auto u = lab_colour(a.color, eye), v = lab_colour(b.color, eye);
        CHECK_MESSAGE(std::hypot(u[0] - v[0], u[1] - v[1], u[2] - v[2]) > 16, (a.color + b.color));
      }
    }
  }
}

TEST_CASE("plot: a line breaks where a value is not finite, and text is escaped") {
  const std::string svg = svg_picture(
      "a < b > \"c\"\n\x1b"
      "d",
      {{.title = "t",
        .x_label = "x",
        .y_label = "y",
        .series = {{.name = "a&b", .x = {1, 2, 3, 4}, .y = {1, NAN, INFINITY, 2}}}}});
  CHECK(svg.starts_with("<svg xmlns"));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(svg.find("a &lt; b &gt; &quot;c&quot;\xef\xbf\xbd"
                 "d<") != std::string::npos);
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
  for (const char* text : {"\xe2\x82", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xf8\x88\x80\x80\x80", "\xff", "\x80"}) {
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

TEST_CASE("plot: the curves of two runs in one picture, under the names of their folders or the ones given") {
  const Scratch scratch;
  for (const auto& [name, loss] : {std::pair{"none", 2.0}, {"batch", 1.0}}) {
    std::filesystem::create_directory(scratch / name);
    const EpochRow first{1, 0.1, loss, 0.5, loss / 2, 0.6, 100, 1, {}, {}},
        second{2, 0.1, loss / 4, 0.7, loss / 3, 0.8, 100, 1, {}, {}};
    std::ofstream(scratch / name + "/log.csv") << log_csv({first, second}, false);
  }
  const auto drawn = [&](const Arguments& arguments, const std::string& file) {
    const Outcome o = run(Arguments{"plot"} + arguments);
    CHECK_MESSAGE(o.status == 0, o.err);
    CHECK(o.out == file + "\n");
    return svg::read(slurp(file), 2, 2);
  };
  const svg::Picture p = drawn({scratch / "none", scratch / "batch/log.csv", "--test", "--out", scratch / "both.svg"},
                               scratch / "both.svg");
  CHECK(p.title == "Training with evenkeel");
  check_curve(p.charts[0], "none", {1, 2}, {2, 0.5});
  check_curve(p.charts[0], "batch", {1, 2}, {1, 0.25});
  check_curve(p.charts[3], "none", {1, 2}, {0.6, 0.8});
  const svg::Picture named = drawn({scratch / "none/", scratch / "batch", "--label", "without", "--label", "with BN",
                                    "--title", "A & B", "--test", "--out", scratch / "named.svg"},
                                   scratch / "named.svg");
  CHECK(named.title == "A &amp; B");
  check_curve(named.charts[2], "without", {1, 2}, {1, 2. / 3});
  check_curve(named.charts[2], "with BN", {1, 2}, {0.5, 1. / 3});
  const svg::Picture smoothed =
      drawn({scratch / "none", "--test", "--smooth", "0.5", "--out", scratch / "smooth.svg"}, scratch / "smooth.svg");
  check_curve(smoothed.charts[0], "none", {1, 2}, {2, 1});  // (0.5 x 2 + 0.5) / 1.5

  // What is no run is passed over, by its name; the output of before is none.
  std::filesystem::create_directory(scratch / "empty");
  std::ofstream(scratch / "text.txt") << "text";
  const Outcome some = run({"plot",
                            scratch / "empty",
                            scratch / "none",
                            scratch / "text.txt",
                            scratch / "both.svg",
                            scratch / "nowhere",
                            scratch / "batch/best.safetensors",
                            "--label",
                            "1",
                            "--label",
                            "2",
                            "--label",
                            "3",
                            "--label",
                            "4",
                            "--label",
                            "5",
                            "--label",
                            "6",
                            "--test",
                            "--out",
                            scratch / "both.svg"});
  CHECK_MESSAGE(some.status == 0, some.err);
  for (const char* name : {"empty", "text.txt", "both.svg", "nowhere"})
    CHECK_MESSAGE(some.err.find(scratch / name + " is no run, skipped\n") != std::string::npos, some.err);
  const svg::Picture passed = svg::read(slurp(scratch / "both.svg"), 2, 2);
  REQUIRE(passed.charts[0].curves.size() == 2);
  check_curve(passed.charts[0], "2", {1, 2}, {2, 0.5});
  check_curve(passed.charts[0], "6", {1, 2}, {1, 0.25});
  const Outcome nothing = run({"plot", scratch / "text.txt", scratch / "empty", "--out", scratch / "no.svg"});
  CHECK(nothing.status == 3);
  CHECK_MESSAGE(nothing.err.find("empty/log.csv") != std::string::npos, nothing.err);

  const Outcome labels = run({"plot", scratch / "none", "--label", "a", "--label", "b"});
  CHECK((labels.status == 2 &&
         labels.err.find("give one --label for each of the 1 runs, or none; got 2") != std::string::npos));
  CHECK(run({"plot"}).status == 2);
  CHECK(run({"plot", scratch / "none", "--out", scratch / "no/folder.svg"}).status == 5);

  // A damaged log is an error, also among others, and no picture is drawn; a run without one has not got so far.
  const std::string log = slurp(scratch / "none/log.csv");
  for (const auto& [text_, why_] : {std::pair<std::string, std::string>{"epoch\n", "line 1 must be epoch,lr,"},
                                    {"", "line 1 must be epoch,lr,"},
                                    {log.substr(0, log.size() - 9), "line 3 must have 8 columns, it has 7"},
                                    {"x" + log, "line 1 must be epoch,lr,"}}) {
    std::ofstream(scratch / "batch/log.csv") << text_;
    for (const Arguments& runs : {Arguments{scratch / "batch"},
                                  {scratch / "none", scratch / "batch"},
                                  {scratch / "batch/log.csv", scratch / "none"}}) {
      const Outcome o = run(Arguments{"plot"} + runs + Arguments{"--out", scratch / "bad.svg"});
      CHECK(o.status == 4);
      CHECK_MESSAGE(contains(o.err, "evenkeel: " + scratch / "batch/log.csv" + ": " + why_), o.err);
      CHECK_FALSE(std::filesystem::exists(scratch / "bad.svg"));
    }
  }
  std::ofstream(scratch / "empty/config.json") << "{}";
  const Outcome young = run({"plot", scratch / "empty", scratch / "none", "--out", scratch / "none.svg"});
  CHECK(young.status == 0);
  CHECK_MESSAGE(contains(young.err, "empty has no finished epoch, skipped\n"), young.err);
}

TEST_CASE("run_log: what a damaged log lacks is said") {
  const EpochRow row{1, 0.05, 0.25, 0.9, 0.5, 0.8125, 1234.5, 6.789, {}, {}};
  const std::string good = log_csv({row}, false);
  const auto said = [](const std::string& text) {
    try {
      parse_log_csv(text, "the log");
    } catch (const Error& error) {
      return error.fault == Fault::bad_file ? std::string(error.what()) : "";
    }
    return std::string();
  };
  CHECK(said("epoch,lr\n").starts_with("the log: line 1 must be epoch,lr,train_loss"));
  CHECK(said("epoch,lr\n").ends_with(",seconds, got \"epoch,lr\""));
  CHECK(said(good + "2,x,0,0,0,0,0,0\n") ==
        "the log: line 3 must be 8 numbers with commas between them, got \"2,x,0,0,0,0,0,0\"");
  CHECK(said(good + "2,0;0,0,0,0,0,0\n")
            .ends_with("line 3 must be 8 numbers with commas between them, got \"2,0;0,0,0,0,0,0\""));
  CHECK(said(good + "2,3\n") == "the log: line 3 must have 8 columns, it has 2");
  CHECK(said(good + "2,0,0,0,0,0,0,0,0\n") == "the log: line 3 must have 8 columns, it has more than 8");
  const std::vector<EpochRow> read = parse_log_csv(good.substr(0, good.size() - 1), "log");  // no line's end
  REQUIRE(read.size() == 1);
  CHECK((read[0].epoch == 1 && read[0].lr == 0.05 && read[0].train_loss == 0.25 && read[0].train_accuracy == 0.9));
  CHECK((read[0].test_loss == 0.5 && read[0].test_accuracy == 0.8125 && read[0].images_per_second == 1234.5 &&
         read[0].seconds == 6.789));
}

TEST_CASE("suggest: the nearest word, if one is near") {
  CHECK(edit_distance("epochs", "ephocs") == 2);
  CHECK(edit_distance("trian", "train") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(suggestion("fashon-mnist", {"mnist", "fashion-mnist"}) == "; did you mean fashion-mnist?");
  CHECK(suggestion("fashion", {"mnist", "fashion-mnist"}) == "; did you mean fashion-mnist?");
  CHECK(suggestion("cat", {"bat", "rat"}) == "; did you mean bat?");  // the first of two as near
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
