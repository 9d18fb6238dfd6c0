#include "apps/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "apps/cli/text.h"
#include "core/base/check.h"
#include "data/formats/image.h"

namespace evenkeel {
namespace {

constexpr int64_t largest_side = 96;                      // pixels of a picture in the page
constexpr size_t most_numbers = 40, most_drawn = 200;     // most classes for a matrix with numbers, and for a matrix
constexpr double letter = 7.2, label_size = 14 * letter;  // pixels of the matrix's names

constexpr const char* head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --ink: #1d2125; --soft: #5a6270; --line: #d9dee4; --paper: #fff; --tint: #f3f5f8; --right: #0072b2; --wrong: #d55e00; --bar: #d8e8f3 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e2e5e8; --soft: #9aa4ae; --line: #3a424a; --paper: #15181b; --tint: #1e2327; --right: #56b4e9; --wrong: #e69f00; --bar: #20394a }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere } h2 { font-size: 1.15rem; margin: 2.6rem 0 .5rem }
p { max-width: 46rem; margin: .4rem 0 } .soft { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem; margin: 1.3rem 0 }
.facts div { background: var(--tint); border-radius: .5rem; padding: .7rem .9rem } .facts b { display: block; font-size: 1.65rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums }
.facts span { color: var(--soft); font-size: .82rem; display: block }
.two { display: grid; grid-template-columns: minmax(0, 1fr); gap: 0 2.5rem } @media (min-width: 60rem) { .two { grid-template-columns: minmax(0, 3fr) minmax(0, 2fr) } }
.wrap { overflow: auto; max-height: 34rem; border: 1px solid var(--line); border-radius: .5rem } .wrap svg { display: block }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums }
th, td { padding: .28rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line) } tr:last-child td { border-bottom: 0 }
th { position: sticky; top: 0; background: var(--tint); font-weight: 600 } th:first-child, td:first-child { text-align: left; white-space: normal; overflow-wrap: break-word; min-width: 7rem; max-width: 16rem }
.pairs th:nth-child(2), .pairs td:nth-child(2) { text-align: left; white-space: normal; overflow-wrap: break-word; max-width: 16rem } @media (max-width: 30rem) { table { font-size: .8rem } th, td { padding: .28rem .3rem } th:first-child, td:first-child { min-width: 5rem } }
td.v { background: linear-gradient(to right, var(--bar) var(--v), transparent var(--v)) }
svg text { font-family: inherit; font-size: 12px; fill: var(--ink); font-variant-numeric: tabular-nums } svg .t { fill: var(--soft) } svg .m { text-anchor: middle } svg .e { text-anchor: end }
.r { fill: var(--right) } .w { fill: var(--wrong) } .line { stroke: var(--line) } .ink { stroke: var(--soft); fill: none } .mark { stroke: var(--wrong); stroke-width: 2.5 }
svg .s9, svg .s10 { fill: #fff } @media (prefers-color-scheme: dark) { svg .s6, svg .s7, svg .s8, svg .s9, svg .s10 { fill: #15181b } }
.mistakes { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); gap: .8rem; margin: .8rem 0 }
.mistakes figure { margin: 0; background: var(--tint); border-radius: .5rem; padding: .6rem; text-align: center; font-size: .82rem; line-height: 1.35; overflow-wrap: anywhere }
.mistakes img { width: 96px; height: 96px; object-fit: contain; image-rendering: pixelated; display: block; margin: 0 auto .4rem } .mistakes b { color: var(--wrong) } .mistakes .soft { font-size: inherit }
@media print { .wrap { max-height: none; overflow: visible } h2 { break-after: avoid } figure, tr { break-inside: avoid } }
</style>
)";

std::string base64(std::string_view bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k) three = three << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string picture_url(const Dataset& images, size_t i) {
  const Shape& shape = images.image;
  const auto begin = images.pixels.begin() + static_cast<int64_t>(i) * shape.size();
  Picture picture{.height = shape[0], .width = shape[1], .channels = shape[2], .pixels = {begin, begin + shape.size()}};
  if (const int64_t side = std::max(shape[0], shape[1]); side > largest_side)
    picture = fit_picture(std::move(picture), std::max<int64_t>(1, shape[0] * largest_side / side),
                          std::max<int64_t>(1, shape[1] * largest_side / side), shape[2]);
  return "data:image/png;base64," + base64(encode_png(picture));
}

class Page {
 public:
  Page(const Evaluation& e, const Dataset& images, const PageFacts& facts) : e_(e), images_(images), facts_(facts) {
    check(images.size() == e.count() && (images.image[2] == 1 || images.image[2] == 3),
          "evaluation_page: needs an image of 1 or 3 channels for each of {} answers, got {} of {}", e.count(),
          images.size(), images.image[2]);
  }

  std::string operator()() {
    add("{}<title>{} on {}</title></head><body>\n<h1>{} on {}</h1>\n<p class=\"soft\">{}</p>\n", head,
        markup_text(facts_.network), markup_text(facts_.data), markup_text(facts_.network), markup_text(facts_.data),
        markup_text(facts_.about));
    key_numbers();
    out_ += "<div class=\"two\"><section>\n";
    classes();
    out_ += "</section><section>\n";
    calibration();
    out_ += "</section></div>\n";
    add("<div{}><section>\n", e_.names().size() <= 12 ? " class=\"two\"" : "");
    if (e_.names().size() <= most_drawn) matrix();
    out_ += "</section><section>\n";
    frequent_mistakes();
    out_ += "</section></div>\n";
    surest_mistakes();
    return out_ + "</body></html>\n";
  }

 private:
  void add(fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(out_), format, fmt::make_format_args(values...));
  }
  std::string name(int32_t label) const { return markup_text(e_.names()[static_cast<size_t>(label)]); }

  void key_numbers() {
    const Interval range = wilson_interval(e_.right(), e_.count());
    out_ += "<div class=\"facts\">\n";
    const auto fact = [&](const char* what, const std::string& value, const std::string& more) {
      add("<div><span>{}</span><b>{}</b><span>{}</span></div>\n", what, value, more);
    };
    fact("accuracy", fmt::format("{:.4f}", e_.accuracy()),
         fmt::format("{} of {}; 95 % interval {:.4f} to {:.4f}", e_.right(), e_.count(), range.low, range.high));
    fact("mean F1", fmt::format("{:.4f}", e_.mean_f1()), "each class counts the same");
    fact("calibration error", fmt::format("{:.4f}", e_.calibration_error()), "expected, over 15 bins of confidence");
    fact("loss", fmt::format("{:.4g}", facts_.loss), "mean cross-entropy, natural logarithm");
    out_ += "</div>\n";
  }

  void cell(double v) {
    if (std::isnan(v))
      out_ += "<td>\u2013";
    else
      add("<td class=\"v\" style=\"--v:{:.0f}%\">{:.4f}", 100 * v, v);
  }

  void classes() {
    out_ +=
        "<h2>Classes</h2>\n<div "
        "class=\"wrap\"><table><thead><tr><th>class<th>images<th>precision<th>recall<th>F1</tr></thead><tbody>\n";
    for (size_t i = 0; i < e_.classes().size(); ++i) {
      const ClassMeasures& c = e_.classes()[i];
      add("<tr><td>{}<td>{}", name(static_cast<int32_t>(i)), c.images);
      for (const double v : {c.precision(), c.recall(), c.f1()}) cell(v);
      out_ += "</tr>\n";
    }
    out_ +=
        "</tbody></table></div>\n<p class=\"soft\">Precision: of the images taken for the class, the part that is of "
        "it. Recall: of "
        "the class's images, the part that is taken for it. F1: their harmonic mean.</p>\n";
  }

  // Both axes from 0 to 1; below them the number of answers in each bin.
  void calibration() {
    constexpr double left = 40, top = 10, size = 250, foot = top + size + 14, bars = 50;
    const auto x = [](double v) { return left + size * v; };
    const auto y = [](double v) { return top + size * (1 - v); };
    out_ +=
        "<h2>Calibration</h2>\n<svg viewBox=\"0 0 310 366\" width=\"310\" style=\"max-width:100%\" role=\"img\" "
        "aria-label=\"accuracy by confidence\">\n";
    for (const double v : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      add("<path class=\"line\" d=\"M{0:.1f} {1:.1f}H{2:.1f}\"/><text class=\"t e\" x=\"{3:.1f}\" "
          "y=\"{4:.1f}\">{5}</text>"
          "<text class=\"t m\" x=\"{6:.1f}\" y=\"{7:.1f}\">{5}</text>\n",
          left, y(v), x(1), left - 5, y(v) + 4, v, x(v), foot + bars + 15);
    }
    int64_t most = 1;
    for (const ConfidenceBin& b : e_.bins()) most = std::max(most, b.count);
    const double width = size / static_cast<double>(e_.bins().size());
    for (size_t i = 0; i < e_.bins().size(); ++i) {
      const ConfidenceBin& b = e_.bins()[i];
      if (b.count == 0) continue;
      const double begin = left + width * static_cast<double>(i) + 1,
                   accuracy = static_cast<double>(b.right) / static_cast<double>(b.count),
                   tall = std::max(1.0, bars * static_cast<double>(b.count) / static_cast<double>(most));
      add("<rect class=\"r\" fill-opacity=\".75\" x=\"{0:.1f}\" y=\"{1:.1f}\" width=\"{2:.1f}\" "
          "height=\"{3:.1f}\"><title>{4} answers: "
          "confidence {5:.4f}, right {6:.4f}</title></rect>\n"
          "<path class=\"mark\" d=\"M{0:.1f} {7:.1f}h{2:.1f}\"/>\n"
          "<rect class=\"r\" fill-opacity=\".4\" x=\"{0:.1f}\" y=\"{8:.1f}\" width=\"{2:.1f}\" height=\"{9:.1f}\"/>\n",
          begin, y(accuracy), width - 2, size * accuracy, b.count, b.confidence, accuracy, y(b.confidence),
          foot + bars - tall, tall);
    }
    add("<path class=\"ink\" stroke-dasharray=\"4 4\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", x(0), y(0), x(1), y(1));
    add("<path class=\"ink\" d=\"M{0:.1f} {1:.1f}H{2:.1f}M{0:.1f} {3:.1f}H{2:.1f}\"/>\n", left, y(0), x(1),
        foot + bars);
    add("<text class=\"m\" x=\"{:.1f}\" y=\"{:.1f}\">confidence</text>\n", x(0.5), foot + bars + 34);
    add("<text class=\"t e\" x=\"{0:.1f}\" y=\"{1:.1f}\">{2}</text></svg>\n", left - 5, foot + 10, most);
    out_ +=
        "<p class=\"soft\">Blue: the part of the answers that is right, by the probability that the network gives "
        "them. "
        "Orange: that probability. Where they differ the network is too sure, or not sure enough. Below: how many "
        "answers there are.</p>\n";
  }

  void frequent_mistakes() {
    const std::vector<Confusion> mistakes = e_.mistakes();
    out_ += "<h2>Most frequent mistakes</h2>\n";
    if (mistakes.empty()) {
      out_ += "<p>None: every answer is right.</p>\n";
      return;
    }
    add("<div class=\"wrap\"><table class=\"pairs\"><thead><tr><th>class<th>taken for<th>images<th>of the "
        "class</tr></thead>"
        "<tbody>\n");
    for (size_t i = 0; i < std::min<size_t>(10, mistakes.size()); ++i) {
      const Confusion& m = mistakes[i];
      add("<tr><td>{}<td>{}<td>{}<td>{:.1f} %</tr>\n", name(m.label), name(m.guess), m.count,
          100 * static_cast<double>(m.count) / static_cast<double>(e_.classes()[static_cast<size_t>(m.label)].images));
    }
    out_ += "</tbody></table></div>\n";
  }

  // Rows are labels, columns predictions; a cell's darkness is its fraction of the row.
  void matrix() {
    const size_t classes = e_.names().size();
    const bool numbers = classes <= most_numbers;
    const double cell = classes <= 12 ? 38
                        : numbers     ? 30
                                      : std::max(4.0, std::floor(800 / static_cast<double>(classes)));
    size_t longest = 0;
    std::vector<std::string> names;
    for (const std::string& n : e_.names()) names.push_back(shortened(n, 13)), longest = std::max(longest, n.size());
    const double margin = numbers ? std::min(label_size, letter * static_cast<double>(longest)) + 12 : 8,
                 size = margin + cell * static_cast<double>(classes) + 8;
    const auto at = [&](double i) { return margin + cell * i; };
    add("<h2>What is taken for what</h2>\n<div class=\"wrap\"><svg viewBox=\"0 0 {0:.0f} {0:.0f}\" width=\"{0:.0f}\" "
        "height=\"{0:.0f}\" role=\"img\" "
        "aria-label=\"confusion matrix\">\n",
        size);
    std::string paths[2][11], texts;  // of errors and correct answers, by the fraction of the row in tenths
    for (const auto& [pair, count] : e_.confusion()) {
      const double part =
          static_cast<double>(count) / static_cast<double>(e_.classes()[static_cast<size_t>(pair.first)].images);
      const int tenth = std::clamp(static_cast<int>(std::lround(10 * part)), 1, 10);
      paths[pair.first == pair.second][tenth] += fmt::format("M{} {}h1v1h-1z", pair.second, pair.first);
      if (numbers)
        texts += fmt::format("<text class=\"m s{}\" x=\"{:.0f}\" y=\"{:.0f}\">{}</text>\n", tenth,
                             at(pair.second + 0.5), at(pair.first + 0.5) + 4, count);
    }
    add("<g transform=\"translate({0:.0f} {0:.0f}) scale({1:.0f})\">\n", margin, cell);
    for (int right = 0; right < 2; ++right) {
      for (int tenth = 1; tenth <= 10; ++tenth) {
        if (!paths[right][tenth].empty())
          add("<path class=\"{}\" fill-opacity=\"{:.1f}\" d=\"{}\"/>\n", right ? "r" : "w", 0.1 * tenth,
              paths[right][tenth]);
      }
    }
    out_ += "</g>\n";
    std::string grid;
    for (size_t i = 0; i <= classes; ++i) {
      if (!numbers && i % 10 != 0 && i != classes) continue;
      const double line = at(static_cast<double>(i));
      grid += fmt::format("M{0:.0f} {1:.0f}H{2:.0f}M{1:.0f} {0:.0f}V{2:.0f}", margin, line,
                          at(static_cast<double>(classes)));
    }
    for (size_t i = 0; i < classes && numbers; ++i) {
      const double middle = at(static_cast<double>(i)) + cell / 2;
      texts += fmt::format(
          "<text class=\"e\" x=\"{0:.0f}\" y=\"{1:.0f}\">{2}</text><text transform=\"translate({3:.0f} {0:.0f}) "
          "rotate(-90)\">{2}</text>\n",
          margin - 6, middle + 4, markup_text(names[i]), middle + 4);
    }
    add("<path class=\"line\" d=\"{}\"/>\n{}</svg></div>\n", grid, texts);
    add("<p class=\"soft\">A row for each class{}, a column for each answer. The stronger its colour, the larger its "
        "part of the row; blue is right, orange wrong.</p>\n",
        numbers ? "" : ", in the order of the table above, a line after every ten");
  }

  void surest_mistakes() {
    const std::vector<size_t> surest = e_.surest_mistakes(most_mistakes);
    if (surest.empty()) return;
    add("<h2>The {} most confident mistake{}</h2>\n<div class=\"mistakes\">\n", surest.size(),
        surest.size() == 1 ? "" : "s");
    for (const size_t i : surest) {
      const Answer& a = e_.answers()[i];
      add("<figure><img alt=\"\" src=\"{}\"><figcaption>{} taken for <b>{}</b>, {:.4f}<br><span "
          "class=\"soft\">{}</span></figcaption></figure>\n",
          picture_url(images_, i), name(a.label), name(a.guess), a.confidence,
          markup_text(images_.sources.empty() ? fmt::format("image {}", i) : images_.sources[i]));
    }
    out_ +=
        "</div>\n<p class=\"soft\">The number is the probability that the network gives its answer. A mistake of which "
        "it is sure is often a wrong label.</p>\n";
  }

  const Evaluation& e_;
  const Dataset& images_;
  const PageFacts& facts_;
  std::string out_;
};

}  // namespace

std::string evaluation_page(const Evaluation& e, const Dataset& images, const PageFacts& facts) {
  return Page(e, images, facts)();
}

}  // namespace evenkeel
