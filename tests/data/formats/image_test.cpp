#include "data/formats/image.h"

#include <doctest/doctest.h>

#include "tests/data_files.h"
#include "tests/pictures.h"

using namespace evenkeel;

namespace {

// Chunks of a PNG by hand, for what the library does not write.
std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  return big_endian(static_cast<uint32_t>(data.size())) + body +
         big_endian(static_cast<uint32_t>(
             crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()))));
}
std::string raw_png(uint32_t height, uint32_t width, int depth, int type, const std::string& rows,
                    const std::string& palette = "", const std::string& transparent = "") {
  const std::string header = big_endian(width) + big_endian(height) + static_cast<char>(depth) +
                             static_cast<char>(type) + std::string(3, '\0');
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + (palette.empty() ? "" : chunk("PLTE", palette)) +
         (transparent.empty() ? "" : chunk("tRNS", transparent)) + chunk("IDAT", deflated(rows, 15)) +
         chunk("IEND", "");
}

std::string why_not(const std::string& bytes) {
  return refusal([&] { decode_picture("file", bytes); });
}

bool near(const Picture& picture, const RawPicture& raw, int most) {
  if (picture.height != raw.height || picture.width != raw.width || picture.pixels.size() != raw.pixels.size())
    return false;
  for (size_t i = 0; i < raw.pixels.size(); ++i)
    if (std::abs(picture.pixels[i] - raw.pixels[i]) > most) return false;
  return true;
}

}  // namespace

TEST_CASE("picture: a PNG of 8 bits, grey or colour, is read to the bit; its header tells the same shape") {
  for (const int channels : {1, 3}) {
    const RawPicture raw = ramp(3, 5, channels);
    const Picture picture = decode_picture("file", png(raw));
    CHECK(picture.pixels == raw.pixels);
    CHECK(picture.height == 3);
    CHECK(picture.width == 5);
    CHECK(picture.channels == channels);
    const Picture header = picture_header("file", png(raw).substr(0, 60));
    CHECK(header.height == 3);
    CHECK(header.width == 5);
    CHECK(header.channels == channels);
  }
}

TEST_CASE("picture: a PNG's 16 bits are rounded, its palette looked up, 1 bit spread over 0 to 255") {
  using namespace std::string_literals;
  const std::string deep = "\0\0\0\x12\x34\xff\xff"s;  // filter none; 0, 0x1234, 0xffff
  CHECK(decode_picture("file", raw_png(1, 3, 16, 0, deep)).pixels == std::vector<uint8_t>{0, 18, 255});
  const Picture looked_up = decode_picture("file", raw_png(1, 2, 8, 3, "\0\1\0"s, "abcdef"));
  CHECK(looked_up.pixels == std::vector<uint8_t>{'d', 'e', 'f', 'a', 'b', 'c'});
  CHECK(decode_picture("file", raw_png(1, 3, 1, 0, "\0\xa0"s)).pixels == std::vector<uint8_t>{255, 0, 255});
}

TEST_CASE("picture: what is transparent is over white") {
  using namespace std::string_literals;
  CHECK(decode_picture("file", png({1, 3, 2, {0, 0, 0, 255, 100, 128}})).pixels == std::vector<uint8_t>{255, 0, 177});
  CHECK(decode_picture("file", png({1, 1, 2, {100, 127}})).pixels == std::vector<uint8_t>{178});  // of 177.8
  CHECK(decode_picture("file", png({1, 1, 4, {10, 20, 30, 0}})).pixels == std::vector<uint8_t>{255, 255, 255});
  const Picture palette = decode_picture("file", raw_png(1, 2, 8, 3, "\0\0\1"s, "abcdef", "\0"s));
  CHECK(palette.pixels == std::vector<uint8_t>{255, 255, 255, 'd', 'e', 'f'});
}

TEST_CASE("picture: JPEG, grey, colour, progressive and CMYK") {
  RawPicture grey{8, 8, 1, std::vector<uint8_t>(64, 90)}, colour{8, 8, 3, {}}, ink{8, 8, 4, {}};
  for (int i = 0; i < 64; ++i) {
    colour.pixels.insert(colour.pixels.end(), {200, 120, 40});
    ink.pixels.insert(ink.pixels.end(), {200, 120, 40, 128});  // as Adobe writes it, and so libjpeg: 255 is no ink
  }
  CHECK(near(decode_picture("file", jpeg(grey)), grey, 2));
  CHECK(near(decode_picture("file", jpeg(colour)), colour, 3));
  CHECK(near(decode_picture("file", jpeg(colour, 95, "", true)), colour, 3));
  const Picture printed = decode_picture("file", jpeg(ink));
  CHECK(printed.channels == 3);
  const int expected[] = {200 * 128 / 255, 120 * 128 / 255, 40 * 128 / 255};
  for (int c = 0; c < 3; ++c) CHECK(std::abs(printed.pixels[c] - expected[c]) <= 4);
}

TEST_CASE("picture: a PNG stands as its EXIF orientation says, before and after its pixels") {
  const RawPicture raw = ramp(2, 3, 3);
  const std::string plain = png(raw);
  const auto with = [&](const std::string& type, const std::string& exif, const char* before) {
    std::string bytes = plain;
    return bytes.insert(bytes.find(before) - 4, chunk(type, exif));
  };
  for (const bool big : {true, false}) {
    for (int orientation = 0; orientation <= 9; ++orientation) {
      // As the same picture in a JPEG with the same marker is turned.
      const Picture shape = picture_header("file", jpeg(raw, 95, exif_of(orientation, big)));
      for (const char* before : {"IDAT", "IEND"}) {
        const std::string bytes = with("eXIf", exif_of(orientation, big).substr(6), before);
        const Picture p = decode_picture("file", bytes), header = picture_header("file", bytes);
        CHECK(p.height == shape.height);
        CHECK(p.width == shape.width);
        CHECK(header.height == p.height);
        CHECK(header.width == p.width);
        // Where the first stored pixel stands, by EXIF 2.3.
        const int64_t row =
            orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8 ? p.height - 1 : 0;
        const int64_t column =
            orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7 ? p.width - 1 : 0;
        CHECK(p.pixels.at(static_cast<size_t>((row * p.width + column) * 3)) == raw.pixels[0]);
      }
    }
  }
  const std::string six = exif_of(6, true).substr(6);
  for (size_t n = 0; n < six.size(); ++n)
    CHECK(decode_picture("file", with("eXIf", six.substr(0, n), "IDAT")).height >= 2);
  CHECK(decode_picture("file", with("exIf", six, "IDAT")).pixels == raw.pixels);
}

TEST_CASE("picture: a JPEG stands as its EXIF orientation says") {
  // Four blocks of one grey each: A B over C D, 16 high and 32 wide.
  RawPicture raw{16, 32, 1, {}};
  for (int i = 0; i < 16 * 32; ++i) raw.pixels.push_back(static_cast<uint8_t>(50 * (1 + i / 32 / 8 * 2 + i % 32 / 16)));
  const std::string shown[] = {"ABCD", "ABCD", "BADC", "DCBA", "CDAB",
                               "ACBD", "CADB", "DBCA", "BDAC"};  // EXIF 2.3, by orientation
  for (const bool big : {true, false}) {
    for (int orientation = 0; orientation <= 8; ++orientation) {
      const std::string bytes = jpeg(raw, 95, exif_of(orientation, big));
      const Picture p = decode_picture("file", bytes), header = picture_header("file", bytes);
      CHECK(p.height == (orientation >= 5 ? 32 : 16));
      CHECK(header.height == p.height);
      CHECK(header.width == p.width);
      std::string corners;
      for (const int64_t y : {p.height / 4, 3 * p.height / 4})
        for (const int64_t x : {p.width / 4, 3 * p.width / 4})
          corners += static_cast<char>('A' + (p.pixels[y * p.width + x] + 25) / 50 - 1);
      CHECK(corners == shown[orientation]);
    }
  }
  for (size_t n = 0; n < exif_of(6, true).size(); ++n)
    CHECK(decode_picture("file", jpeg(raw, 95, exif_of(6, true).substr(0, n) + "x")).height >= 16);
}

TEST_CASE("picture: a size too large is refused before memory is asked for") {
  CHECK(why_not(raw_png(60000, 60000, 8, 2, "x")) == "file: claims 60000 x 60000 pixels; at most 100 million are read");
  std::string bomb = jpeg(ramp(8, 8, 3));
  const size_t frame = bomb.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  bomb.replace(frame + 5, 4, "\xea\x60\xea\x60");
  CHECK(why_not(bomb) == "file: claims 60000 x 60000 pixels; at most 100 million are read");
}

TEST_CASE("picture: every truncation is refused, and other formats by their names") {
  for (const std::string& good :
       {png(ramp(6, 5, 3)), jpeg(ramp(16, 16, 1)), jpeg(ramp(9, 9, 3), 95, exif_of(3, true), true)}) {
    const size_t needed = good.starts_with("\x89") ? good.size() : good.size() - 2;  // without EOI all pixels are there
    for (size_t n = 0; n < needed; ++n) CHECK_MESSAGE(!why_not(good.substr(0, n)).empty(), n);
  }
  CHECK(why_not("") == "file: is empty; a PNG or JPEG picture is needed");
  CHECK(why_not("GIF89a....") == "file: is a GIF file; PNG and JPEG are read");
  CHECK(why_not("RIFF\1\2\3\4WEBPVP8 ") == "file: is a WebP file; PNG and JPEG are read");
  CHECK(why_not(std::string("II*\0....", 8)) == "file: is a TIFF file; PNG and JPEG are read");
  CHECK(why_not("hello, this is text") == "file: is no picture, by its first bytes; PNG and JPEG are read");
  std::string wrong = png(ramp(6, 5, 3));
  wrong[45] ^= 1;  // inside the pixels: a checksum fails
  CHECK(why_not(wrong) == "file: a damaged PNG: a checksum is wrong; copy it again from where it came");
}

TEST_CASE("picture: what a library says stands in parentheses after our words") {
  const std::string good = jpeg(ramp(16, 16, 1));
  const std::string cut = "cut short; copy it again from where it came";
  CHECK(why_not(good.substr(0, good.size() - 20)) == "file: a damaged JPEG: it is " + cut);
  CHECK(why_not(png(ramp(6, 5, 3)).substr(0, 20)) == "file: a damaged PNG: it is " + cut);
  const std::string unreadable =
      ": it cannot be decoded; copy it again from where it came, or save it anew by a program "
      "for pictures (";
  std::string no_table = good;
  no_table[good.find("\xff\xdb") + 3] = 2;  // the length of the quantisation table
  CHECK_MESSAGE(why_not(no_table).starts_with("file: a damaged JPEG" + unreadable + "libjpeg: "), why_not(no_table));
  const std::string no_pixels = raw_png(4, 4, 8, 2, "x");  // all checksums are right
  CHECK_MESSAGE(why_not(no_pixels).starts_with("file: a damaged PNG" + unreadable + "libpng: "), why_not(no_pixels));
  std::string lossless = good;
  lossless[good.find("\xff\xc0") + 1] = '\xc3';
  CHECK_MESSAGE(
      why_not(lossless).starts_with("file: is a JPEG of a rare kind, which is not read; save it anew as PNG, or "
                                    "as a JPEG of 8 bits (libjpeg: "),
      why_not(lossless));
}

TEST_CASE("picture: another size is the mean of areas, cut from the centre") {
  Picture p{.height = 2, .width = 4, .channels = 1, .pixels = {10, 20, 30, 40, 50, 60, 70, 80}};
  CHECK(fit_picture(p, 2, 4, 1).pixels == p.pixels);
  CHECK(fit_picture(p, 1, 2, 1).pixels == std::vector<uint8_t>{35, 55});
  CHECK(fit_picture(p, 1, 1, 1).pixels == std::vector<uint8_t>{45});  // the middle two columns
  CHECK(fit_picture(p, 2, 2, 1).pixels == std::vector<uint8_t>{20, 30, 60, 70});
  CHECK(fit_picture(p, 4, 4, 1).pixels ==
        std::vector<uint8_t>{20, 20, 30, 30, 20, 20, 30, 30, 60, 60, 70, 70, 60, 60, 70, 70});
  Picture tall{.height = 3, .width = 1, .channels = 1, .pixels = {0, 90, 255}};
  CHECK(fit_picture(tall, 2, 1, 1).pixels == std::vector<uint8_t>{45, 173});  // rows 0.5 to 1.5, and 1.5 to 2.5
  CHECK(fit_picture({.height = 1, .width = 1, .channels = 3, .pixels = {255, 0, 0}}, 1, 1, 1).pixels ==
        std::vector<uint8_t>{76});
  CHECK(fit_picture({.height = 1, .width = 1, .channels = 3, .pixels = {0, 1, 0}}, 1, 1, 1).pixels ==
        std::vector<uint8_t>{1});  // of 0.587
  CHECK(fit_picture({.height = 1, .width = 1, .channels = 1, .pixels = {7}}, 1, 2, 3).pixels ==
        std::vector<uint8_t>(6, 7));
}
