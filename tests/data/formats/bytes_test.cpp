#include "data/formats/bytes.h"

#include <doctest/doctest.h>

#include "tests/data_files.h"

using namespace evenkeel;

namespace {

// Reads all of it, having said how much there is.
std::string read_all(const std::string& bytes, size_t count) {
  ByteReader reader("file", bytes);
  reader.expect(count);
  std::string out(count, '\0');
  reader.read(out.data(), count);
  reader.finish();
  return out;
}

std::string text(size_t n) {
  std::string s;
  for (size_t i = 0; i < n; ++i) s += static_cast<char>(i * i % 251);
  return s;
}

}  // namespace

TEST_CASE("bytes come as they are, or unzipped") {
  for (const size_t n : {size_t{0}, size_t{1}, size_t{1000}, size_t{300000}}) {
    CHECK(read_all(text(n), n) == text(n));
    CHECK(read_all(deflated(text(n)), n) == text(n));
  }
  ByteReader bare("file", std::string_view());
  bare.finish();
  const std::string packed = deflated(text(5000), -15);
  ByteReader reader("file", packed, Packing::deflate);
  std::string out(5000, '\0');
  reader.read(out.data(), 2000);
  reader.read(out.data() + 2000, 3000);
  reader.finish();
  CHECK(out == text(5000));
}

TEST_CASE("every truncation of a file is refused") {
  const std::string plain = text(300), zipped = deflated(plain);
  for (size_t n = 0; n < plain.size(); ++n) CHECK(!refusal([&] { read_all(plain.substr(0, n), 300); }).empty());
  for (size_t n = 0; n < zipped.size(); ++n) CHECK(!refusal([&] { read_all(zipped.substr(0, n), 300); }).empty());
}

TEST_CASE("no damaged bit of a gzip changes what is read") {
  const std::string zipped = deflated(text(300));
  for (size_t bit = 8 * 10; bit < 8 * zipped.size(); ++bit) {
    std::string bad = zipped;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ 1 << bit % 8);
    std::string read;
    // A few bits mean nothing: those that fill the last byte.
    if (refusal([&] { read = read_all(bad, 300); }).empty()) CHECK(read == text(300));
  }
}

TEST_CASE("a wrong checksum, bytes after the end and too much data are named") {
  std::string zipped = deflated(text(300));
  zipped[zipped.size() - 8] ^= 1;
  CHECK(refusal([&] { read_all(zipped, 300); }) ==
        "file: its compressed data is damaged (incorrect data check); copy or download the file again");
  CHECK(refusal([&] { read_all(text(301), 300); }) == "file: its header promises 300 bytes of data, the file has 301");

  const auto after_300 = [](const std::string& bytes) {
    ByteReader reader("file", bytes);
    std::string out(300, '\0');
    reader.read(out.data(), 300);
    return refusal([&] { reader.finish(); });
  };
  CHECK(after_300(text(301)) == "file: 1 bytes follow the end of the data");
  CHECK(after_300(deflated(text(301))) == "file: the data goes on after the 300 bytes its header promises");
  CHECK(after_300(deflated(text(300)) + "more") == "file: 4 bytes follow the compressed data; nothing may follow it");
}

TEST_CASE("a gzip of several members, and zeros after it, are read; junk after it is not") {
  const std::string all = text(300000), two = deflated(all.substr(0, 1000)) + deflated(all.substr(1000)),
                    none = deflated("");
  for (const std::string& zipped : {two, two + none, none + two, two + std::string(1, '\0'),
                                    two + std::string(512, '\0'), deflated(all) + std::string(3, '\0')}) {
    CHECK(read_all(zipped, all.size()) == all);
    CHECK(refusal([&] { read_all(zipped, all.size() - 1); }).find("its header promises 299999 bytes") !=
          std::string::npos);
    CHECK(refusal([&] { read_all(zipped, all.size() + 1); }).find("its header promises 300001 bytes") !=
          std::string::npos);
    for (const std::string junk : {"junk", "\n"}) {
      const std::string said = refusal([&] { read_all(zipped + junk, all.size()); });
      CHECK_MESSAGE(said.find(" bytes follow the compressed data") != std::string::npos, said);
    }
  }
  // Bare deflate data have no members, and nothing after them.
  const std::string bare = deflated("x", -15) + std::string(1, '\0');
  ByteReader reader("file", bare, Packing::deflate);
  char x;
  reader.read(&x, 1);
  CHECK(refusal([&] { reader.finish(); }) == "file: 1 bytes follow the compressed data; nothing may follow it");
}

TEST_CASE("data that cannot be there is refused before anybody allocates for it") {
  CHECK(refusal([] { ByteReader("file", "abc").expect(uint64_t{1} << 60); }).find("the file has 3") !=
        std::string::npos);
  // A gzip whose trailer goes along with the lie, but that is too short to hold as much.
  std::string zipped = deflated(text(300));
  const uint32_t lie = 0x40000000;
  for (int i = 0; i < 4; ++i) zipped[zipped.size() - 4 + static_cast<size_t>(i)] = static_cast<char>(lie >> 8 * i);
  CHECK(refusal([&] { ByteReader("file", zipped).expect(lie); }).find("the gzip data of") != std::string::npos);
}

TEST_CASE("a gzip bomb is read no further than its header promises") {
  const std::string bomb = deflated(std::string(10'000'000, '\0'));
  CHECK(bomb.size() < 12000);
  CHECK(refusal([&] { read_all(bomb, 1000); }).find("says it holds 10000000") != std::string::npos);
  ByteReader reader("bomb", bomb);
  std::string out(1000, 'x');
  reader.read(out.data(), 1000);
  CHECK(refusal([&] { reader.finish(); }) == "bomb: the data goes on after the 1000 bytes its header promises");
}
