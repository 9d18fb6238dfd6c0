#include "data/formats/image.h"

#include <png.h>
#include <zlib.h>

#include <csetjmp>
#include <cstdio>
// libjpeg's headers need <cstdio> before them.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>

#include "core/base/check.h"

namespace evenkeel {
namespace {

constexpr int64_t most_pixels = 100'000'000;

void check_size(const std::string& name, int64_t height, int64_t width) {
  if (height < 1 || width < 1 || height > most_pixels / width)
    fail(Fault::bad_file, "{}: claims {} x {} pixels; at most 100 million are read", name, width, height);
}

[[noreturn]] void fail_damaged(const std::string& name, const char* format, const char* how) {
  fail(Fault::bad_file, "{}: a damaged {}: {}; copy it again from where it came", name, format, how);
}

// `said`: the library's own words.
[[noreturn]] void fail_undecodable(const std::string& name, const char* format, const char* library, const char* said) {
  fail(Fault::bad_file,
       "{}: a damaged {}: it cannot be decoded; copy it again from where it came, or save it anew by a program for "
       "pictures ({}: {})",
       name, format, library, said);
}

// The format of the bytes, by their first bytes; empty if unknown.
std::string format_of(std::string_view bytes) {
  using namespace std::string_view_literals;
  static constexpr std::pair<std::string_view, const char*> beginnings[] = {{"\x89PNG\r\n\x1a\n"sv, "PNG"},
                                                                            {"\xff\xd8\xff"sv, "JPEG"},
                                                                            {"GIF8"sv, "GIF"},
                                                                            {"II*\0"sv, "TIFF"},
                                                                            {"MM\0*"sv, "TIFF"},
                                                                            {"BM"sv, "BMP"},
                                                                            {"\0\0\1\0"sv, "icon (.ico)"},
                                                                            {"%PDF"sv, "PDF"},
                                                                            {"8BPS"sv, "Photoshop"},
                                                                            {"\xff\x0a"sv, "JPEG XL"}};
  for (const auto& [beginning, format] : beginnings) {
    if (bytes.starts_with(beginning)) return format;
  }
  const auto at = [&](size_t place, std::string_view word) {
    return bytes.size() > place && bytes.substr(place).starts_with(word);
  };
  if (bytes.starts_with("RIFF") && at(8, "WEBP")) return "WebP";
  if (at(4, "ftypavif")) return "AVIF";
  if (at(4, "ftyp")) return "HEIC or video";
  return "";
}

// --- EXIF ---

// The orientation in EXIF data that starts with the TIFF header: 1 (upright) to 8; 1 if the data is invalid.
int exif_orientation(std::string_view data) {
  const bool big = data.starts_with('M');
  const auto number = [&](size_t at, size_t bytes) -> uint64_t {
    uint64_t value = 0;
    if (at > data.size() || data.size() - at < bytes) return 0;
    for (size_t i = 0; i < bytes; ++i)
      value |= uint64_t{static_cast<uint8_t>(data[at + i])} << 8 * (big ? bytes - 1 - i : i);
    return value;
  };
  const uint64_t directory = number(4, 4), entries = number(directory, 2);
  for (uint64_t i = 0; i < entries; ++i) {
    const uint64_t entry = directory + 2 + 12 * i, tag = number(entry, 2), type = number(entry + 2, 2);
    const uint64_t value = number(entry + 8, 2);
    if (tag == 0x112) return type == 3 && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

// Rotates and mirrors a picture by its orientation (EXIF 2.3, tag 0x0112).
Picture turned(Picture picture, int orientation) {
  if (orientation <= 1) return picture;
  const int64_t h = picture.height, w = picture.width, channels = picture.channels;
  const bool swapped = orientation >= 5;
  Picture out{.height = swapped ? w : h, .width = swapped ? h : w, .channels = channels};
  if (picture.pixels.empty()) return out;
  // Whether row 0 and column 0 of the stored picture are at the far side of the rows and columns shown.
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  out.pixels.resize(picture.pixels.size());
  for (int64_t y = 0; y < h; ++y) {
    for (int64_t x = 0; x < w; ++x) {
      const int64_t row = swapped ? x : y, column = swapped ? y : x;
      const int64_t to_row = flip_y ? out.height - 1 - row : row, to_column = flip_x ? out.width - 1 - column : column;
      std::copy_n(picture.pixels.data() + (y * w + x) * channels, channels,
                  out.pixels.data() + (to_row * out.width + to_column) * channels);
    }
  }
  return out;
}

// --- PNG, by libpng's simplified interface ---

struct Png {
  explicit Png(const std::string& file) : name(file) {}
  Png(const std::string& file, std::string_view contents)
      : Png(file) {  // delegates, so that the destructor runs if this constructor throws
    bytes = contents;
    image.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_memory(&image, bytes.data(), bytes.size())) refuse();
    check_size(name, image.height, image.width);
    image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;  // 16 bits are on the same scale as 8
    image.format &= PNG_FORMAT_FLAG_COLOR | PNG_FORMAT_FLAG_ALPHA;
  }
  ~Png() { png_image_free(&image); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;
  [[noreturn]] void refuse() const {
    check_chunks();
    fail_undecodable(name, "PNG", "libpng", image.message);
  }

  Picture stored() const {
    return {.height = image.height, .width = image.width, .channels = image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1};
  }
  Picture header() const { return turned(stored(), orientation()); }

  uint32_t number(size_t at) const {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
    return value;
  }
  bool has_chunk(size_t at) const { return bytes.size() - at >= 12 && bytes.size() - at - 12 >= number(at); }

  // The orientation in the chunk eXIf, which libpng's simplified interface ignores (PNG 3, section 11.3.3.5), if it is
  // among the given bytes.
  int orientation() const {
    for (size_t at = 8; has_chunk(at); at += 12 + size_t{number(at)}) {
      const std::string_view type = bytes.substr(at + 4, 4);
      if (type == "eXIf") return exif_orientation(bytes.substr(at + 8, number(at)));
      if (type == "IEND") break;
    }
    return 1;
  }

  // libpng stops after the last pixel, before it has checked the data's checksum.
  void check_chunks() const {
    for (size_t at = 8;;) {
      if (!has_chunk(at)) fail_damaged(name, "PNG", "it is cut short");
      const size_t length = number(at);
      const std::string_view type = bytes.substr(at + 4, 4);
      if (crc32(0, reinterpret_cast<const Bytef*>(type.data()), static_cast<uInt>(length + 4)) !=
          number(at + 8 + length))
        fail_damaged(name, "PNG", "a checksum is wrong");
      if (type == "IEND") return;
      at += 12 + length;
    }
  }

  Picture decode() {
    check_chunks();
    Picture picture = stored();
    const int64_t channels = picture.channels, values = channels + (image.format & PNG_FORMAT_FLAG_ALPHA ? 1 : 0);
    std::vector<uint8_t>& out = picture.pixels;
    out.resize(static_cast<size_t>(picture.height * picture.width * values));
    if (!png_image_finish_read(&image, nullptr, out.data(), 0, nullptr) || image.warning_or_error & PNG_IMAGE_ERROR)
      refuse();
    if (values == channels) return turned(std::move(picture), orientation());
    const int64_t rows = picture.height * picture.width;
    for (int64_t i = 0; i < rows; ++i) {
      const int alpha = out[i * values + channels];
      for (int64_t c = 0; c < channels; ++c)
        out[i * channels + c] = static_cast<uint8_t>((out[i * values + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    out.resize(static_cast<size_t>(rows * channels));
    return turned(std::move(picture), orientation());
  }

  const std::string& name;
  std::string_view bytes;
  png_image image{};
};

// --- JPEG ---

// libjpeg reports an error by longjmp: the functions in between must have no objects with destructors.
struct Jpeg {
  explicit Jpeg(const std::string& file) : name(file) {}
  Jpeg(const std::string& file, std::string_view bytes) : Jpeg(file) {
    info.err = jpeg_std_error(&errors);
    info.client_data = this;
    errors.error_exit = [](j_common_ptr common) {
      Jpeg& self = *static_cast<Jpeg*>(common->client_data);
      self.code = errors_of(common).msg_code;
      errors_of(common).format_message(common, self.message);
      std::longjmp(self.before, 1);
    };
    // A warning. Only missing data makes a file bad: cameras write extra bytes between markers.
    errors.emit_message = [](j_common_ptr common, int level) {
      const int code = errors_of(common).msg_code;
      if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) errors_of(common).error_exit(common);
    };
    errors.output_message = [](j_common_ptr) {};
    // A small file can have a huge number of scans, each over the whole picture.
    progress.progress_monitor = [](j_common_ptr common) {
      Jpeg& self = *static_cast<Jpeg*>(common->client_data);
      if (self.info.input_scan_number <= 500) return;
      self.code = too_many_scans;
      std::longjmp(self.before, 1);
    };
    if (!create(bytes)) refuse();
  }
  ~Jpeg() { jpeg_destroy_decompress(&info); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;
  [[noreturn]] void refuse() const {
    if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER) fail_damaged(name, "JPEG", "it is cut short");
    if (code == too_many_scans) fail_damaged(name, "JPEG", "it has more than 500 scans");
    if (code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION || code == JERR_CONVERSION_NOTIMPL)
      fail(Fault::bad_file,
           "{}: is a JPEG of a rare kind, which is not read; save it anew as PNG, or as a JPEG of 8 bits (libjpeg: {})",
           name, message);
    fail_undecodable(name, "JPEG", "libjpeg", message);
  }

  Picture header() {
    if (!read_header()) refuse();
    check_size(name, info.image_height, info.image_width);
    for (const jpeg_marker_struct* m = info.marker_list; m && orientation == 0; m = m->next) {
      const std::string_view data(reinterpret_cast<const char*>(m->data), m->data_length), exif("Exif\0\0", 6);
      if (m->marker == JPEG_APP0 + 1 && data.starts_with(exif))
        orientation = exif_orientation(data.substr(exif.size()));
    }
    return {.height = info.image_height, .width = info.image_width, .channels = info.num_components == 1 ? 1 : 3};
  }

  Picture decode() {
    Picture picture = header();
    const bool cmyk = info.num_components == 4;
    const size_t row = static_cast<size_t>(picture.width) * static_cast<size_t>(cmyk ? 4 : picture.channels);
    picture.pixels.resize(row * static_cast<size_t>(picture.height));
    info.out_color_space = cmyk ? JCS_CMYK : picture.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    if (!read_rows(picture.pixels.data(), row)) refuse();
    if (cmyk) {
      uint8_t* p = picture.pixels.data();
      const int64_t count = picture.height * picture.width;
      for (int64_t i = 0; i < count; ++i) {
        uint8_t ink[4];
        std::copy_n(p + 4 * i, 4, ink);
        if (!info.saw_Adobe_marker)
          std::transform(ink, ink + 4, ink, [](uint8_t v) { return static_cast<uint8_t>(255 - v); });
        for (int c = 0; c < 3; ++c)
          p[3 * i + c] = static_cast<uint8_t>((ink[c] * ink[3] + 127) / 255);  // Adobe's are inverted: 255 is no ink
      }
      picture.pixels.resize(static_cast<size_t>(3 * count));
    }
    return picture;
  }

  int orientation = 0;  // set by header(); 0: none

 private:
  static jpeg_error_mgr& errors_of(j_common_ptr common) { return *common->err; }
  bool create(std::string_view bytes) {
    if (setjmp(before)) return false;
    jpeg_create_decompress(&info);  // keeps err and client_data, clears the rest
    info.progress = &progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
    return true;
  }
  bool read_header() {
    if (setjmp(before)) return false;
    jpeg_read_header(&info, TRUE);
    return true;
  }
  bool read_rows(uint8_t* out, size_t row) {
    if (setjmp(before)) return false;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW to = out + row * info.output_scanline;
      jpeg_read_scanlines(&info, &to, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }

  const std::string& name;
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  static constexpr int too_many_scans = -1;
  int code = 0;  // of the error: libjpeg's, or too_many_scans
  std::jmp_buf before;
  char message[JMSG_LENGTH_MAX] = "";
};

}  // namespace

Picture picture_header(const std::string& name, std::string_view bytes) {
  const std::string format = format_of(bytes);
  if (format == "PNG") return Png(name, bytes).header();
  if (format == "JPEG") {
    Jpeg jpeg(name, bytes);
    const Picture stored = jpeg.header();
    return turned(stored, jpeg.orientation);
  }
  if (bytes.empty()) fail(Fault::bad_file, "{}: is empty; a PNG or JPEG picture is needed", name);
  if (format.empty()) fail(Fault::bad_file, "{}: is no picture, by its first bytes; PNG and JPEG are read", name);
  fail(Fault::bad_file, "{}: is a {} file; PNG and JPEG are read", name, format);
}

Picture decode_picture(const std::string& name, std::string_view bytes) {
  const std::string format = format_of(bytes);
  if (format == "PNG") return Png(name, bytes).decode();
  if (format != "JPEG") return picture_header(name, bytes);  // refuses
  Jpeg jpeg(name, bytes);
  Picture picture = jpeg.decode();
  return turned(std::move(picture), jpeg.orientation);
}

std::string picture_decoder() {
  constexpr int version = 1;
  return fmt::format("{}, libpng {}, libjpeg-turbo {}", version, png_access_version_number(),
                     LIBJPEG_TURBO_VERSION_NUMBER);
}

std::string encode_png(const Picture& picture) {
  check((picture.channels == 1 || picture.channels == 3) && picture.height >= 1 && picture.width >= 1 &&
            picture.height <= most_pixels / picture.width &&
            static_cast<int64_t>(picture.pixels.size()) == picture.height * picture.width * picture.channels,
        "encode_png: needs 1 or 3 channels and their pixels, at most 100 million, got {} x {} x {} and {}",
        picture.height, picture.width, picture.channels, picture.pixels.size());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(picture.height);
  image.width = static_cast<png_uint_32>(picture.width);
  image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr))
    fail(Fault::failed, "encode_png: {}", image.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace evenkeel
