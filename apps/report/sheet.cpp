#include "apps/report/sheet.h"

#include <algorithm>
#include <string_view>

#include "apps/cli/text.h"
#include "core/base/check.h"
#include "core/io/utf8.h"

namespace evenkeel {
namespace {

constexpr int64_t gap = 4, letter_scale = 2, letter_width = 4 * letter_scale, letter_height = 5 * letter_scale;
constexpr size_t letters = 14;

// A font of 3 x 5 points; an octal digit is a row.
int glyph(char c) {
  constexpr std::string_view known = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_. ";
  constexpr int glyphs[] = {075557, 026227, 071747, 071717, 055711, 074717, 074757, 071111, 075757, 075717,
                            025755, 065656, 034443, 065556, 074647, 074644, 034553, 055755, 072227, 011152,
                            055655, 044447, 057755, 065555, 025552, 065644, 025563, 065655, 034216, 072222,
                            055557, 055552, 055775, 055255, 055222, 071247, 000700, 000007, 000002, 0};
  static_assert(known.size() == std::size(glyphs));
  const size_t place = known.find(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
  return place == std::string_view::npos ? 007770 : glyphs[place];
}

// The part of a name to show, one byte per character.
std::string letters_of(const std::string& name) {
  std::string shown;
  for (size_t at = 0; at < name.size() && shown.size() < letters;) {
    const size_t bytes = character_at(name, at).bytes;
    shown += bytes == 1 ? name[at] : '?';
    at += bytes;
  }
  return shown;
}

Picture scaled(const Picture& p) {
  const int64_t side = std::max(p.height, p.width);
  if (side > 128)
    return fit_picture(p, std::max<int64_t>(1, p.height * 128 / side), std::max<int64_t>(1, p.width * 128 / side),
                       p.channels);
  const int64_t factor = std::max<int64_t>(1, (64 + side / 2) / side);
  Picture out{.height = p.height * factor, .width = p.width * factor, .channels = p.channels};
  for (int64_t y = 0; y < out.height; ++y) {
    for (int64_t x = 0; x < out.width; ++x) {
      const uint8_t* from = p.pixels.data() + (y / factor * p.width + x / factor) * p.channels;
      out.pixels.insert(out.pixels.end(), from, from + p.channels);
    }
  }
  return out;
}

// The picture with its corner at (top, left) of the sheet.
void put(Picture& sheet, const Picture& p, int64_t top, int64_t left) {
  for (int64_t y = 0; y < p.height; ++y)
    std::copy_n(p.pixels.data() + y * p.width * p.channels, p.width * p.channels,
                sheet.pixels.data() + ((top + y) * sheet.width + left) * sheet.channels);
}

void write(Picture& sheet, const std::string& text, int64_t top, int64_t left) {
  for (size_t i = 0; i < text.size(); ++i) {
    const int points = glyph(text[i]);
    for (int64_t y = 0; y < letter_height; ++y) {
      for (int64_t x = 0; x < 3 * letter_scale; ++x) {
        if (points >> (14 - 3 * (y / letter_scale) - x / letter_scale) & 1)
          std::fill_n(
              sheet.pixels.data() +
                  ((top + y) * sheet.width + left + static_cast<int64_t>(i) * letter_width + x) * sheet.channels,
              sheet.channels, uint8_t{40});
      }
    }
  }
}

}  // namespace

Picture contact_sheet(const std::vector<SheetRow>& rows) {
  size_t most = 0, longest = 0;
  for (const SheetRow& row : rows) {
    most = std::max(most, row.pictures.size());
    longest = std::max(longest, letters_of(row.name).size());
  }
  const auto first = std::find_if(rows.begin(), rows.end(), [](const SheetRow& r) { return !r.pictures.empty(); });
  check(first != rows.end(), "contact_sheet: there must be a picture");
  const Picture cell = scaled(first->pictures[0]);
  const int64_t margin = 2 * gap + static_cast<int64_t>(longest) * letter_width,
                tall = std::max(cell.height, letter_height) + gap, wide = cell.width + gap;
  Picture sheet{.height = gap + tall * static_cast<int64_t>(rows.size()),
                .width = margin + wide * static_cast<int64_t>(most),
                .channels = cell.channels};
  sheet.pixels.assign(static_cast<size_t>(sheet.height * sheet.width * sheet.channels), 255);
  int64_t top = gap;
  for (const SheetRow& row : rows) {
    write(sheet, letters_of(row.name), top + (tall - gap - letter_height) / 2, gap);
    int64_t left = margin;
    for (const Picture& p : row.pictures) {
      check(p.height == first->pictures[0].height && p.width == first->pictures[0].width && p.channels == cell.channels,
            "contact_sheet: the pictures must be of one size");
      put(sheet, scaled(p), top, left);
      left += wide;
    }
    top += tall;
  }
  return sheet;
}

}  // namespace evenkeel
