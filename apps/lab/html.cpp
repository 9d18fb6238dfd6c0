// The report as one page that needs nothing beside it: text, tables, inline SVG; it also prints.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>

#include "apps/lab/lab.h"
#include "apps/lab/symbols.h"

namespace evenkeel::lab {
namespace {

constexpr const char* head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Batch normalisation, run and measured</title>
<style>
:root { color-scheme: light dark; --ink: #222; --soft: #5c5c5c; --line: #d8d8d8; --paper: #fff; --tint: #f5f6f7; --good: #00734f; --some: #9a5b00; --bad: #c00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --soft: #a2a2a2; --line: #444; --paper: #181a1b; --tint: #232627; --good: #4cc795; --some: #e0a040; --bad: #ff6b6b }
}
body { font: 17px/1.55 Georgia, 'DejaVu Serif', serif; color: var(--ink); background: var(--paper); max-width: 64rem; margin: 2rem auto 6rem; padding: 0 1.2rem }
p, li, figcaption { max-width: 46rem }
h1, h2, h3, table, nav, .tag, .run { font-family: system-ui, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif }
h1 { font-size: 2rem; line-height: 1.2 } h2 { margin-top: 4rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line) }
h3 { margin-top: 2.8rem; font-size: 1.2rem } a { color: inherit; text-decoration-color: var(--soft) }
nav { font-size: 15px; background: var(--tint); padding: .6rem 1.2rem; border-radius: .4rem } nav ol, nav ul { padding-left: 1.3rem } nav > ol > li { margin: .5rem 0 }
nav li li { color: var(--soft) }
.wrap { overflow-x: auto; margin: 1.2rem 0 } table { border-collapse: collapse; table-layout: fixed; font-size: 13.5px; line-height: 1.4; width: 100%; min-width: 48rem }
th { text-align: left; border-bottom: 2px solid var(--soft) } td, th { padding: .3rem .9rem .3rem 0; vertical-align: top; overflow-wrap: break-word }
th:nth-child(1) { width: 7% } th:nth-child(3) { width: 15% } th:nth-child(4) { width: 16% } th:nth-child(5) { width: 12% } th:nth-child(6) { width: 9% }
td { border-bottom: 1px solid var(--line) } td.n { font-variant-numeric: tabular-nums }
sub { font-size: 70%; line-height: 0 } .holds { color: var(--good) } .onlyif { color: var(--some); font-weight: 600 } .fails { color: var(--bad); font-weight: 700 } .notjudged { color: var(--soft) }
figure { margin: 1.6rem 0; display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: center } figure svg { max-width: 100%; height: auto; border-radius: .4rem }
figcaption { font-size: 15px; flex: 1 1 20rem }
.tag { font-size: 12.5px; letter-spacing: .04em; text-transform: uppercase; color: var(--soft); margin-right: .5em }
code { font-size: 87%; background: var(--tint); padding: .1em .3em; border-radius: .2em } .run { font-size: 13.5px; color: var(--soft) }
@media print {
  :root { --ink: #000; --soft: #555; --line: #ccc; --paper: #fff; --tint: #fff; --good: #00734f; --some: #9a5b00; --bad: #c00 }
  @page { margin: 16mm 14mm } body { font-size: 10pt; margin: 0; max-width: none; padding: 0 } table { font-size: 8pt } figcaption { font-size: 9pt }
  h2 { break-before: page; margin-top: 0 } h2, h3, .question { break-after: avoid } figure, tr, .question { break-inside: avoid } thead { display: table-header-group }
  .wrap { overflow: visible } table { min-width: 0 } figure { display: block } figure svg { max-height: 75mm; width: auto } nav, .run { font-size: 9pt } .tag { font-size: 7.5pt } p, li, figcaption { max-width: none; orphans: 3; widows: 3 } a { text-decoration: none }
}
</style></head><body>
)";

std::string css_class(Verdict v) {
  std::string name;
  for (char c : word(v))
    if (c != ' ') name += static_cast<char>(std::tolower(c));
  return name;
}

// How many rows have which verdict: "12 hold, 1 only under a condition".
std::string summary(const std::vector<const Row*>& rows) {
  const auto count = [&](Verdict v) {
    return std::count_if(rows.begin(), rows.end(), [v](const Row* r) { return r->verdict == v; });
  };
  std::string text = fmt::format("{} hold", count(Verdict::holds));
  for (const auto& [verdict, words] : {std::pair{Verdict::only_if, "only under a condition"},
                                       {Verdict::fails, "fail"},
                                       {Verdict::not_judged, "shown, not judged"}})
    if (count(verdict)) text += fmt::format(", {} {}", count(verdict), words);
  return text;
}

class Page {
 public:
  explicit Page(bool quick) : quick_(quick) {}
  void add(fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(text), format, fmt::make_format_args(values...));
  }

  void contents(const std::vector<Chapter>& chapters, const std::vector<Result>& results) {
    text += "<nav><ol>\n";
    for (const Chapter& c : chapters) {
      std::string entries;
      for (const Result& r : results)
        if (r.experiment->chapter == std::string(c.title))
          entries += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", r.experiment->name, html(r.experiment->question));
      if (!entries.empty()) add("<li>{}\n<ul>{}</ul></li>\n", c.title, entries);
    }
    text += "</ol></nav>\n";
  }

  void section(const Result& r) {
    const Experiment& e = *r.experiment;
    const std::string again = fmt::format("evenkeel lab {}{}", e.name, quick_ ? " --quick" : "");
    add("<section id=\"{}\"><h3>{}</h3>\n<p class=\"question\"><span class=\"tag\">Prediction</span>{}</p>\n", e.name,
        html(e.question), html(e.prediction));
    for (const Figure& f : r.lab.figures)
      add("<figure>{}<figcaption>{} <span class=\"tag\">Predicted</span>{} <span class=\"tag\">Seen</span>{} <span "
          "class=\"run\">Run "
          "again: <code>{}</code></span></figcaption></figure>\n",
          picture(f), html(f.caption.shows), html(f.caption.predicted), html(f.caption.seen), again);
    for (const std::string& remark : r.lab.remarks) add("<p>{}</p>\n", html(remark));
    text +=
        "<div "
        "class=\"wrap\"><table><thead><tr><th>claim<th>statement<th>predicted<th>measured<th>allowed<th>verdict</tr></"
        "thead><tbody>\n";
    for (const Row& row : r.lab.rows)
      add("<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"v {}\">{}{}</tr>\n",
          row.claim, html(row.statement), html(row.predicted), html(row.measured), html(row.allowed),
          css_class(row.verdict), word(row.verdict), row.as_expected() ? "" : " (unexpected)");
    add("</tbody></table></div>\n<p><span class=\"tag\">Try next</span>{}</p>\n<p class=\"run\">The program is "
        "<code>{}.cpp</code> below <code>apps/lab</code>; <code>{}</code> took {:.1f} s here.</p></section>\n",
        html(e.next), e.name, again, r.seconds);
  }

  std::string text = head;

 private:
  bool quick_;
};

}  // namespace

std::string picture(const Figure& figure) {
  std::vector<Chart> charts = figure.charts;
  for (Chart& c : charts) {
    for (std::string* text : {&c.title, &c.x_label, &c.y_label}) *text = symbols(*text);
    for (Series& s : c.series) s.name = symbols(s.name);
  }
  return svg_picture("", charts);
}

std::string html_report(const std::vector<Chapter>& chapters, const std::vector<Result>& results, bool quick) {
  Page page(quick);
  std::vector<const Row*> rows;
  for (const Result& r : results)
    for (const Row& row : r.lab.rows) rows.push_back(&row);
  page.text +=
      "<h1>Batch normalisation, run and measured</h1>\n"
      "<p>What a textbook chapter on batch normalisation says, as programs. Every section asks one question, says what "
      "the theory predicts "
      "before anything runs, and puts the measurement "
      "beside it.</p>\n"
      "<p>In figures, what was predicted is dashed and what was measured is drawn through. In tables a number such as "
      "A4.1 names the "
      "claim, so that one can be referred to. An <em>exact</em> "
      "statement is computed in double precision and held to the tolerance in the column <em>allowed</em> (times 1 + "
      "the predicted value); "
      "a number from a table, to its digits. A "
      "<em>Monte-Carlo</em> statement must come within four standard errors (s.e.). A <em>statistical</em> one, about "
      "networks that train "
      "on images, must fall for every seed into a band that "
      "was fixed before the run.</p>\n"
      "<p>The verdict is <span class=\"holds\">holds</span>, <span class=\"fails\">FAILS</span>, or <span "
      "class=\"onlyif\">only if</span>: "
      "measured to be true under the condition beside it, "
      "and false without. Logarithms in figures are to the base named on the axis; most quantities have no unit.</p>\n";
  page.add("<p><strong>{} statements: {}.</strong>{}</p>\n", rows.size(), summary(rows),
           quick ? " This was a quick run: smaller samples, shorter training, one seed." : "");
  page.contents(chapters, results);
  size_t sections = 0;
  for (const Chapter& c : chapters) {
    bool opened = false;
    for (const Result& r : results) {
      if (r.experiment->chapter != std::string(c.title)) continue;
      if (!opened) page.add("<h2>{}</h2>\n<p>{}</p>\n", c.title, html(c.text));
      opened = true;
      page.section(r);
      ++sections;
    }
  }
  check(sections == results.size(), "lab: {} experiments name a chapter that is not in the list",
        results.size() - sections);
  return page.text + "</body></html>\n";
}

}  // namespace evenkeel::lab
