// Options declared once: parser, check, usage text and description of one struct agree.
#include "core/base/options.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/base/scalar.h"

using namespace evenkeel;

namespace {

struct Sample {
  real rate = real(0.1);
  double share = 0.5;
  int64_t count = 3;
  bool on = false, biased = true;
  static void each(auto& o, auto&& option) {
    option("rate", o.rate, Range{1e-9, 1}, "of change");
    option("share", o.share, Range{0, 1, Range::Top::below}, "of all");
    option("count", o.count, Range{0, 10}, "of them");
    option("on", o.on, Words{"off", "on"}, "at work");
    option("variance", o.biased, Words{"unbiased", "biased"}, "of a batch");
  }
};

Sample read(const std::string& text) {
  SpecArguments arguments("sample", text);
  const Sample result = arguments.options<Sample>();
  arguments.check_used("s" + usage_options<Sample>());
  return result;
}

template <class F>
void refused(F f, const char* reason) {
  CHECK_THROWS_WITH_AS(f(), doctest::Contains(reason), Error);
}

}  // namespace

TEST_CASE("options: usage and description are what the parser reads, and name each option once") {
  CHECK(usage_options<Sample>() == "[:rate=0.1][:share=0.5][:count=3][:on=off|on][:variance=biased|unbiased]");
  CHECK(describe_options(Sample()) == "");
  CHECK(describe_options(read("s")) == "");
  const std::string all = ":rate=0.25:share=0.125:count=10:on=on:variance=unbiased";
  const Sample s = read("s" + all);
  CHECK(s.rate == real(0.25));
  CHECK(s.share == 0.125);
  CHECK(s.count == 10);
  CHECK(s.on);
  CHECK(!s.biased);
  CHECK(describe_options(s) == all);
  // What is the default goes away, also where it was given.
  CHECK(describe_options(read("s:count=3:on=on:rate=0.1")) == ":on=on");
  // A description builds the same number again, whatever number it is.
  const real third = real(1) / 3;
  CHECK(read("s" + describe_options(Sample{.rate = third})).rate == third);
}

TEST_CASE("options: an empty argument is refused; it could be a script's unset variable") {
  for (const char* text : {"s:rate=", "s:", "s::on=on", "s:on=on:", "s:="})
    refused([=] { read(text); }, fmt::format("sample: '{}' has an empty argument; leave it out", text).c_str());
}

TEST_CASE("options: the first value beyond a limit is refused by parser and check alike, the last within it is not") {
  refused([] { read("s:rate=0"); }, "sample: s's rate (of change) must be a number from 1e-09 to 1, got '0'");
  refused([] { check_options("s", Sample{.rate = 0}); }, "s: rate (of change) must be a number from 1e-09 to 1, got 0");
  refused([] { read("s:share=1"); }, "must be a number from 0 to below 1, got '1'");
  refused([] { check_options("s", Sample{.share = 1}); }, "must be a number from 0 to below 1, got 1");
  refused([] { check_options("s", Sample{.share = std::nan("")}); }, "got nan");
  refused([] { read("s:count=11"); }, "got '11'");
  refused([] { check_options("s", Sample{.count = 11}); }, "got 11");
  read("s:rate=1:share=0:count=0");
  check_options("s", Sample{.rate = 1, .share = 0, .count = 0});
  for (const char* text : {"s:count=1.5", "s:rate=nan", "s:rate=0.5x", "s:rate= 0.5"}) {
    refused([&] { read(text); }, "must be a number");
  }
  refused([] { read("s:on=yes"); }, "sample: s's on must be one of off, on, got 'yes'");
  refused([] { read("s:on=on:on=on"); }, "sample: s's on is given twice");
  refused([] { read("s:colour=1"); }, "sample: 's:colour=1' has an argument it does not know; it is written s[:rate=");
  refused([] { read("s:0.5"); }, "has an argument it does not know");
}
