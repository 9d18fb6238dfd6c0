// evenkeel lab: the list, one experiment with its report, mistakes. All experiments run as the test `lab`.
#include <doctest/doctest.h>

#include "tests/apps/process.h"

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
  CHECK(run({"lab", "list"}).out.find("[:eps=1e-05]") != std::string::npos);
  const auto refused = [](const Arguments& set, const std::string& why) {
    Arguments all{"lab", "transform", "--quick"};
    all.insert(all.end(), set.begin(), set.end());
    const Outcome o = run(all);
    CHECK(o.status == 2);
    CHECK_MESSAGE(o.err.find(why) != std::string::npos, o.err);
  };
  refused({"--set", "esp=0.1"}, "it is written lab transform --set [:eps=1e-05]");
  refused({"--set", "eps=2"}, "must be a number from 0 to 1, got '2'");
  refused({"--set", "eps=much"}, "got 'much'");
  refused({"--set", "eps"}, "--set is written NAME=VALUE, got 'eps'");
  refused({"--set", "eps="}, "--set is written NAME=VALUE, got 'eps='");
  refused({"--set", "eps=0.1", "--set", "eps=0.2"}, "eps twice");
  refused({"axes", "--set", "eps=0.1"}, "--set changes the parameters of one experiment");
  refused({"--next", "--set", "eps=0.1"}, "--set changes the parameters of one experiment");
}

TEST_CASE("lab: --next tries what the page proposes, and judges its effect") {
  const Outcome outcome = run({"lab", "transform", "--next"});
  CHECK_MESSAGE(outcome.status == 0, outcome.err << outcome.out);
  CHECK(outcome.out.find("tried next: at sigma = 0.001") != std::string::npos);
}
