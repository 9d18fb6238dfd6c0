#include "data/catalogue/archive.h"

#include <doctest/doctest.h>

#include "core/io/file.h"
#include "tests/data_files.h"
#include "tests/scratch.h"
#include "tests/zip.h"

using namespace evenkeel;

namespace {

std::string member(const std::string& name, const std::string& contents, char type = '0') {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(124, 12, fmt::format("{:011o}", contents.size()) + ' ');
  header[156] = type;
  std::string padded = contents;
  padded.resize((contents.size() + 511) / 512 * 512, '\0');
  return header + padded;
}

}  // namespace

TEST_CASE("the wanted files of a tar.gz or a zip are unpacked, and nothing else") {
  const std::string large(3'000'001, 'L');
  Zip zip;
  zip.add("gzip/", "", false);
  zip.add("gzip/one", "first", true);
  zip.add("gzip/other", "unwanted", true);
  zip.add("gzip/two", large, true);
  zip.add("gzip/three", "stored", false);
  const std::string tar =
      deflated(member("folder/", "", '5') + member("folder/two", "a link, not the file", '2') +
               member("folder/one", "first") + member("folder/other", "unwanted") + member("folder/two", large) +
               member("../three", "stored") + std::string(1024, '\0'));
  for (const std::string& bytes : {tar, zip.bytes()}) {
    Scratch folder;
    save(folder / "archive", bytes);
    std::filesystem::create_directory(folder / "out");
    unpack(folder / "archive", {"one", "two", "three"}, folder / "out");
    CHECK(read_file(folder / "out/one") == "first");
    CHECK(read_file(folder / "out/two") == large);
    CHECK(read_file(folder / "out/three") == "stored");
    const std::filesystem::directory_iterator files(folder / "out");
    CHECK(std::distance(begin(files), end(files)) == 3);
    CHECK(refusal([&] {
            unpack(folder / "archive", {"one", "four"}, folder / "out");
          }) == (folder / "archive") + ": four is not in it");
    CHECK(!error_of(Fault::io, [&] { unpack(folder / "archive", {"one"}, folder / "nowhere"); }).empty());
  }
}

TEST_CASE("a tar's name may fill its hundred bytes, with no zero after it") {
  const std::string name(40, 'n');
  for (const size_t length : {99, 100}) {
    CAPTURE(length);
    std::string header = member(std::string(length - name.size() - 1, 'f') + "/" + name, "contents");
    header.replace(100, 8, "0000644 ");  // the mode, which is no part of the name
    Scratch folder;
    save(folder / "archive", deflated(header + std::string(1024, '\0')));
    unpack(folder / "archive", {name}, folder.path);
    CHECK(read_file(folder / name) == "contents");
  }
}

TEST_CASE("damaged archives are refused") {
  Scratch folder;
  const auto why = [&](const std::string& bytes) {
    save(folder / "archive", bytes);
    return refusal([&] { unpack(folder / "archive", {"one", "two"}, folder.path); });
  };
  Zip zip;
  const std::string first(500, '1'), second(50, '2');
  zip.add("one", first, true);
  zip.add("two", second, false);
  const std::string tar = member("one", first) + member("two", second);
  for (const std::string& good : {deflated(tar), zip.bytes()}) {
    CHECK(why(good).empty());
    for (size_t n = 0; n < good.size(); n += 3) {
      // What is cut off after the last wanted file does no harm.
      if (why(good.substr(0, n)).empty())
        CHECK(read_file(folder / "one") + read_file(folder / "two") == first + second);
    }
    CHECK(!why(good.substr(0, good.size() / 2)).empty());
  }
  std::string bad = tar;
  bad[130] = 'x';
  CHECK(why(deflated(bad)).find("a header of the tar is damaged") != std::string::npos);
  // No byte of a zip may lead out of the file.
  for (size_t i = 0; i < zip.bytes().size(); i += 2) {
    bad = zip.bytes();
    bad[i] = '\xff';
    why(bad);
  }
  CHECK(!error_of(Fault::missing, [&] { unpack(folder / "nothing", {"one"}, folder.path); }).empty());
}
