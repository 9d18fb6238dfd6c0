#include "data/catalogue/archive.h"

#include <doctest/doctest.h>

#include "core/base/file.h"
#include "tests/data_files.h"
#include "tests/scratch.h"

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

std::string little_endian(uint32_t value, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(uint64_t{value} >> 8 * i);
  return bytes;
}

struct Zip {
  std::string members, directory;
  uint32_t count = 0;
  void add(const std::string& name, const std::string& contents, bool deflate) {
    const std::string packed = deflate ? deflated(contents, -15) : contents;
    const std::string common = little_endian(20, 2) + little_endian(0, 2) + little_endian(deflate ? 8 : 0, 2) +
                               little_endian(0, 8) + little_endian(static_cast<uint32_t>(packed.size()), 4) +
                               little_endian(static_cast<uint32_t>(contents.size()), 4) +
                               little_endian(static_cast<uint32_t>(name.size()), 2);
    directory += "PK\1\2" + little_endian(20, 2) + common + little_endian(3, 2) + little_endian(2, 2) +
                 little_endian(0, 8) + little_endian(static_cast<uint32_t>(members.size()), 4) + name + "xxx" + "cc";
    members += "PK\3\4" + common + little_endian(5, 2) + name + "extra" + packed;
    ++count;
  }
  std::string bytes() const {
    return members + directory + "PK\5\6" + little_endian(0, 4) + little_endian(count, 2) + little_endian(count, 2) +
           little_endian(static_cast<uint32_t>(directory.size()), 4) +
           little_endian(static_cast<uint32_t>(members.size()), 4) + little_endian(0, 2);
  }
};

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
      // What is cut off behind the last wanted file does no harm.
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
