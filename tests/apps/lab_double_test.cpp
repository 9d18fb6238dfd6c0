// The laboratory's verdicts: each can come out either way, and NaN never holds.
#include <doctest/doctest.h>

#include <set>

#include "apps/lab/lab.h"
#include "apps/lab/mathml.h"
#include "apps/lab/symbols.h"
#include "tests/svg.h"

using namespace evenkeel;
using namespace evenkeel::lab;

namespace {

template <class F>
bool as_expected(F f) {
  Lab lab({.quick = true, .data_dir = {}});
  f(lab);
  REQUIRE(lab.rows.size() == 1);
  return lab.rows[0].as_expected();
}

}  // namespace

TEST_CASE("lab: exact statements") {
  CHECK(as_expected([](Lab& l) { l.equal("", "", 2, 2 + 1e-12); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", 2, 2 + 1e-9); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", 2, NAN); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.equal("", "", NAN, 2); }));
  const Tensor a = Tensor::of({2}, {1, 2});
  CHECK(as_expected([&](Lab& l) { l.same("", "", a, a.clone()); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.same("", "", a, Tensor::of({2}, {1, 2.001})); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.same("", "", a, Tensor::of({2}, {NAN, 2})); }));
  Lab lab({.quick = true, .data_dir = {}});
  CHECK_THROWS_AS(lab.same("", "", a, Tensor::zeros({3})), Error);
}

TEST_CASE("lab: Monte Carlo and statistical statements") {
  Sample sample;
  for (double v : {1., 2., 3., 4.}) sample.add(v);
  CHECK(sample.mean() == doctest::Approx(2.5));
  CHECK(sample.variance() == doctest::Approx(5. / 3));
  CHECK(sample.error() == doctest::Approx(std::sqrt(5. / 12)));
  CHECK(as_expected([&](Lab& l) { l.expected("", "", 2.5 + 3.9 * sample.error(), sample); }));
  CHECK_FALSE(as_expected([&](Lab& l) { l.expected("", "", 2.5 + 4.1 * sample.error(), sample); }));
  CHECK(as_expected([](Lab& l) { l.between("", "", 1, 2, {1, 1.5, 2}); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.between("", "", 1, 2, {1.5, 2.1}); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.between("", "", 1, 2, {NAN}); }));
}

TEST_CASE("lab: what is not found again must fail, and says why") {
  const auto lost = [](double v) {
    return as_expected([=](Lab& l) { l.not_found_again("", "", 1, 2, {v}, "another network"); });
  };
  CHECK(lost(0.5));
  CHECK_FALSE(lost(1.5));
  Lab lab({.quick = true, .data_dir = {}});
  lab.not_found_again("", "the gap, at most 2", 0, 2, {3}, "Another network.");
  CHECK(lab.remarks == std::vector<std::string>{"Not found again: \"the gap, at most 2\". Another network."});
}

TEST_CASE("lab: facts without a number") {
  CHECK(as_expected([](Lab& l) { l.yes("", "", true); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.yes("", "", false); }));
  Lab lab({.quick = true, .data_dir = {}});
  lab.yes("A1", "refused", true);
  lab.yes("A1", "refused", false);
  CHECK(lab.rows[0].predicted == "yes");
  CHECK(lab.rows[0].measured == "yes");
  CHECK(lab.rows[0].values == std::vector<double>{1});
  CHECK(lab.rows[1].measured == "no");
  CHECK(lab.rows[1].values == std::vector<double>{0});
}

TEST_CASE("lab: a conditional statement must be true under its condition and false without it") {
  CHECK(as_expected([](Lab& l) { l.only_if("", "", "", "", true, false); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.only_if("", "", "", "", true, true); }));
  CHECK_FALSE(as_expected([](Lab& l) { l.only_if("", "", "", "", false, false); }));
}

TEST_CASE("lab: the integral over a normal distribution") {
  CHECK(gaussian_mean([](double z) { return z * z * z * z; }) == doctest::Approx(3).epsilon(1e-13));
  CHECK(Phi(1) == doctest::Approx(0.841344746068543).epsilon(1e-14));
}

TEST_CASE("lab: formulas as they are printed") {
  CHECK(symbols("sigma^2 / (sigma^2 + eps), gamma = -2") == "σ² / (σ² + ε), γ = -2");
  CHECK(symbols("1.3e-16 +- 1e+04 (1-a)^(-2t-1) -> 2^24 <- r") ==
        "1.3\u00a0×\u00a010⁻¹⁶ ± 1\u00a0×\u00a010⁴ (1-a)⁻²ᵗ⁻¹ → 2²⁴ ← r");
  CHECK(symbols("betas, dgamma and a mutation; ^ (") == "betas, dγ and a mutation; ^ (");
  CHECK(symbols("^(1-a") == "^(1-a");
  CHECK(html("<W_k, P_jk, m_test> & batch_norm, `two_labs`") ==
        "&lt;W<sub>k</sub>, P<sub>jk</sub>, m<sub>test</sub>&gt; &amp; batch_norm, <code>two_labs</code>");
}

TEST_CASE("lab: what is measured on images is judged on Fashion-MNIST alone") {
  Lab lab({.quick = true, .data_dir = {}});
  lab.images();
  lab.between("", "", 1, 2, {3}, true);
  lab.not_found_again("", "", 1, 2, {1.5}, "");
  lab.only_if("", "", "", "", false, false, true);
  for (const Row& row : lab.rows) CHECK(row.as_expected() == lab.synthetic());
  lab.only_if("", "", "", "", false, false);
  CHECK_FALSE(lab.rows.back().as_expected());
}

TEST_CASE("lab: what a row prints, and how a band is judged at its edges") {
  Lab lab({.quick = false, .data_dir = {}});
  lab.equal("A1", "s", 1000, 1000 + 9e-8);  // 1e-10 (1 + 1000)
  lab.equal("A1", "s", 1000, 1000 + 1.1e-7);
  lab.equal("A1", "s", 0, -3e-11);
  lab.same("A2", "s", Tensor::of({2}, {999, 0}), Tensor::of({2}, {999 + 9e-8, 0}));
  lab.between("A3", "s", 1, INFINITY, {1, 2});
  lab.between("A3", "s", -INFINITY, 1, {1, 0.5, 0.33333});
  lab.between("A3", "s", 0.25, 1, {0.25, 1});
  lab.observed("A4", "s", "3 (them)", {4, 5});
  lab.only_if("A5", "s", "it rains", "wet", true, false);
  const char* expected[][3] = {{"1000", "1000", "+- 1e-10"},         {"1000", "1000", "+- 1e-10"},
                               {"0", "-3e-11", "+- 1e-10"},          {"equal", "differ by 9e-11", "+- 1e-10"},
                               {"at least 1", "1, 2", "the band"},   {"at most 1", "1, 0.5, 0.3333", "the band"},
                               {"0.25 to 1", "0.25, 1", "the band"}, {"3 (them)", "4, 5", ""},
                               {"only if it rains", "wet", ""}};
  const Verdict verdicts[] = {Verdict::holds, Verdict::fails, Verdict::holds,      Verdict::holds,  Verdict::holds,
                              Verdict::holds, Verdict::holds, Verdict::not_judged, Verdict::only_if};
  REQUIRE(lab.rows.size() == 9);
  for (size_t i = 0; i < 9; ++i) {
    CAPTURE(i);
    CHECK(lab.rows[i].predicted == expected[i][0]);
    CHECK(lab.rows[i].measured == expected[i][1]);
    CHECK(lab.rows[i].allowed == expected[i][2]);
    CHECK(lab.rows[i].verdict == verdicts[i]);
  }
  CHECK(lab.seeds() == std::vector<uint64_t>{1, 2, 3});
  CHECK(lab.quick_or_full(1, 2) == 2);
  CHECK(Lab({.quick = true, .data_dir = {}}).seeds() == std::vector<uint64_t>{1});
  CHECK(Lab({.quick = true, .data_dir = {}}).quick_or_full(1, 2) == 1);
  Sample two;
  two.add(1), two.add(3);  // mean 2, standard error 1
  Lab monte({.quick = true, .data_dir = {}});
  monte.expected("B", "s", 6, two);
  monte.expected("B", "s", 6.01, two);
  CHECK(monte.rows[0].verdict == Verdict::holds);
  CHECK(monte.rows[1].verdict == Verdict::fails);
  CHECK(monte.rows[0].allowed == "+- 4 (4 s.e.)");
  // Columns as wide as their widest cell, counted in characters.
  Lab wide({.quick = true, .data_dir = {}});
  wide.observed("A1", "\u03b1\u03b2", "x", {1});
  wide.observed("A10.2", "abc", "yy", {1});
  CHECK(terminal_table({wide.rows[0], wide.rows[1]}) ==
        "claim  statement  predicted  measured  allowed  verdict\n"
        "A1     \u03b1\u03b2         x          1                  not judged\n"
        "A10.2  abc        yy         1                  not judged\n");
}

namespace {

struct Parameters {
  double eps = 1e-5;
  int64_t batch = 8;
  static void each(auto& o, auto&& option) {
    option("eps", o.eps, Range{0, 1}, "under the root");
    option("batch", o.batch, Range{2, 64}, "examples");
  }
};
void measure(Lab& lab, const Parameters& p) {
  lab.equal("A1.1", "eps, as it was set", p.eps, p.eps);
  lab.between("A1.2", "batch", 8, 8, {static_cast<double>(p.batch)});
  lab.not_found_again("A1.3", "a batch of nine", 9, 9, {static_cast<double>(p.batch)}, "It is eight.");
}

}  // namespace

TEST_CASE("lab: parameters are the standard ones or those that are set; then bands judge nothing") {
  const Experiment e{"mine", "One", "Q?", "A.", "P.", measure, {"Try?", "batch=16", "batch", 16, 16, "So."}};
  CHECK(e.parameters == "--set eps=1e-05 --set batch=8");
  CHECK(as_set("[:on=off|on]") == "--set on=off|on");
  CHECK(as_set("") == "");
  const auto with = [&](const std::string& set) {
    Lab lab({.quick = true, .data_dir = {}, .set = set});
    e.run(lab);
    return lab;
  };
  const Lab standard = with(""), same = with(":batch=8"), other = with(":eps=0.1:batch=16");
  CHECK((standard.standard() && same.standard()));
  CHECK(standard.rows[1].verdict == Verdict::holds);
  CHECK_FALSE(other.standard());
  CHECK(other.changed() == ":eps=0.1:batch=16");
  CHECK(other.rows[0].measured == "0.1");
  CHECK(other.rows[0].verdict == Verdict::holds);
  CHECK(other.rows[1].verdict == Verdict::not_judged);
  CHECK((standard.remarks.size() == 1 && other.remarks.empty()));  // a reason stands beside a verdict
  CHECK_THROWS_WITH(with(":esp=0.1"), "lab: mine has no parameter called \"esp\". Known are eps, batch");
  CHECK_THROWS_WITH(with(":batch=1"), "lab: mine's batch (examples) must be a number from 2 to 64, got '1'");
  CHECK_THROWS_WITH(with(":batch=2.5"), "lab: mine's batch (examples) must be a number from 2 to 64, got '2.5'");

  // An effect is judged whatever is set, and can fail.
  Lab there = with(":batch=16"), not_there = with(":batch=17");
  there.effect(e.next), not_there.effect(e.next);
  CHECK(there.rows.back().verdict == Verdict::holds);
  CHECK(not_there.rows.back().verdict == Verdict::fails);
  CHECK_FALSE(not_there.rows.back().as_expected());
  CHECK_THROWS_AS(there.effect({"", "", "no such row", 0, 1, ""}), Error);
}

TEST_CASE("lab: formulas as MathML") {
  CHECK(mathml("x") == "<math><mi>x</mi></math>");
  CHECK(
      mathml("(x - mu) / sqrt(sigma^2 + eps)") ==
      "<math><mfrac><mrow><mi>x</mi><mo>−</mo><mi>μ</mi></mrow><msqrt><mrow><msup><mi>σ</mi><mn>2</mn></msup><mo>+</mo>"
      "<mi>ε</mi></mrow></msqrt></mfrac></math>");
  CHECK(mathml("x_i^2 <= 1.5") ==
        "<math><mrow><msubsup><mi>x</mi><mi>i</mi><mn>2</mn></msubsup><mo>≤</mo><mn>1.5</mn></mrow></math>");
  CHECK(mathml("(1 - a)^(2 t)") ==
        "<math><msup><mrow><mo stretchy=\"false\">(</mo><mrow><mn>1</mn><mo>−</mo><mi>a</mi></mrow><mo "
        "stretchy=\"false\">)</mo></mrow><mrow><mn>2</mn><mi>t"
        "</mi></mrow></msup></math>");
  CHECK(mathml("lr Γ < (a") ==
        "<math><mrow><mtext>lr</mtext><mspace "
        "width=\"0.2em\"/><mi>Γ</mi><mo>&lt;</mo><mrow><mo stretchy=\"false\">(</mo><mi>a</mi><mo "
        "stretchy=\"false\">)</mo></mrow></mrow></math>");
  // A prime and a power, a fence, and functions stand on one line of a fraction with what they belong to.
  CHECK(mathml("f'(z)^2") ==
        "<math><mrow><mrow><mi>f</mi><mo lspace=\"0\" rspace=\"0\">′</mo></mrow><msup><mrow><mo "
        "stretchy=\"false\">(</mo><mi>z</mi><mo stretchy=\"false\">)</mo></mrow><mn>2</mn></msup>"
        "</mrow></math>");
  CHECK(mathml("h'^2") ==
        "<math><msup><mrow><mi>h</mi><mo lspace=\"0\" rspace=\"0\">′</mo></mrow><mn>2</mn></msup></math>");
  CHECK(mathml("|x| / y") == "<math><mfrac><mrow><mo>|</mo><mi>x</mi><mo>|</mo></mrow><mi>y</mi></mfrac></math>");
  CHECK(mathml("(x | y)") ==
        "<math><mrow><mo stretchy=\"false\">(</mo><mrow><mi>x</mi><mo>|</mo><mi>y</mi></mrow><mo "
        "stretchy=\"false\">)</mo></mrow></math>");
  CHECK(mathml("f(a) / g(b)") ==
        "<math><mfrac><mrow><mi>f</mi><mrow><mo stretchy=\"false\">(</mo><mi>a</mi><mo "
        "stretchy=\"false\">)</mo></mrow></mrow><mrow><mi>g</mi><mrow><mo stretchy=\"false\">(</mo>"
        "<mi>b</mi><mo stretchy=\"false\">)</mo></mrow></mrow></mfrac></math>");
  CHECK(mathml("(1 / 2)").find("<mrow><mo>(</mo><mfrac>") != std::string::npos);  // as tall as the fraction
  CHECK(mathml("1.5e-06") == "<math><mrow><mn>1.5</mn><mo>×</mo><msup><mn>10</mn><mn>−6</mn></msup></mrow></math>");
  CHECK(mathml("2e") == "<math><mrow><mn>2</mn><mi>e</mi></mrow></math>");
  CHECK(html("from 1e-4 to 2e+05, e2e") == "from " + mathml("1e-4") + " to " + mathml("2e5") + ", e2e");
  CHECK(html("+- 1e-10") == mathml("+- 1e-10"));  // not parted at a line's end
  CHECK(mathml("a /") == "<math><mi>a</mi></math>");
  CHECK(mathml("^_") == "<math><mrow><mo>^</mo><mo>_</mo></mrow></math>");
  CHECK(html("so $x^2$ & so") == "so <math><msup><mi>x</mi><mn>2</mn></msup></math> &amp; so");
  CHECK(html("one $ only") == "one $ only");
  CHECK(plain("so $x^2$") == "so x^2");
}

TEST_CASE(
    "lab: the page has a section for every experiment in its chapter, with its rows, figures, counts and what is "
    "unexpected") {
  const Experiment first{"first",
                         "One",
                         "Is a < b?",
                         "It is.",
                         "We think so.",
                         measure,
                         {"Try c?", "eps=0.1 batch=9", "", 0, 0, "Then d."}},
      second{"second", "Two", "And d?", "No.", "Perhaps.", measure, {}};
  const std::vector<Chapter> chapters{{"One", "About one."}, {"Two", "About two."}, {"Three", "Nobody."}};
  const std::vector<Claim> known{{"A1.1", "One."}, {"A1.2", "Two."}, {"A1.3", "Three."}, {"B2", "$x^2$"}, {"B3", "-"}};
  Lab a({.quick = true, .data_dir = {}}), b({.quick = true, .data_dir = {}, .set = ":batch=16"});
  a.equal("A1.1", "one is one", 1, 1);
  a.equal("A1.2", "one is two", 1, 2);
  a.only_if("A1.3", "it holds", "c", "so", true, false);
  a.say("A remark.");
  a.figure(
      {{.title = "sigma^2", .x_label = "gamma", .y_label = "eps", .series = {{"beta", {1, 2, 3}, {4, 6, 5}, 1, true}}}},
      {.shows = "Axes.", .predicted = "Law.", .seen = "Numbers."});
  b.parameters<Parameters>("second");
  b.observed("B2", "seen", "there", {0.5});
  const std::vector<Result> results{{&second, b, 1.25}, {&first, a, 0.5}};
  const std::string page = html_report(chapters, known, results, true);
  const auto at = [&](const std::string& part) {
    const size_t place = page.find(part);
    CHECK_MESSAGE(place != std::string::npos, part);
    return place;
  };
  at("<strong>4 statements: 1 holds, 1 only under a condition, 1 fails, 1 shown, not judged.</strong> This was a quick "
     "run");
  // Chapters in their own order, whatever the order of the results.
  CHECK(at("<h2>One</h2>\n<p>About one.</p>") < at("<h3 id=\"first-question\">Is a &lt; b?</h3>"));
  CHECK(at("<section id=\"first\"") < at("<h2>Two</h2>"));
  CHECK(at("<h2>Two</h2>") < at("<section id=\"second\""));
  CHECK(page.find("Three</h2>") == std::string::npos);
  CHECK(at("<li>One\n<ul><li><a href=\"#first\">Is a &lt; b?</a></li>\n</ul></li>") <
        at("<li>Two\n<ul><li><a href=\"#second\">And d?</a>"));
  // A question, its answer and verdicts, the picture; then what is folded.
  CHECK(
      at("<p class=\"answer\">It is. <span class=\"verdict fails\">1 holds, 1 only under a condition, 1 fails</span>") <
      at("<figure>"));
  CHECK(at("</figure>") < at("<details class=\"data\"><summary>The numbers of the picture</summary>"));
  at("<p class=\"answer\">No. <span class=\"verdict holds\">0 hold, 1 shown, not judged</span>");
  at("<span class=\"tag\">Prediction:</span> We think so.</p>");
  at("<summary>Try next: Try c?</summary>\n<pre>evenkeel lab first --quick --set eps=0.1 --set batch=9</pre>\n<p>Then "
     "d.");
  at("<p>A remark.</p>");
  at("Axes. <span class=\"tag\">Predicted:</span> Law. <span class=\"tag\">Seen:</span> Numbers.");
  at("<pre>evenkeel lab first --quick</pre>\n<p class=\"soft\">It took 0.5 s here.");
  at("<code>--set eps=1e-05 --set batch=8</code>");
  at("<pre>evenkeel lab second --quick --set batch=16</pre>");
  at("<p class=\"other\">Not the standard parameters: batch=16.");
  at("<tr><td><a href=\"#claim-A1.1\">A1.1</a><td>one is one<td data-of=\"predicted\">1<td data-of=\"measured\">1<td ");
  at("<td class=\"holds\">holds</tr>");
  at("<td class=\"fails\">FAILS (unexpected)</tr>");
  at("<td class=\"onlyif\">only if</tr>");
  at("<td class=\"notjudged\">not judged</tr>");
  at("<tr id=\"claim-A1.1\"><th scope=\"row\">A1.1<td>One.<td><a href=\"#first\">first</a></tr>");
  at("<tr id=\"claim-B2\"><th scope=\"row\">B2<td><math><msup><mi>x</mi><mn>2</mn></msup></math><td><a "
     "href=\"#second\">");
  at("<tr id=\"claim-B3\"><th scope=\"row\">B3<td>-<td>nothing in this run</tr>");
  const std::string whole = html_report(chapters, known, results, false);
  CHECK(whole.find("--quick") == std::string::npos);
  CHECK_THROWS_AS(html_report({{"Two", ""}}, known, results, true), Error);
  CHECK_THROWS_AS(html_report(chapters, {{"A1.1", ""}}, results, true), Error);  // a row whose claim nobody knows

  // The figure in it, and as a file, read back.
  const svg::Picture p = svg::read(picture(a.figures[0]), 1);
  REQUIRE(p.charts[0].find("\u03b2"));
  CHECK((p.charts[0].heading == "\u03c3\u00b2" && p.charts[0].x_label == "\u03b3" && p.charts[0].y_label == "\u03b5"));
  const svg::Curve& beta = *p.charts[0].find("\u03b2");
  CHECK(beta.dashed);
  REQUIRE(beta.y.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(beta.y[i] == doctest::Approx(std::vector{4, 6, 5}[i]).epsilon(2e-3));
  at("<p class=\"title\">\u03c3\u00b2</p>");
  at("<caption>\u03c3\u00b2</caption>");
  at("<th scope=\"row\">2<td>6</tr>");
}

TEST_CASE("lab: every claim has a number of its own, and a text") {
  std::set<std::string> numbers;
  for (const Claim& c : claims) {
    CHECK_MESSAGE(numbers.insert(c.number).second, c.number);
    CHECK_MESSAGE(std::string(c.text).size() > 20, c.number);
  }
}
