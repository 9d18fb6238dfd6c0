// Pictures: PNG by libpng, JPEG by libjpeg-turbo, recognised by their first bytes, not by their names.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace evenkeel {

// 8 bits a value, channels last: 1 channel (grey) or 3 (red, green, blue).
struct Picture {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels = {};
};

// The result of decode_picture without pixels. `bytes` may be the first part of a file, if it has everything before the
// pixels; the orientation of a PNG that has it after the pixels is then not seen.
Picture picture_header(const std::string& name, std::string_view bytes);

// The picture as a viewer shows it: rotated by its EXIF orientation, transparency over white, 16 bits rounded to 8,
// CMYK converted to RGB. Colour profiles are not applied. Throws Error(Fault::bad_file), starting with the name, for
// another format (which it names), for a truncated or damaged picture, and, before it allocates, for more than 100
// million pixels.
Picture decode_picture(const std::string& name, std::string_view bytes);

// The versions that determine the pixels of decode_picture and fit_picture: our own, which must increase with every
// change that can change a pixel, and those of the libraries.
std::string picture_decoder();

// The contents of a PNG file.
std::string encode_png(const Picture& picture);

// Resizes a picture, and converts it to 1 or 3 channels: takes the largest centre crop of the new proportions; each new
// pixel is the mean of the area that it covers, correctly rounded. Grey is 0.299 red + 0.587 green + 0.114 blue.
Picture fit_picture(Picture picture, int64_t height, int64_t width, int64_t channels);

}  // namespace evenkeel
