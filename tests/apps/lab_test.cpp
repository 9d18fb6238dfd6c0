// evenkeel lab: the list, the report, mistakes; and every experiment: a verdict that is not the expected one fails, and
// so does a statement that is no longer made, a curve that is not drawn, a number of the text that is not its law's.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/apps/process.h"
#include "tests/svg.h"

namespace {

// How many statements each experiment makes in quick mode.
const std::map<std::string, size_t> numbers = {
    {"transform", 19},     {"axes", 13},      {"renewal", 4},        {"saturation", 20},  {"jacobian", 15},
    {"derivatives", 13},   {"averages", 12},  {"estimates", 13},     {"rounding", 8},     {"dialects", 9},
    {"shift", 5},          {"scale", 28},     {"sequences", 14},     {"two_labs", 5},     {"privacy", 6},
    {"mistakes", 13},      {"one_layer", 11}, {"noise", 15},         {"renorm", 15},      {"dilution", 13},
    {"relu_activity", 36}, {"explosion", 9},  {"thermostat", 9},     {"decay", 4},        {"landscape", 8},
    {"rates", 7},          {"drift", 4},      {"gradient_shift", 9}, {"paper", 3},        {"domain", 12},
    {"batch_size", 5},     {"identity", 3},   {"alive", 4},          {"depth", 4},        {"vision", 3},
    {"vanishing", 24},     {"injected", 4},   {"inputs", 8},         {"regularising", 5}, {"decoupled", 12},
    {"at_scale", 3},       {"ensemble", 6},   {"coupling", 13}};

// The claims that the experiments run by all test cases so far have judged, and those experiments.
std::set<std::string> judged_claims, experiments_run;

struct Statement {
  std::string text, measured;
};
// A run of some experiments, in quick mode on drawn images, and all that it shows.
struct Shown {
  std::map<std::string, std::vector<Statement>> statements;  // of each experiment
  std::string page;
  const Scratch folder;

  // What is measured of the statement that begins so.
  std::string measured(const std::string& experiment, const std::string& begin) const {
    for (const Statement& s : statements.at(experiment))
      if (s.text.starts_with(begin)) return s.measured;
    FAIL(experiment << " does not say: " << begin);
    return "";
  }
  double number(const std::string& experiment, const std::string& begin) const {
    const std::string text = measured(experiment, begin), differ = "differ by ";
    return std::stod(text.starts_with(differ) ? text.substr(differ.size()) : text);
  }
  svg::Picture picture(const std::string& name) const {
    const std::string text = slurp(folder / ("report/" + name + ".svg"));
    return svg::read(text, svg::all(text, "class=\"heading\"").size());
  }

  explicit Shown(const std::vector<std::string>& experiments) {
    const Outcome o = run(Arguments{"lab", "--quick", "--out", folder / "report"} + experiments);
    CHECK_MESSAGE(o.status == 0, o.out << o.err);
    // In the columns of the table, which two spaces part.
    std::istringstream lines(o.out);
    std::string name;
    size_t statement = 0, predicted = 0, measured = 0, allowed = 0;
    for (std::string line; std::getline(lines, line);) {
      const size_t colon = line.find(": ");
      if (colon != std::string::npos && numbers.contains(line.substr(0, colon))) name = line.substr(0, colon);
      if (line.starts_with("claim ")) {
        statement = line.find("statement"), predicted = line.find("predicted"), measured = line.find("measured");
        allowed = line.find("allowed");
      } else if (const auto claim = svg::all(line, "^(A\\d+\\.?\\d*[a-z]?) "); claim.size() == 1) {
        judged_claims.insert(claim[0][1]);
        const auto cell = [&](size_t from, size_t to) {
          const std::string text = line.substr(from, to - from);
          return text.substr(0, text.find_last_not_of(' ') + 1);
        };
        statements[name].push_back({cell(statement, predicted), cell(measured, allowed)});
      }
    }
    for (const std::string& each : experiments) CHECK_MESSAGE(statements[each].size() == numbers.at(each), each);
    experiments_run.insert(experiments.begin(), experiments.end());
    page = slurp(folder / "report/index.html");
    CHECK_MESSAGE(page.find("TODO") == std::string::npos, "a text of the page is not written yet");

    // Every curve that a legend names is drawn, and looks like no other one of its chart but the other half of a band.
    size_t pictures = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "report")) {
      if (entry.path().extension() != ".svg") continue;
      ++pictures;
      CAPTURE(entry.path().string());
      const svg::Picture p = picture(entry.path().stem().string());
      CHECK(p.inside);
      for (const svg::Chart& chart : p.charts) {
        std::map<std::pair<std::string, std::string>, std::string> looks;
        for (const svg::Curve& c : chart.curves) {
          CHECK_MESSAGE(c.x.size() >= 2, c.name);
          const std::string& first = looks.try_emplace({c.color, c.dashes}, c.name).first->second;
          CHECK_MESSAGE((first == c.name || first.find(" below") != std::string::npos), c.name);
        }
      }
    }
    CHECK(pictures >= experiments.size());
  }
};

}  // namespace

TEST_CASE("lab: lists its experiments, runs one, writes a page that needs nothing beside it") {
  CHECK(run({"lab", "list"}).out.find("transform") != std::string::npos);
  const Scratch scratch;
  const Outcome outcome = run({"lab", "transform", "derivatives", "--quick", "--out", scratch / "report"});
  CHECK_MESSAGE(outcome.status == 0, outcome.err);
  CHECK(outcome.out.find("0 with another verdict than expected") != std::string::npos);
  const std::string page = slurp(scratch / "report/index.html");
  for (const char* part : {"<svg", "A1.2", "A4.8", "evenkeel lab transform --quick", "derivatives", "<nav ", "Seen",
                           "<msup><mi>σ</mi><mn>2</mn></msup>", "<figcaption>", "aria-current", "--set eps=0.1</pre>"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  for (const char* outside : {"<script src", "<link", "src=", "url(", "http"})
    CHECK_MESSAGE(page.find(outside) == std::string::npos, outside);
  CHECK(slurp(scratch / "report/transform.svg").starts_with("<svg"));
}

TEST_CASE("lab: mistakes are usage errors that name what is near") {
  const Outcome wrong = run({"lab", "transfrom"});
  CHECK(wrong.status == 2);
  CHECK_MESSAGE(wrong.err.find("did you mean transform?") != std::string::npos, wrong.err);
  CHECK(run({"lab"}).status == 2);
  CHECK(run({"lab", "all", "--fast"}).status == 2);
  CHECK(run({"lab", "--help"}).status == 0);
}

TEST_CASE("lab: --set changes one experiment's parameters, which the output and the page say") {
  const Scratch scratch;
  const Outcome other = run({"lab", "transform", "--quick", "--set", "eps=0.1", "--out", scratch / "report"});
  CHECK_MESSAGE(other.status == 0, other.err << other.out);
  CHECK(other.out.find("Not the standard parameters: eps=0.1.") != std::string::npos);
  CHECK(other.out.find("at sigma = 0.001 and eps = 0.1") != std::string::npos);
  const std::string page = slurp(scratch / "report/index.html");
  CHECK(page.find("Not the standard parameters: eps=0.1.") != std::string::npos);
  CHECK(page.find("ε is 0.1.") != std::string::npos);                         // the caption
  CHECK(run({"lab", "transform", "--quick", "--set", "eps=0"}).status == 0);  // no division by 0
  const std::string list = run({"lab", "list"}).out;
  CHECK_MESSAGE(list.find("? --set eps=1e-05\n") != std::string::npos, list);
  CHECK_MESSAGE(list.find("[:") == std::string::npos, list);
  CHECK(page.find("[:") == std::string::npos);
  const auto refused = [](const Arguments& set, const std::string& why) {
    Arguments all{"lab", "transform", "--quick"};
    all.insert(all.end(), set.begin(), set.end());
    const Outcome o = run(all);
    CHECK(o.status == 2);
    CHECK_MESSAGE(o.err.find(why) != std::string::npos, o.err);
  };
  refused({"--set", "esp=0.1"}, "transform has no parameter called \"esp\". Known are eps");
  refused({"--set", "eps=2"}, "must be a number from 0 to 1, got '2'");
  refused({"--set", "eps=much"}, "got 'much'");
  refused({"--set", "eps"}, "--set needs NAME=VALUE, got 'eps'");
  refused({"--set", "eps="}, "--set needs NAME=VALUE, got 'eps='");
  refused({"--set", "eps=0.1", "--set", "eps=0.2"}, "eps is given twice");
  refused({"axes", "--set", "eps=0.1"}, "--set changes the parameters of one experiment");
  refused({"--next", "--set", "eps=0.1"}, "--set changes the parameters of one experiment");
}

TEST_CASE("lab: a report that cannot be written is refused before the work") {
  const Scratch scratch;
  std::ofstream(scratch / "file") << "here";
  std::filesystem::create_directories(scratch / "report/index.html");
  for (const char* out : {"file", "file/report", "report"}) {
    const Outcome o = run({"lab", "transform", "--quick", "--out", scratch / out});
    CHECK(o.status == 5);
    CHECK_MESSAGE(o.out == "", o.out);
    CHECK_MESSAGE(o.err.starts_with("evenkeel: "), o.err);
  }
  std::string help = run({"lab", "--help"}).out;
  std::ranges::replace(help, '\n', ' ');  // lines end anywhere
  CHECK(help.find("5 input or output failed") != std::string::npos);
}

TEST_CASE("lab: --next tries what the page proposes, and judges its effect") {
  const Outcome outcome = run({"lab", "transform", "--next"});
  CHECK_MESSAGE(outcome.status == 0, outcome.err << outcome.out);
  CHECK(outcome.out.find("tried next: at sigma = 0.001") != std::string::npos);
}

TEST_CASE("lab: experiments that train nothing, in a second") {
  const Shown lab({"transform", "axes", "renewal", "saturation", "jacobian", "derivatives", "averages", "estimates",
                   "dialects", "shift", "scale", "sequences", "two_labs", "privacy", "mistakes"});
  // The largest of many differences of two computations: exactly 0 would mean that nothing was compared.
  for (const auto& [experiment, statement_] :
       {std::pair{"transform", "mean after step 2, sigma from 1e-4 to 1e4"},
        {"transform", "variance after step 2 is"},
        {"transform", "one outlier among equals"},
        {"renewal", "two layers, 100 steps of training: the largest mean"},
        {"renewal", "the largest distance of a variance"},
        {"renewal", "and of the mean product of two examples"},
        {"dialects", "the first rule is this library's layer, over 1000 batches"},
        {"scale", "each of 100 plain steps adds lr^2 |g|^2"}}) {
    const auto& statement = statement_;
    const double apart = lab.number(experiment, statement);
    CHECK_MESSAGE((apart > 0 && apart < 1e-10), statement);
  }
  CHECK(lab.number("transform", "|xhat| / sqrt(m-1), heavy-tailed batches") > 0.9);

  // Divided by what the last a = 0.05 + 0.5 / t would have left after ten steps, in place of what all of them left.
  double left = 1;
  for (int t = 1; t <= 10; ++t) left *= 1 - (0.05 + 0.5 / t);
  char text[99];
  std::snprintf(text, sizeof text, "with the last a: %.4f, with w: 3.0000, truth 3",
                3 * (1 - left) / (1 - std::pow(0.9, 10)));
  CHECK(lab.measured("averages", "dividing by 1 - (1-a)^t is right") == text);
  std::snprintf(text, sizeof text, "still has only %.1f %% of the truth; the corrected one has 100.0 %%",
                100 * (1 - std::pow(0.99, 100)));
  CHECK_MESSAGE(lab.page.find(text) != std::string::npos, text);
  CHECK(lab.picture("averages").charts[0].curves[0].x.size() == 100);

  // What is predicted, recomputed at the points of the picture.
  const svg::Picture sequences = lab.picture("sequences");
  for (const svg::Curve& c : sequences.charts[0].curves) {
    REQUIRE(c.x.size() == 10);
    for (size_t i = 0; i < 10; ++i) {
      const double p = 0.1 * static_cast<double>(i + 1), mean = 3 * p, variance = 2 * p + 9 * p * (1 - p);
      CHECK(c.x[i] == doctest::Approx(p).epsilon(0.01));
      CHECK(c.y[i] == doctest::Approx(c.name.find("mean") != std::string::npos ? mean : variance).epsilon(0.01));
    }
  }
}

TEST_CASE("lab: one layer's largest step, renormalisation, noise, and an ensemble") {
  const Shown lab({"one_layer", "noise", "ensemble", "renorm"});
  // At 1.05 of the largest stable step the steepest direction grows by |1 - 2.1| a step, its loss by the square; and
  // without centring nearly all of the loss is along it.
  CHECK(lab.number("one_layer", "without: at 1.05 of it, it explodes") ==
        doctest::Approx(std::pow(1.1, 400)).epsilon(0.05));
  const svg::Picture renorm = lab.picture("renorm");
  const svg::Curve& seen = *renorm.charts[0].find("measured, batches of 8");
  CHECK(seen.y.front() > seen.y.back());  // the freer r and d, the less noise
  const svg::Picture ensemble = lab.picture("ensemble");
  const svg::Curve &one = *ensemble.charts[0].find("one member"),
                   &mean = *ensemble.charts[0].find("mean of 32 members");
  for (size_t i = 0; i < 3; ++i) CHECK(mean.y[i] < one.y[i]);
  const svg::Curve& gain = *ensemble.charts[1].find("measured");
  REQUIRE(gain.x.size() == 32);
  CHECK(gain.y.front() > gain.y.back());
}

TEST_CASE("lab: signals and ReLUs from layer to layer") {
  const Shown lab({"dilution", "relu_activity", "explosion"});
  // As many active at beta as inactive at -beta: a symmetric axis, on which the two add up to one.
  const svg::Picture picture = lab.picture("relu_activity");
  for (const svg::Curve& c : picture.charts[0].curves) {
    REQUIRE(c.x.size() == 25);
    for (size_t i = 0; i < 25; ++i) {
      CHECK(std::abs(c.x[i] + c.x[24 - i]) < 0.03);
      CHECK(std::abs(c.y[i] + c.y[24 - i] - 1) < 0.05);
      if (c.dashed) CHECK(std::abs(c.y[i] - std::erfc(-c.x[i] / std::sqrt(2)) / 2) < 0.01);
    }
    CHECK(c.x.back() > 2.5);
  }
}

TEST_CASE("lab: rounding to bf16 and weight decay, in training") {
  const Shown lab({"rounding", "thermostat", "decay"});
  const svg::Picture picture = lab.picture("decay");
  REQUIRE(picture.charts.size() == 2);
  CHECK(picture.charts[0].curves[0].x.size() == 300);
  CHECK(picture.charts[0].curves[0].y == picture.charts[0].curves[1].y);  // decay and schedule are one curve
}

TEST_CASE("lab: the loss landscape, and the rates that train") {
  const Shown lab({"landscape", "rates", "at_scale", "coupling"});
  CHECK(lab.number("landscape", "lambda times |W|^2") > 0);
  CHECK(lab.number("landscape", "the same with batch norm") > 0);
  // A network that failed guesses: one of ten classes.
  for (const char* lr : {"1", "3"})
    CHECK(!lab.measured("rates", std::string("lr ") + lr + ", without: accuracy (PyTorch 0.1): it fails").empty());
  // 1 + 100 / (pi - 1), less the noise of 4000 draws
  CHECK(std::abs(lab.number("coupling", "one unit that reads 100 ReLUs") - 35.6) < 2.5);
  const svg::Picture coupling = lab.picture("coupling");
  for (const svg::Curve& c : coupling.charts[0].curves) CHECK(c.x.size() == 2);  // steps 0 and 200
  for (const svg::Curve& c : coupling.charts[1].curves) CHECK(c.x.size() == 5);  // rates of 0.001 to 3
  const svg::Picture picture = lab.picture("rates");
  for (const svg::Curve& c : picture.charts[0].curves) CHECK(c.x.size() == 3);  // rates of 0.1, 1 and 3
}

TEST_CASE("lab: drift, the original experiment, other test images, small and one-sided batches") {
  const Shown lab({"drift", "gradient_shift", "paper", "domain", "batch_size"});
  const svg::Picture paper = lab.picture("paper");
  for (const svg::Curve& c : paper.charts[0].curves) {
    CHECK(c.x.size() == 31);
    CHECK(std::abs(c.x.front()) < 5);
    CHECK(std::abs(c.x.back() - 1500) < 5);
  }
  // Images that are not made brighter are the clean ones.
  const double clean = lab.number("domain", "clean images: accuracy, %");
  CHECK(clean > 15);
  const svg::Picture domain = lab.picture("domain");
  const svg::Curve& same = *domain.charts[0].find("zero padding, training statistics");
  REQUIRE(same.x.size() == 6);
  CHECK(std::abs(same.x[1]) < 0.01);
  CHECK(std::abs(same.y[1] - clean) < 0.3);
  const double apart = lab.number("domain", "no padding, no bias: largest change of a logit");
  CHECK((apart > 0 && apart < 1e-10));
  // All networks learn something of independent batches of 32: a guess is right once in ten.
  const svg::Picture sizes = lab.picture("batch_size");
  for (const svg::Curve& c : sizes.charts[0].curves) CHECK_MESSAGE(c.y.back() > 0.17, c.name);
}

TEST_CASE("lab: deep networks, dead ReLUs, images, and the identity") {
  const Shown lab({"depth", "alive", "vision", "identity"});
  // Predictions to ten digits: gamma and beta are sqrt(sigma^2 + eps) and mu of the data.
  CHECK(lab.number("identity", "gamma after 200 steps") > 0);
  CHECK(lab.number("alive", "without: per cent of units that are dead") >= 90);
  CHECK(lab.number("depth", "without: gradient of layer 2") < lab.number("depth", "with batch norm: the same"));
}

TEST_CASE("lab: layers and inputs of networks that train on drawn points, and the noise put into them") {
  const Shown lab({"vanishing", "injected", "inputs", "regularising", "decoupled"});
  // A gradient for each of eight layers; the last one's is 1, and with batch norm none is far below.
  const svg::Picture vanishing = lab.picture("vanishing");
  for (const svg::Chart& chart : vanishing.charts) CHECK(chart.curves.size() == 4);
  CHECK(lab.number("vanishing", "sigmoid, with batch norm: layer 1's gradient over the last one's") >
        20 * lab.number("vanishing", "sigmoid, without: layer 1's gradient over the last one's"));
  const double apart = lab.number("vanishing", "tanh, with batch norm: a drift");
  CHECK((apart > 0 && apart < 1e-10));
  const double shifted = lab.number("inputs", "with batch norm: losses of 50 steps on shifted inputs");
  CHECK((shifted > 0 && shifted < 1e-8));
  const svg::Picture inputs = lab.picture("inputs");
  for (const svg::Curve& c : inputs.charts[1].curves) CHECK(c.x.size() == 5);
  const svg::Picture decoupled = lab.picture("decoupled");
  const svg::Curve &below = *decoupled.charts[0].find("AdamW, from below"), &law = decoupled.charts[0].curves[2];
  CHECK((below.y.front() < 0.75 * law.y.front() && std::abs(below.y.back() / law.y.back() - 1) < 0.05));
}

TEST_CASE("lab: the number of every experiment's statements is known") {
  std::istringstream list(run({"lab", "list"}).out);
  size_t experiments = 0;
  for (std::string line; std::getline(list, line); ++experiments)
    CHECK_MESSAGE(numbers.contains(line.substr(0, line.find(' '))), line);
  CHECK(experiments == numbers.size());
}

TEST_CASE("lab: every claim has a statement that judges it") {
  if (experiments_run.size() < numbers.size()) return;  // some test cases were left out
  const Scratch scratch;
  REQUIRE(run({"lab", "transform", "--quick", "--out", scratch / "report"}).status == 0);
  const auto claims = svg::all(slurp(scratch / "report/index.html"), "<tr id=\"claim-([^\"]*)\"");
  CHECK(claims.size() > 70);
  for (const auto& claim : claims) CHECK_MESSAGE(judged_claims.contains(claim[1]), claim[1]);
}
