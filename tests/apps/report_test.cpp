// What eval --report says, recomputed from the network's outputs; and the page itself.
#include <doctest/doctest.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "apps/cli/text.h"
#include "apps/report/page.h"
#include "core/base/check.h"
#include "core/base/random.h"
#include "data/catalogue/load.h"
#include "data/formats/image.h"
#include "tests/apps/npz_array.h"
#include "tests/apps/tiny_data.h"
#include "tests/pictures.h"
#include "tests/svg.h"

using namespace evenkeel;

namespace {

std::string from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<uint32_t>(digits.find(c));
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return bytes;
}

// The end of Wilson's interval on one side, as its definition says it: by bisection.
double wilson_end(double share, double n, double end) {
  double inside = share, outside = end;
  for (int i = 0; i < 200; ++i) {
    const double p = (inside + outside) / 2;
    (std::abs(share - p) <= 1.959963984540054 * std::sqrt(p * (1 - p) / n) ? inside : outside) = p;
  }
  return inside;
}

struct ShownClass {
  std::string name;
  int64_t images;
  std::vector<std::string> measures;  // precision, recall, F1
};
std::vector<ShownClass> class_rows(const std::string& page) {
  std::vector<ShownClass> rows;
  const std::string value = "<td(?: class=\"v\" style=\"--v:\\d+%\")?>([^<]*)";
  for (const auto& m : svg::all(page, "<tr><td>([^<]*)<td>(\\d+)" + value + value + value + "</tr>"))
    rows.push_back({m[1], std::stoll(m[2]), {m[3], m[4], m[5]}});
  return rows;
}
std::string shown(double v) { return std::isnan(v) ? "\u2013" : fmt::format("{:.4f}", v); }

Dataset noise(int64_t count, const Shape& image, int64_t classes) {
  Dataset d{.name = "noise", .image = image, .classes = classes};
  Random random(5);
  for (int64_t i = 0; i < count * image.size(); ++i) d.pixels.push_back(static_cast<uint8_t>(random.bits() >> 56));
  d.labels.resize(static_cast<size_t>(count));
  return d;
}

}  // namespace

TEST_CASE("report: accuracy, classes, confusion, calibration and mistakes are those of the outputs") {
  const TinyData tiny(60, 97);
  const Scratch scratch;
  const Arguments data{"--data-dir", tiny.folder.path};
  REQUIRE(run(Arguments{"train", "--data", "mnist", "--model", "flatten dense:classes", "--norm", "none", "--epochs",
                        "3", "--batch-size", "20", "--lr", "0.01", "--out", scratch / "run"} +
              data)
              .status == 0);
  const Outcome o = run(Arguments{"eval", scratch / "run", "--logits", scratch / "l.npz", "--report",
                                  scratch / "page.html", "--batch-size", "13"} +
                        data);
  REQUIRE_MESSAGE(o.status == 0, o.err);
  CHECK(last_line(o.out) == scratch / "page.html");
  const std::string page = slurp(scratch / "page.html");
  const Array logits = array_of(scratch / "l.npz", "logits"), labels = array_of(scratch / "l.npz", "labels");

  const size_t n = 97;
  std::vector<size_t> label(n), guess(n);
  std::vector<double> confidence(n);
  std::map<std::pair<size_t, size_t>, int> taken;
  double right = 0, loss = 0;
  for (size_t i = 0; i < n; ++i) {
    label[i] = static_cast<size_t>(labels.at<int64_t>(i));
    double sum = 0, most = 0;
    for (size_t c = 0; c < 10; ++c) sum += std::exp(static_cast<double>(logits.at<float>(10 * i + c)));
    for (size_t c = 0; c < 10; ++c) {
      const double p = std::exp(static_cast<double>(logits.at<float>(10 * i + c))) / sum;
      if (p > most) most = p, guess[i] = c;
      if (c == label[i]) loss -= std::log(p) / n;
    }
    confidence[i] = most;
    ++taken[{label[i], guess[i]}];
    right += label[i] == guess[i];
  }
  REQUIRE((right > 0 && right < n));  // else most of this says nothing

  const auto facts = svg::all(page, "<div><span>([^<]*)</span><b>([^<]*)</b>");
  REQUIRE(facts.size() == 4);
  CHECK(facts[0][2] == fmt::format("{:.4f}", right / n));
  const double low = wilson_end(right / n, n, 0), high = wilson_end(right / n, n, 1);
  CHECK(contains(page, fmt::format("<span>{} of 97; 95 % interval {:.4f} to {:.4f}</span>", right, low, high)));
  CHECK(contains(o.out, fmt::format("95 % interval {:.4f} to {:.4f}; ", low, high)));
  CHECK(std::abs(std::stod(facts.back()[2]) - loss) < 2e-4 * (1 + loss));

  const std::vector<ShownClass> rows = class_rows(page);
  REQUIRE(rows.size() == 10);
  double f1_sum = 0, f1_count = 0;
  for (size_t c = 0; c < 10; ++c) {
    double of_class = 0, as_class = 0;
    for (size_t k = 0; k < 10; ++k) {
      of_class += taken.count({c, k}) ? taken[{c, k}] : 0;
      as_class += taken.count({k, c}) ? taken[{k, c}] : 0;
    }
    const double hits = taken.count({c, c}) ? taken[{c, c}] : 0, precision = hits / as_class, recall = hits / of_class;
    const double f1 = hits > 0 ? 2 / (1 / precision + 1 / recall) : of_class + as_class > 0 ? 0 : NAN;
    if (!std::isnan(f1)) f1_sum += f1, ++f1_count;
    CHECK(rows[c].name == std::to_string(c));
    CHECK(static_cast<double>(rows[c].images) == of_class);
    CHECK(rows[c].measures == std::vector<std::string>{shown(precision), shown(recall), shown(f1)});
    const auto terminal = [](double v) { return std::isnan(v) ? "-" : fmt::format("{:.4f}", v); };
    CHECK_MESSAGE(contains(o.out, fmt::format("\n{:<5}  {:>6}  {:>9}  {:>6}  {:>6}\n", c, of_class, terminal(precision),
                                              terminal(recall), terminal(f1))),
                  o.out);
    std::string line = fmt::format("\n{:<5}", c);
    for (size_t k = 0; k < 10; ++k)
      line += fmt::format("  {:>4}", taken.count({c, k}) ? std::to_string(taken[{c, k}]) : ".");
    CHECK_MESSAGE(contains(o.out, line + "\n"), o.out);
  }
  CHECK(facts[1][2] == fmt::format("{:.4f}", f1_sum / f1_count));

  double error = 0;
  for (int b = 0; b < 15; ++b) {
    double count = 0, hits = 0, sum = 0;
    for (size_t i = 0; i < n; ++i) {
      if (confidence[i] <= b / 15.0 || confidence[i] > (b + 1) / 15.0) continue;
      ++count, hits += label[i] == guess[i], sum += confidence[i];
    }
    if (count == 0) continue;
    error += count / n * std::abs(hits / count - sum / count);
    CHECK(contains(page, fmt::format("<title>{} answers: confidence {:.4f}, right {:.4f}</title>", count, sum / count,
                                     hits / count)));
  }
  CHECK(facts[2][2] == fmt::format("{:.4f}", error));

  // The matrix: cells that are shaded, and their numbers, row by row.
  std::map<std::pair<size_t, size_t>, char> shaded;
  for (const auto& path : svg::all(page, R"re(<path class="([rw])" fill-opacity="([\d.]+)" d="([^"]*)"/>)re")) {
    for (const auto& cell : svg::all(path[3], "M(\\d+) (\\d+)h1v1h-1z")) {
      const std::pair at{std::stoul(cell[2]), std::stoul(cell[1])};
      shaded[at] = path[1][0];
      int row = 0;
      for (size_t k = 0; k < 10; ++k) row += taken.count({at.first, k}) ? taken[{at.first, k}] : 0;
      CHECK(std::abs(std::stod(path[2]) - std::max(0.1, static_cast<double>(taken[at]) / row)) <= 0.0501);
    }
  }
  CHECK(shaded.size() == taken.size());
  std::vector<int> counts;
  for (const auto& m : svg::all(page, R"re(<text class="m s\d+" x="\d+" y="\d+">(\d+)</text>)re"))
    counts.push_back(std::stoi(m[1]));
  std::vector<int> expected;
  for (const auto& [pair, count] : taken) {
    expected.push_back(count);
    CHECK(shaded[pair] == (pair.first == pair.second ? 'r' : 'w'));
  }
  CHECK(counts == expected);

  // Its names: a row's on the line of the row's numbers, a column's upright, its baseline as far to the right of the
  // column's middle as a number's is below the row's.
  std::map<size_t, int> row_at, column_at;
  const auto cells = svg::all(page, R"re(<text class="m s\d+" x="(\d+)" y="(\d+)">\d+</text>)re");
  REQUIRE(cells.size() == taken.size());
  size_t next = 0;
  for (const auto& [pair, count] : taken) {
    row_at[pair.first] = std::stoi(cells[next][2]), column_at[pair.second] = std::stoi(cells[next][1]);
    ++next;
  }
  const auto names = svg::all(page, R"re(<text class="e" x="(\d+)" y="(\d+)">([^<]*)</text><text )re"
                                    R"re(transform="translate\((\d+) (\d+)\) rotate\(-90\)">([^<]*)</text>)re");
  REQUIRE(names.size() == 10);
  for (size_t c = 0; c < 10; ++c) {
    CHECK((names[c][3] == std::to_string(c) && names[c][6] == std::to_string(c)));
    CHECK(names[c][1] == names[c][5]);  // as far from the left as from the top
    if (row_at.contains(c)) CHECK(std::stoi(names[c][2]) == row_at[c]);
    if (column_at.contains(c)) CHECK(std::stoi(names[c][4]) == column_at[c] + 4);
  }

  // The mistakes that are made most often, each with its part of the class.
  std::vector<int> mistakes;
  for (const auto& [pair, count] : taken)
    if (pair.first != pair.second) mistakes.push_back(count);
  std::sort(mistakes.rbegin(), mistakes.rend());
  mistakes.resize(std::min<size_t>(10, mistakes.size()));
  std::vector<int> listed;
  for (const auto& m : svg::all(page, R"re(<tr><td>(\d+)<td>(\d+)<td>(\d+)<td>([\d.]+) %</tr>)re")) {
    const size_t from = std::stoul(m[1]), to = std::stoul(m[2]);
    listed.push_back(std::stoi(m[3]));
    CHECK(from != to);
    CHECK(taken[{from, to}] == listed.back());
    CHECK(m[4] == fmt::format("{:.1f}", 100.0 * listed.back() / static_cast<double>(rows[from].images)));
  }
  CHECK(listed == mistakes);

  // The axes of the calibration: the same scale along x and upwards, each number in the middle of its line's end.
  const auto ticks = svg::all(
      page, R"re(<path class="line" d="M([\d.]+) ([\d.]+)H[\d.]+"/><text class="t e" x="([\d.]+)" y="([\d.]+)">)re"
            R"re(([\d.]+)</text><text class="t m" x="([\d.]+)" y="[\d.]+">([\d.]+)</text>)re");
  REQUIRE(ticks.size() == 5);
  const double side = std::stod(ticks[0][2]) - std::stod(ticks[4][2]);
  for (size_t i = 0; i < 5; ++i) {
    const double v = 0.25 * static_cast<double>(i), left = std::stod(ticks[i][1]), y = std::stod(ticks[i][2]);
    CHECK((std::stod(ticks[i][5]) == v && std::stod(ticks[i][7]) == v));
    CHECK(y == doctest::Approx(std::stod(ticks[0][2]) - side * v));
    CHECK(std::stod(ticks[i][6]) == doctest::Approx(left + side * v));
    CHECK(std::stod(ticks[i][3]) < left);
    CHECK(std::stod(ticks[i][4]) == doctest::Approx(y + 4));  // a third of the letters' 12 pixels
  }
  for (const char* said : {"Blue: the part of the answers that is right", "A row for each class, a column for each",
                           "Precision: of the images taken for the class", "The number is the probability"})
    CHECK_MESSAGE(contains(page, said), said);
  for (const char* tag : {"div", "section", "svg", "g", "text", "table", "figure", "p", "h1", "h2", "title"}) {
    const std::string name = tag;
    CHECK_MESSAGE(svg::all(page, "<" + name + "[ >]").size() == svg::all(page, "</" + name + ">").size(), name);
  }

  // The pictures of the twenty mistakes of which the network is surest.
  std::vector<size_t> wrong;
  for (size_t i = 0; i < n; ++i)
    if (label[i] != guess[i]) wrong.push_back(i);
  std::stable_sort(wrong.begin(), wrong.end(), [&](size_t a, size_t b) { return confidence[a] > confidence[b]; });
  const Dataset images = load_dataset("mnist", tiny.folder.path).test;
  const auto figures = svg::all(page,
                                "<img alt=\"\" src=\"data:image/png;base64,([^\"]*)\"><figcaption>(\\d+) taken for "
                                "<b>(\\d+)</b>, ([\\d.]+)<br><span class=\"soft\">test image (\\d+)</span>");
  REQUIRE(figures.size() == std::min<size_t>(20, wrong.size()));
  for (size_t k = 0; k < figures.size(); ++k) {
    const size_t i = std::stoul(figures[k][5]);
    CHECK(i == wrong[k]);
    CHECK(figures[k][2] == std::to_string(label[i]));
    CHECK(figures[k][3] == std::to_string(guess[i]));
    CHECK(std::abs(std::stod(figures[k][4]) - confidence[i]) < 1e-4);
    const Picture picture = decode_picture("page", from_base64(figures[k][1]));
    CHECK((picture.height == 28 && picture.width == 28 && picture.channels == 1));
    CHECK(std::equal(picture.pixels.begin(), picture.pixels.end(),
                     images.pixels.begin() + static_cast<int64_t>(784 * i)));
  }

  // Drawn images keep the numbers that they have in their part.
  const Outcome few = run(
      Arguments{"eval", scratch / "run", "--samples", "30", "--split", "all", "--report", scratch / "few.html"} + data);
  CHECK_MESSAGE(few.status == 0, few.err);
  const std::string of_few = slurp(scratch / "few.html");
  CHECK(contains(of_few, " on 30 images of mnist</h1>"));
  const DataSplit split = load_dataset("mnist", tiny.folder.path);
  for (const auto& m :
       svg::all(of_few, "<figcaption>(\\d+) taken for [^,]*, [\\d.]+<br><span class=\"soft\">(\\w+) image (\\d+)<"))
    CHECK(std::stoi(m[1]) == (m[2] == "test" ? split.test : split.train).labels.at(std::stoul(m[3])));
}

TEST_CASE("report: files of a folder of pictures by their names, and classes' names of every kind") {
  const Scratch scratch;
  const std::string odd = "<b> & \"\xff";
  for (const std::string& kind : {std::string("a"), odd}) {
    std::filesystem::create_directories(scratch / "data/" + kind + "/in <i>");
    for (int i = 0; i < 6; ++i)
      save(scratch / "data/" + kind + "/in <i>/" + std::to_string(i) + ".png",
           png({2, 2, 3, std::vector<uint8_t>(12, static_cast<uint8_t>(40 * i))}));
  }
  REQUIRE(run({"train", "--data", scratch / "data", "--model", "mlp:4", "--epochs", "1", "--batch-size", "4", "--out",
               scratch / "run"})
              .status == 0);
  const Outcome o = run({"eval", scratch / "run", "--split", "all", "--report", scratch / "page.html"});
  REQUIRE_MESSAGE(o.status == 0, o.err);
  const std::string page = slurp(scratch / "page.html");
  CHECK(svg::all(page, "<figure>").size() >= 6);  // the classes look alike: half of the images, or more
  CHECK(contains(page, "/in &lt;i&gt;/"));
  CHECK(class_rows(page).at(0).name == "&lt;b&gt; &amp; &quot;\\xff");
  CHECK(!contains(page, "<b> &"));
  CHECK(run({"eval", scratch / "run", "--report", scratch / "data/page.html"}).status == 2);
  CHECK(run({"eval", scratch / "run", "--report", scratch / "run/best.safetensors"}).status == 2);
  CHECK(run({"eval", scratch / "run", "--report", scratch / "no/page.html"}).status == 5);
}

TEST_CASE("report: the page needs nothing beside it, and stays below 1.5 MB whatever the images and classes are") {
  const size_t classes = 200;
  std::vector<std::string> names;
  for (size_t i = 0; i < classes; ++i) names.push_back(fmt::format("class number {}", i));
  std::vector<Answer> answers;
  for (size_t i = 0; i < classes * classes; ++i)
    answers.push_back(
        {static_cast<int32_t>(i / classes), static_cast<int32_t>(i % classes), (static_cast<double>(i % 97) + 1) / 97});
  Dataset images = noise(2, {200, 100, 3}, static_cast<int64_t>(classes));
  const auto one = [&](const std::vector<Answer>& some, const std::vector<std::string>& n) {
    Dataset d = images;
    d.labels.resize(some.size());
    d.pixels.resize(some.size() * static_cast<size_t>(d.image.size()));
    return evaluation_page(Evaluation(n, some), d, {.network = "n", .about = "", .data = "d", .loss = 1});
  };
  images = noise(20, {120, 120, 3}, static_cast<int64_t>(classes));
  const std::string dense = [&] {
    Dataset d = noise(1, {1, 1, 3}, 1);
    d.labels.resize(answers.size());
    d.pixels.resize(3 * answers.size());
    return evaluation_page(Evaluation(names, answers), d, {.network = "n", .about = "", .data = "d", .loss = 1});
  }();
  const std::string pictures = one({answers.begin() + 1, answers.begin() + 21}, names);
  const size_t together = dense.size() + pictures.size();
  CHECK(together < 1'500'000);
  CHECK(svg::all(pictures, "<img ").size() == 20);
  for (std::string page : {dense, pictures}) {
    for (const auto& m : svg::all(page, "(src|href)=\"([^\"]{5})")) CHECK(m[2] == "data:");
    for (size_t at; (at = page.find("base64,")) != std::string::npos;) page.erase(at, page.find('"', at) - at);
    for (const char* part : {"http", "nan", "inf", "@import", "url("}) CHECK_MESSAGE(!contains(page, part), part);
  }
  // More classes than can be seen: no matrix, all else.
  names.resize(300, "more");
  const std::string many = one({answers.begin() + 1, answers.begin() + 21}, names);
  CHECK(!contains(many, "confusion matrix"));
  CHECK(class_rows(many).size() == 300);
  // No mistake at all.
  const std::string perfect = one({{0, 0, 1}, {1, 1, 0.5}}, {"a", "b"});
  CHECK(contains(perfect, "every answer is right"));
  CHECK(!contains(perfect, "<figure>"));
}

TEST_CASE("report: Wilson's interval is the one of its definition, and known where nothing or everything is right") {
  for (const auto& [right, count] : {std::pair{0, 10}, {10, 10}, {1, 1}, {50, 100}, {9865, 10000}, {1, 3}}) {
    const Interval i = wilson_interval(right, count);
    const double share = static_cast<double>(right) / count;
    CHECK(i.low == doctest::Approx(wilson_end(share, count, 0)).epsilon(1e-9));
    CHECK(i.high == doctest::Approx(wilson_end(share, count, 1)).epsilon(1e-9));
  }
  CHECK(wilson_interval(0, 10).high == doctest::Approx(0.2775).epsilon(1e-3));  // Brown, Cai and DasGupta 2001
  CHECK_THROWS_AS(wilson_interval(2, 1), Error);
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abcde\u2026");
  CHECK(shortened("\u00e4\u00f6\u00fc\u00df", 3) == "\u00e4\u00f6\u2026");
}
