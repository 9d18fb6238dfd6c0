// Pictures of a test's own, encoded by libpng and libjpeg.
#pragma once
#include <png.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
// libjpeg's header needs <cstdio> before it.
#include <jpeglib.h>

// Rows of pixels, channels last: 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with alpha (PNG) or CMYK (JPEG).
struct RawPicture {
  int height, width, channels;
  std::vector<uint8_t> pixels;
};

// A ramp: different in every pixel and channel.
inline RawPicture ramp(int height, int width, int channels) {
  RawPicture p{height, width, channels, {}};
  for (int i = 0; i < height * width * channels; ++i) p.pixels.push_back(static_cast<uint8_t>(10 + i * 7));
  return p;
}

inline std::string png(const RawPicture& p) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(p.height);
  image.width = static_cast<png_uint_32>(p.width);
  image.format = (p.channels >= 3 ? PNG_FORMAT_FLAG_COLOR : 0) | (p.channels % 2 == 0 ? PNG_FORMAT_FLAG_ALPHA : 0);
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&image, nullptr, &size, 0, p.pixels.data(), 0, nullptr);
  std::string bytes(size, '\0');
  png_image_write_to_memory(&image, bytes.data(), &size, 0, p.pixels.data(), 0, nullptr);
  bytes.resize(size);
  return bytes;
}

// `exif`: the contents of an APP1 marker.
inline std::string jpeg(const RawPicture& p, int quality = 95, const std::string& exif = "", bool progressive = false) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* out = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &out, &size);
  info.image_width = static_cast<JDIMENSION>(p.width);
  info.image_height = static_cast<JDIMENSION>(p.height);
  info.input_components = p.channels;
  info.in_color_space = p.channels == 1 ? JCS_GRAYSCALE : p.channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  if (progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!exif.empty())
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(exif.data()),
                      static_cast<unsigned>(exif.size()));
  while (info.next_scanline < info.image_height) {
    auto* row =
        const_cast<uint8_t*>(p.pixels.data()) + size_t{info.next_scanline} * static_cast<size_t>(p.width * p.channels);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<char*>(out), size);
  std::free(out);
  return bytes;
}

// The contents of an EXIF marker that says an orientation, in either order of bytes.
inline std::string exif_of(int orientation, bool big) {
  using namespace std::string_literals;
  const auto o = static_cast<char>(orientation);
  return big ? "Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0"s + o + "\0\0\0\0\0\0"s
             : "Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0"s + o + "\0\0\0\0\0\0\0"s;
}
