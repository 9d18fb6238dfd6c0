#include "core/io/utf8.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

using namespace evenkeel;

TEST_CASE("UTF-8: every length decodes at its smallest and largest character") {
  const std::pair<std::string, uint32_t> characters[] = {{"\x01", 0x1},
                                                         {"\x7f", 0x7f},
                                                         {"\xc2\x80", 0x80},
                                                         {"\xdf\xbf", 0x7ff},
                                                         {"\xe0\xa0\x80", 0x800},
                                                         {"\xed\x9f\xbf", 0xd7ff},
                                                         {"\xee\x80\x80", 0xe000},
                                                         {"\xef\xbf\xbf", 0xffff},
                                                         {"\xf0\x90\x80\x80", 0x10000},
                                                         {"\xf4\x8f\xbf\xbf", 0x10ffff}};
  for (const auto& [bytes, code] : characters) {
    const Character c = character_at("ab" + bytes + "cd", 2);
    CHECK(c.valid);
    CHECK(c.code == code);
    CHECK(c.bytes == bytes.size());
  }
}

TEST_CASE("UTF-8: what RFC 3629 forbids is one byte that is not valid") {
  for (const std::string bytes :
       {"\x80", "\xbf",                                              // a continuation alone
        "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",  // longer than the shortest form
        "\xed\xa0\x80", "\xed\xbf\xbf",                              // surrogates
        "\xf4\x90\x80\x80", "\xf7\xbf\xbf\xbf",                      // above U+10FFFF
        "\xf8\x88\x80\x80\x80", "\xff",                              // no first byte
        "\xc2", "\xe0\xa0", "\xf0\x90\x80", "\xc2z"}) {              // cut short
    const Character c = character_at(bytes, 0);
    CHECK_MESSAGE(!c.valid, on_one_line(bytes));
    CHECK(c.bytes == 1);
  }
}

TEST_CASE("on_one_line: characters stay, all else becomes \\xNN") {
  CHECK(on_one_line("na\xc3\xafve \xf0\x9f\x90\xb8.png") == "na\xc3\xafve \xf0\x9f\x90\xb8.png");
  CHECK(on_one_line("a\nb\x1b[31m\x7f") == "a\\x0ab\\x1b[31m\\x7f");
  CHECK(on_one_line("\xc0\xaf\xed\xa0\x80") == "\\xc0\\xaf\\xed\\xa0\\x80");
  CHECK(on_one_line("") == "");
}
