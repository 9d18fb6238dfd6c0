// The report as one self-contained page: for every experiment a question, an answer and a picture; the rest is folded.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>

#include "apps/cli/text.h"
#include "apps/lab/lab.h"
#include "apps/lab/symbols.h"

namespace evenkeel::lab {
namespace {

constexpr const char* head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Batch normalisation, run and measured</title>
<style>
:root { color-scheme: light dark; --ink: #222; --soft: #595959; --line: #d8d8d8; --paper: #fff; --tint: #f3f5f6; --good: #00694a; --some: #8a5000; --bad: #b30000; --link: #00588c }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ddd; --soft: #a8a8a8; --line: #474747; --paper: #181a1b; --tint: #232627; --good: #4cc795; --some: #e0a040; --bad: #ff7b7b; --link: #7cc4f4 }
}
* { box-sizing: border-box }
body { font: 17px/1.55 Georgia, 'DejaVu Serif', serif; color: var(--ink); background: var(--paper); margin: 0 }
header, main { max-width: 48rem; margin: 0 auto; padding: 0 10px } main { padding-bottom: 4rem; overflow-wrap: break-word }
h1, h2, h3, table, nav, summary, .verdict, .tag, .skip, pre { font-family: system-ui, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif }
h1 { font-size: 1.9rem; line-height: 1.2 } h2 { margin-top: 4rem; padding-bottom: .3rem; border-bottom: 2px solid var(--line) }
h3 { margin: 3rem 0 .4rem; font-size: 1.2rem; line-height: 1.3 } a { color: var(--link) } math { font-size: 1.05em }
:target, section { scroll-margin-top: 3.5rem } :focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
.skip { position: absolute; left: -100rem } .skip:focus { left: 10px; top: 10px; background: var(--paper); z-index: 3; padding: .5rem }
.answer { margin: .2rem 0 .8rem; font-size: 1.06rem }
nav { position: sticky; top: 0; z-index: 2; background: var(--tint); font-size: 15px; line-height: 1.4 }
nav summary { padding: .6rem 10px; font-weight: 600 } nav details[open] { max-height: 80vh; overflow-y: auto; border-bottom: 1px solid var(--line) }
nav ol, nav ul { margin: 0; padding: 0 10px .6rem; list-style: none } nav ul { padding: .2rem 0 .6rem .8rem } nav a { display: block; padding: .25rem 0; color: inherit; text-decoration: none }
nav a:hover { text-decoration: underline } nav a[aria-current] { font-weight: 700; color: var(--link); box-shadow: -8px 0 var(--tint), -11px 0 var(--link) }
figure { margin: .8rem 0 } .charts { display: flex; flex-wrap: wrap; gap: 1.2rem 1.4rem } figcaption { font-size: 15px; margin-top: .5rem }
details { margin: .35rem 0 } summary { cursor: pointer; font-size: 15px; color: var(--link) } section details > :not(summary) { margin-left: 1rem }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4; margin: .7rem 0 } caption { text-align: left; color: var(--soft); padding: .2rem 0 }
th { text-align: left; font-weight: 600 } thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom } td, th { padding: .25rem .8rem .25rem 0; vertical-align: top }
td, tbody th { border-bottom: 1px solid var(--line) } .numbers td, .numbers tbody th { font-variant-numeric: tabular-nums; font-weight: 400 } .wide { overflow-x: auto }
.verdict { font-size: 13.5px; font-weight: 600; white-space: nowrap } .holds { color: var(--good) } .onlyif { color: var(--some); font-weight: 600 } .fails { color: var(--bad); font-weight: 700 } .notjudged { color: var(--soft) }
.other { border-left: 4px solid var(--some); padding: .3rem .8rem; background: var(--tint) }
sub { font-size: 70%; line-height: 0 } code, pre { font-size: 14px; background: var(--tint); padding: .1em .3em; border-radius: .2em } pre { padding: .5rem .7rem; overflow-x: auto; white-space: pre-wrap }
code { font-family: ui-monospace, 'DejaVu Sans Mono', monospace }
.tag { font-size: 13px; font-weight: 600; color: var(--soft) } .soft { color: var(--soft); font-size: 15px }
@media (max-width: 44rem) {  /* a row of a table of statements is a card */
  .rows thead { display: none } .rows, .rows tbody, .rows tr, .rows td { display: block; width: 100% } .rows tr { border-bottom: 1px solid var(--line); padding: .5rem 0 } .rows td { border: 0; padding: .1rem 0 }
  .rows td[data-of]::before { content: attr(data-of) ": "; color: var(--soft) } section details > :not(summary) { margin-left: 0 } .verdict { white-space: normal }
}
@media (min-width: 75rem) {
  body { display: grid; grid-template-columns: 20rem minmax(0, 1fr); grid-template-areas: "nav top" "nav text" ; column-gap: 2rem } header { grid-area: top; width: 100% } main { grid-area: text; width: 100% }
  nav { grid-area: nav; height: 100vh; overflow-y: auto } nav details[open] { max-height: none; overflow: visible; border: 0 }
}
@media print {
  :root { --ink: #000; --soft: #444; --line: #ccc; --paper: #fff; --tint: #fff; --good: #00694a; --some: #8a5000; --bad: #b30000; --link: #000 }
  @page { margin: 16mm 14mm } body { display: block; font-size: 10.5pt } nav, .skip, .data { display: none } header, main { max-width: none; padding: 0 }
  h2 { break-before: page; margin-top: 0 } h2, h3, .answer, summary { break-after: avoid } .lead, .chart, tr { break-inside: avoid } thead { display: table-header-group } a { text-decoration: none }
}
)";

// Script: marks the current section in the contents, and folds the contents if they would cover the text.
constexpr const char* script = R"(<script>
const toc = document.querySelector('nav details'), wide = matchMedia('(min-width: 75rem)');
const fit = () => { toc.open = wide.matches; };
fit(); wide.addEventListener('change', fit);
toc.addEventListener('click', e => { if (e.target.closest('a') && !wide.matches) toc.open = false; });
// Unfolds everything except the pictures' numbers for printing, and folds it again afterwards.
let folded = [];
addEventListener('beforeprint', () => {
  folded = [...document.querySelectorAll('details:not(.data):not([open])')];
  folded.forEach(d => { d.open = true; });
});
addEventListener('afterprint', () => folded.forEach(d => { d.open = false; }));
const links = new Map([...document.querySelectorAll('nav a')].map(a => [a.hash.slice(1), a]));
const seen = new IntersectionObserver(entries => entries.forEach(e => {
  if (!e.isIntersecting) return;
  links.forEach(a => a.removeAttribute('aria-current'));
  const a = links.get(e.target.id);
  a.setAttribute('aria-current', 'true');
  if (wide.matches) { const nav = a.closest('nav'); nav.scrollTop = a.offsetTop - nav.clientHeight / 2; }
}), { rootMargin: '-15% 0px -75% 0px' });
document.querySelectorAll('main section').forEach(s => links.has(s.id) && seen.observe(s));
</script>
)";

std::string css_class(Verdict v) {
  std::string name;
  for (char c : word(v))
    if (c != ' ') name += static_cast<char>(std::tolower(c));
  return name;
}

// Counts the verdicts: "12 hold, 1 only under a condition".
std::string summary(const std::vector<const Row*>& rows) {
  const auto count = [&](Verdict v) {
    return std::count_if(rows.begin(), rows.end(), [v](const Row* r) { return r->verdict == v; });
  };
  const auto holding = count(Verdict::holds);
  std::string text = fmt::format("{} hold{}", holding, holding == 1 ? "s" : "");
  for (const auto& [verdict, one, more] : {std::tuple{Verdict::only_if, "only under a condition", ""},
                                           {Verdict::fails, "fails", "fail"},
                                           {Verdict::not_judged, "shown, not judged", ""}})
    if (const auto n = count(verdict)) text += fmt::format(", {} {}", n, n > 1 && *more ? more : one);
  return text;
}

Chart with_symbols(Chart c) {
  for (std::string* text : {&c.title, &c.x_label, &c.y_label}) *text = symbols(*text);
  for (Series& s : c.series) s.name = symbols(s.name);
  return c;
}

class Page {
 public:
  Page(const std::vector<Claim>& claims, bool quick) : quick_(quick) {
    for (const Claim& c : claims) known_.insert(c.number);
    text =
        std::string(head) + chart_style + "</style></head><body>\n<a class=\"skip\" href=\"#main\">To the text</a>\n";
  }
  void add(fmt::string_view format, const auto&... values) {
    fmt::vformat_to(std::back_inserter(text), format, fmt::make_format_args(values...));
  }

  void contents(const std::vector<Chapter>& chapters, const std::vector<Result>& results) {
    text += "<nav aria-label=\"Contents\"><details open><summary>Contents</summary><ol>\n";
    for (const Chapter& c : chapters) {
      std::string entries;
      for (const Result& r : results)
        if (r.experiment->chapter == std::string(c.title))
          entries += fmt::format("<li><a href=\"#{}\">{}</a></li>\n", r.experiment->name, html(r.experiment->question));
      if (!entries.empty()) add("<li>{}\n<ul>{}</ul></li>\n", c.title, entries);
    }
    text += "<li><a href=\"#claims\">The claims and their experiments</a></li></ol></details></nav>\n";
  }

  void section(const Result& r) {
    const Experiment& e = *r.experiment;
    const std::string again = fmt::format("evenkeel lab {}{}", e.name, quick_ ? " --quick" : "");
    std::vector<const Row*> rows;
    for (const Row& row : r.lab.rows) rows.push_back(&row);
    const bool expected = std::all_of(rows.begin(), rows.end(), [](const Row* row) { return row->as_expected(); });
    add("<section id=\"{0}\" aria-labelledby=\"{0}-question\"><div class=\"lead\"><h3 id=\"{0}-question\">{1}</h3>\n<p "
        "class=\"answer\">{2} <span class=\"verdict {3}\">{4}</span></p>\n",
        e.name, html(e.question), html(e.answer), expected ? "holds" : "fails", summary(rows));
    if (!r.lab.standard())
      add("<p class=\"other\">Not the standard parameters: {}. The answer above and the bands below are for the "
          "standard ones; bands judge nothing here.</p>\n",
          markup_text(r.lab.changed().substr(1)));
    for (size_t i = 0; i < r.lab.figures.size(); ++i) {
      figure(r.lab.figures[i]);
      if (i == 0) text += "</div>\n";
      numbers(r.lab.figures[i]);
    }
    if (r.lab.figures.empty()) text += "</div>\n";
    statements(r);
    next(e, again);
    add("<details><summary>Run it again</summary>\n<pre>{}</pre>\n<p class=\"soft\">It took {:.1f} s here. The program "
        "is <code>{}.cpp</code> below <code>apps/lab</code>. What <code>--set</code> can change, with its standard "
        "value: <code>{}</code></p></details></section>\n",
        again + (r.lab.standard() ? "" : " " + markup_text(as_set(r.lab.changed()))), r.seconds, e.name,
        markup_text(e.parameters));
  }

  // Every claim, and the experiments that have rows for it.
  void judged(const std::vector<Claim>& claims, const std::vector<Result>& results) {
    text +=
        "<section id=\"claims\" aria-labelledby=\"claims-title\"><h2 id=\"claims-title\">The claims and their "
        "experiments</h2>\n<p>Statements of the chapter, or consequences of them. The last column leads to the "
        "experiments.</p>\n<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Table of claims\"><table>"
        "<thead><tr><th scope=\"col\">claim<th scope=\"col\">what is said<th scope=\"col\">judged by</tr></thead>"
        "<tbody>\n";
    for (const Claim& c : claims) {
      std::string by;
      for (const Result& r : results)
        if (std::any_of(r.lab.rows.begin(), r.lab.rows.end(), [&](const Row& row) { return row.claim == c.number; }))
          by += fmt::format("{}<a href=\"#{}\">{}</a>", by.empty() ? "" : ", ", r.experiment->name, r.experiment->name);
      add("<tr id=\"claim-{0}\"><th scope=\"row\">{0}<td>{1}<td>{2}</tr>\n", c.number, html(c.text),
          by.empty() ? "nothing in this run" : by);
    }
    text += "</tbody></table></div></section>\n";
  }

  std::string text;

 private:
  void figure(const Figure& f) {
    text += "<figure><div class=\"charts\">\n";
    for (const Chart& c : f.charts) text += html_chart(with_symbols(c));
    add("</div><figcaption>{} <span class=\"tag\">Predicted:</span> {} <span class=\"tag\">Seen:</span> {}"
        "</figcaption></figure>\n",
        html(f.caption.shows), html(f.caption.predicted), html(f.caption.seen));
  }

  void numbers(const Figure& f) {
    text +=
        "<details class=\"data\"><summary>The numbers of the picture</summary>\n<div class=\"wide\" tabindex=\"0\" "
        "role=\"group\" aria-label=\"Numbers of the picture\">";
    for (const Chart& c : f.charts) text += html_numbers(with_symbols(c));
    text += "</div></details>\n";
  }

  void statements(const Result& r) {
    add("<details><summary>{} statements: prediction, measurement, verdict</summary>\n<p><span "
        "class=\"tag\">Prediction:</span> {}</p>\n",
        r.lab.rows.size(), html(r.experiment->prediction));
    for (const std::string& remark : r.lab.remarks) add("<p>{}</p>\n", html(remark));
    text +=
        "<table class=\"rows\"><thead><tr><th scope=\"col\">claim<th scope=\"col\">statement<th "
        "scope=\"col\">predicted<th scope=\"col\">measured<th scope=\"col\">allowed<th scope=\"col\">verdict</tr>"
        "</thead><tbody>\n";
    for (const Row& row : r.lab.rows) {
      check(known_.count(row.claim), "lab: {} of {} is not in the list of claims", row.claim, r.experiment->name);
      const auto cell = [](const char* of, const std::string& value) {
        return value.empty() ? "<td>" : fmt::format("<td data-of=\"{}\">{}", of, html(value));
      };
      add("<tr><td><a href=\"#claim-{0}\">{0}</a><td>{1}{2}{3}{4}<td class=\"{5}\">{6}{7}</tr>\n", row.claim,
          html(row.statement), cell("predicted", row.predicted), cell("measured", row.measured),
          cell("allowed", row.allowed), css_class(row.verdict), word(row.verdict),
          row.as_expected() ? "" : " (unexpected)");
    }
    text += "</tbody></table></details>\n";
  }

  void next(const Experiment& e, const std::string& again) {
    std::string set = " --set ";
    for (const char* c = e.next.set; *c; ++c) set += *c == ' ' ? " --set " : std::string(1, *c);
    add("<details><summary>Try next: {}</summary>\n<pre>{}{}</pre>\n<p>{}</p></details>\n", html(e.next.text), again,
        set, html(e.next.effect));
  }

  bool quick_;
  std::set<std::string> known_;
};

}  // namespace

std::string picture(const Figure& figure) {
  std::vector<Chart> charts;
  for (const Chart& c : figure.charts) charts.push_back(with_symbols(c));
  return svg_picture("", charts);
}

std::string html_report(const std::vector<Chapter>& chapters, const std::vector<Claim>& claims,
                        const std::vector<Result>& results, bool quick) {
  Page page(claims, quick);
  std::vector<const Row*> rows;
  for (const Result& r : results)
    for (const Row& row : r.lab.rows) rows.push_back(&row);
  page.text +=
      "<header><h1>Batch normalisation, run and measured</h1>\n"
      "<p>A textbook chapter on batch normalisation makes many claims. Here each of them is a small program. Every "
      "section asks one question and answers it in a sentence. Then comes the picture. What was predicted before the "
      "run, every number and its tolerance, and how to run it again are folded below it.</p>\n";
  page.add("<p><strong>{} statements: {}.</strong>{}</p>\n", rows.size(), summary(rows),
           quick ? " This was a quick run: smaller samples, shorter training, one seed." : "");
  page.text +=
      "<details><summary>How to read pictures, numbers and verdicts</summary>\n"
      "<p>In pictures, predictions are dashed and measurements are solid. A number such as A4.1 "
      "names a claim, and leads to its text at the end.</p>\n"
      "<p>An <em>exact</em> statement is computed in double precision and held to the tolerance in the column "
      "<em>allowed</em> (times 1 + the predicted value); a number from a table, to its digits. A <em>Monte-Carlo</em> "
      "statement must come within four standard errors (s.e.). A <em>statistical</em> one, about networks that train "
      "on images, must fall into its band for every seed. The band was fixed before the run.</p>\n"
      "<p>A statement <span class=\"holds\">holds</span>, <span class=\"fails\">FAILS</span>, or holds <span "
      "class=\"onlyif\">only if</span>: by measurement it is true under the condition beside it, and false "
      "without. Where a published number or a prediction is not found again, the text above the table gives the "
      "reason. A number without a prediction is <span class=\"notjudged\">not judged</span>, nor is a band where "
      "parameters or images are not those that it was fixed for.</p>\n"
      "<p><em>PyTorch</em> with a number: the same network on the same data, trained once with PyTorch 1.13 before "
      "this laboratory was written. <em>NumPy</em>, <em>table</em>: computed beforehand in double precision by other "
      "code. Other sources are named beside the number.</p></details></header>\n";
  page.contents(chapters, results);
  page.text += "<main id=\"main\">\n";
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
  page.judged(claims, results);
  return page.text + "</main>\n" + script + "</body></html>\n";
}

}  // namespace evenkeel::lab
