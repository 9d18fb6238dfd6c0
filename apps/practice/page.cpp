#include "apps/practice/page.h"

#include <fmt/core.h>

#include <sstream>

#include "apps/practice/exercise.h"

namespace evenkeel::practice {
namespace {

std::string escaped(const std::string& text) {
  std::string html;
  for (char c : text) html += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : std::string(1, c);
  return html;
}

// Paragraphs between empty lines; lines with four spaces in front as they are.
std::string paragraphs(const std::string& text) {
  std::string html, open;
  const auto turn = [&](const std::string& tag) {
    if (open == tag) return;
    if (!open.empty()) html += "</" + open + ">\n";
    if (!tag.empty()) html += "<" + tag + ">";
    open = tag;
  };
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    turn(line.empty() ? "" : line.starts_with("    ") ? "pre" : "p");
    if (!line.empty()) html += escaped(line.starts_with("    ") ? line.substr(4) : line) + "\n";
  }
  turn("");
  return html;
}

constexpr const char* style =
    "body{font:11pt/1.45 sans-serif;max-width:42em;margin:2em auto;padding:0 1em}"
    "pre{background:#f3f3f3;padding:.6em;overflow-x:auto}"
    "table{border-collapse:collapse}td,th{padding:.15em .8em .15em 0;text-align:left}"
    "section{break-inside:avoid}h2{border-top:1px solid #999;padding-top:.6em}"
    "@media print{body{margin:0;max-width:none}pre{background:none;border:1px solid #ccc;white-space:pre-wrap}}";

}  // namespace

std::string tasks_page() {
  int minutes = 0;
  std::string rows, sections;
  for (const Exercise& e : exercises()) {
    const std::string number = e.name.substr(0, 2), kind = e.kind == "write" ? "write" : "repair";
    minutes += e.minutes;
    rows += fmt::format("<tr><td>{0}</td><td><a href=\"#e{0}\">{1}</a></td><td>{2}</td><td>{3}</td></tr>\n", number,
                        escaped(e.title), kind, e.minutes);
    sections += fmt::format(
        "<section id=\"e{0}\"><h2>{0} {1}</h2>\n<p><small>{2}, about {3} minutes; afterwards: evenkeel lab "
        "{4}</small></p>\n{5}</section>\n",
        number, escaped(e.title), kind, e.minutes, escaped(e.laboratory), paragraphs(e.task));
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>Batch normalisation: exercises</title><style>{}</style></head><body>\n"
      "<h1>Batch normalisation: exercises</h1>\n<p>{} exercises, about {}:{:02} hours. Each learner makes a folder by "
      "<code>evenkeel practice init DIR</code>, goes there, and runs <code>evenkeel practice</code>, which judges a "
      "file "
      "each time it is saved. <code>evenkeel practice check --json</code> prints one line to hand in.</p>\n"
      "<table><tr><th></th><th>exercise</th><th>kind</th><th>minutes</th></tr>\n{}</table>\n{}</body></html>\n",
      style, exercises().size(), minutes / 60, minutes % 60, rows, sections);
}

}  // namespace evenkeel::practice
