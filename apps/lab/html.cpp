// The report as one page that needs nothing beside it: text, tables, inline SVG; it also prints.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "apps/lab/lab.h"

namespace evenkeel::lab {
namespace {

constexpr const char* head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Batch normalisation, run and measured</title>
<style>
body { font: 16px/1.55 Georgia, serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1, h2, h3, table, nav, .verdicts { font-family: system-ui, 'Helvetica Neue', Arial, sans-serif }
h2 { margin-top: 3rem; border-bottom: 1px solid #ccc } h3 { margin-top: 2.2rem }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; width: 100% }
th { text-align: left; border-bottom: 2px solid #888 } td, th { padding: .25rem .6rem .25rem 0; vertical-align: top }
td { border-bottom: 1px solid #e4e4e4 } td.n { font-variant-numeric: tabular-nums } .wrap { overflow-x: auto }
.holds { color: #00734f } .onlyif { color: #9a5b00; font-weight: 600 } .fails { color: #c00; font-weight: 700 } .notjudged { color: #777 }
figure { margin: 1.2rem 0 } figure svg { max-width: 100%; height: auto } figcaption { font-size: 14px; color: #444; max-width: 52rem }
code { font-size: 90%; background: #f4f4f4; padding: 0 .2em } .label { font-variant: small-caps; color: #666; margin-right: .4em }
@media print { body { font-size: 10.5pt; margin: 0; max-width: none } figure, tr { break-inside: avoid } h2, h3 { break-after: avoid } nav { display: none } }
</style></head><body>
)";

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return out;
}

std::string css_class(Verdict v) {
  std::string name;
  for (char c : word(v))
    if (c != ' ') name += static_cast<char>(std::tolower(c));
  return name;
}

}  // namespace

std::string html_report(const std::vector<Result>& results, bool quick) {
  std::string out = head;
  const auto add = [&](fmt::string_view format, const auto&... values) { fmt::vformat_to(std::back_inserter(out), format, fmt::make_format_args(values...)); };
  size_t rows = 0;
  std::vector<size_t> counts(4);
  for (const Result& r : results)
    for (const Row& row : r.lab.rows) ++rows, ++counts[static_cast<size_t>(row.verdict)];
  out += "<h1>Batch normalisation, run and measured</h1>\n"
         "<p>Every section asks one question, says what the theory predicts before anything runs, and puts the measurement beside it. Numbers such as "
         "A4.1 name the claim. An exact statement is computed in double precision and held to the tolerance beside it; a Monte-Carlo one must come "
         "within four standard errors; a statistical one must fall, for every seed, into a band that was fixed before the run. "
         "In figures, what was predicted is dashed and what was measured is drawn through.</p>\n";
  add("<p class=\"verdicts\">{} statements: {} hold, {} hold only under a condition, {} fail, {} were not judged.{}</p>\n", rows, counts[0], counts[1], counts[2],
      counts[3], quick ? " This was a quick run: smaller samples, shorter training, one seed." : "");
  out += "<nav><ol>\n";
  for (const Result& r : results) add("<li><a href=\"#{}\">{}</a></li>\n", r.experiment->name, escaped(r.experiment->question));
  out += "</ol></nav>\n";
  std::string chapter;
  for (const Result& r : results) {
    const Experiment& e = *r.experiment;
    if (chapter != e.chapter) add("<h2>{}</h2>\n", escaped(chapter = e.chapter));
    add("<section id=\"{}\"><h3>{}</h3>\n<p><span class=\"label\">Prediction</span> {}</p>\n", e.name, escaped(e.question), escaped(e.prediction));
    out += "<div class=\"wrap\"><table><tr><th>claim<th>statement<th>predicted<th>measured<th>allowed<th>verdict</tr>\n";
    for (const Row& row : r.lab.rows)
      add("<tr><td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"{}\">{}{}</tr>\n", row.claim, escaped(row.statement),
          escaped(row.predicted), escaped(row.measured), escaped(row.allowed), css_class(row.verdict), word(row.verdict),
          row.as_expected() ? "" : " (unexpected)");
    out += "</table></div>\n";
    for (const Figure& f : r.lab.figures) add("<figure>{}<figcaption>{}</figcaption></figure>\n", f.svg, escaped(f.caption));
    for (const std::string& remark : r.lab.remarks) add("<p>{}</p>\n", escaped(remark));
    add("<p><span class=\"label\">Try next</span> {}</p>\n<p><span class=\"label\">Run again</span> <code>evenkeel lab {}{}</code>, {:.1f} s here; it is "
        "<code>apps/lab/{}.cpp</code>.</p></section>\n",
        escaped(e.next), e.name, quick ? " --quick" : "", r.seconds, e.name);
  }
  return out + "</body></html>\n";
}

}  // namespace evenkeel::lab
