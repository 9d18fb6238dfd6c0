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
  for (const char* part : {"<svg", "A1.2", "A4.8", "evenkeel lab transform --quick", "derivatives.cpp", "<nav>", "Seen",
                           "σ² / (σ² + ε)", "<figcaption>"})
    CHECK_MESSAGE(page.find(part) != std::string::npos, part);
  for (const char* outside : {"<script", "<link", "src=", "url("})
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
