// Pictures: PNG by libpng, JPEG by libjpeg-turbo, both told by their first bytes and not by their names.
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

// As decode_picture would give it, without pixels. The first part of a file is enough where all before the pixels
// stands in it; of a PNG whose orientation stands after its pixels that one is not seen then.
Picture picture_header(const std::string& name, std::string_view bytes);

// The picture as a viewer shows it: turned as its EXIF orientation says, transparent parts over white, 16 bits
// rounded to 8, CMYK as red, green and blue. Colour profiles are not applied. Throws Error(Fault::bad_file), beginning
// with the name, for every other format (by its name), for a picture that is cut short or damaged, and, before memory
// is asked for, for one of more than 100 million pixels.
Picture decode_picture(const std::string& name, std::string_view bytes);

// Which code makes the pixels of decode_picture and fit_picture: the version of their own, to be raised with every
// change that can change a pixel, and those of the libraries.
std::string picture_decoder();

// As a PNG file.
std::string encode_png(const Picture& picture);

// The picture in another size and with 1 or 3 channels: the largest part of the wanted proportions is taken from the
// centre, and each new pixel is the mean of the area that it covers, exactly rounded. Grey is 0.299 red + 0.587 green +
// 0.114 blue.
Picture fit_picture(Picture picture, int64_t height, int64_t width, int64_t channels);

}  // namespace evenkeel
