#include "data/formats/bytes.h"

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/base/check.h"

namespace evenkeel {

struct ByteReader::Unzip {
  Unzip(std::string_view bytes, Packing packing) {
    if (inflateInit2(&stream, packing == Packing::gzip ? 16 + MAX_WBITS : -MAX_WBITS) != Z_OK) throw std::bad_alloc();
    stream.next_in = reinterpret_cast<const Bytef*>(bytes.data());
    input = bytes.size();
    gzip = packing == Packing::gzip;
  }
  ~Unzip() { inflateEnd(&stream); }
  Unzip(const Unzip&) = delete;
  Unzip& operator=(const Unzip&) = delete;

  // Writes `count` bytes, or fewer where the data ends. A gzip file may have several members, and zeros behind them (RFC 1952).
  size_t read(const std::string& name, uint8_t* out, size_t count) {
    size_t written = 0;
    while (!ended && written < count) {
      // zlib counts in 32 bits
      const uInt in = static_cast<uInt>(std::min<size_t>(input, 1u << 30));
      const uInt space = static_cast<uInt>(std::min<size_t>(count - written, 1u << 30));
      stream.avail_in = in;
      stream.next_out = out + written;
      stream.avail_out = space;
      const int status = inflate(&stream, Z_NO_FLUSH);
      input -= in - stream.avail_in;
      written += space - stream.avail_out;
      ended = status == Z_STREAM_END;
      if (ended && gzip && packing_of(left()) == Packing::gzip) ended = inflateReset(&stream) != Z_OK;
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status == Z_BUF_ERROR) fail(Fault::bad_file, "{}: the packed data ends too early", name);
      if (status != Z_OK && status != Z_STREAM_END) fail(Fault::bad_file, "{}: damaged packed data: {}", name, stream.msg ? stream.msg : "unknown form");
    }
    return written;
  }

  std::string_view left() const { return {reinterpret_cast<const char*>(stream.next_in), input}; }

  // Nothing may follow the data but, behind a gzip, zeros.
  void finish(const std::string& name) const {
    if (input == 0 || (gzip && left().find_first_not_of('\0') == std::string_view::npos)) return;
    fail(Fault::bad_file, "{}: {} bytes of trailing junk follow the packed data", name, input);
  }

  z_stream stream{};
  size_t input;
  bool gzip, ended = false;
};

Packing packing_of(std::string_view bytes) { return bytes.starts_with("\x1f\x8b") ? Packing::gzip : Packing::none; }

ByteReader::ByteReader(const std::string& name, std::string_view bytes, Packing packing) : name_(name), rest_(bytes) {
  if (packing == Packing::gzip && bytes.size() < 18) fail(Fault::bad_file, "{}: the gzip data ends too early", name_);
  if (packing != Packing::none) unzip_ = std::make_unique<Unzip>(bytes, packing);
}
ByteReader::~ByteReader() = default;

void ByteReader::read(void* out, size_t count) {
  size_t got = std::min(count, rest_.size());
  if (unzip_) {
    got = unzip_->read(name_, static_cast<uint8_t*>(out), count);
  } else if (got) {
    std::memcpy(out, rest_.data(), got);
    rest_.remove_prefix(got);
  }
  taken_ += got;
  if (got < count) fail(Fault::bad_file, "{}: ends after {} bytes, {} more should follow", name_, taken_, count - got);
}

uint32_t ByteReader::read_big_endian() {
  uint8_t b[4];
  read(b, 4);
  return uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | b[3];
}

void ByteReader::expect(uint64_t count) {
  if (!unzip_) {
    if (count != rest_.size())
      fail(Fault::bad_file, "{}: its header promises {} bytes of data, the file has {}", name_, count, rest_.size());
    return;
  }
  uint32_t length = 0;  // a gzip ends with its unzipped length modulo 2^32, least byte first
  for (size_t i = 0; i < 4; ++i) length |= uint32_t{static_cast<uint8_t>(rest_[rest_.size() - 4 + i])} << 8 * i;
  const uint64_t total = taken_ + count;
  if (total / 1032 <= rest_.size()) {
    if (static_cast<uint32_t>(total) == length) return;
    // Of several members, or with zeros behind it? Then only unzipping tells how much it holds.
    Unzip whole(rest_, Packing::gzip);
    std::string part(1 << 16, '\0');
    uint64_t holds = 0;
    for (size_t n = 1; n > 0 && holds <= total; holds += n) n = whole.read(name_, reinterpret_cast<uint8_t*>(part.data()), part.size());
    if (holds <= total) whole.finish(name_);
    if (holds == total) return;
  }
  fail(Fault::bad_file, "{}: its header promises {} bytes, the gzip data of {} bytes says it holds {}", name_, total, rest_.size(), length);
}

void ByteReader::finish() {
  if (unzip_) {
    uint8_t more;
    const size_t got = unzip_->read(name_, &more, 1);
    if (got) fail(Fault::bad_file, "{}: the data goes on after the {} bytes its header promises", name_, taken_);
    unzip_->finish(name_);
  } else if (!rest_.empty()) {
    fail(Fault::bad_file, "{}: {} bytes follow the end of the data", name_, rest_.size());
  }
}

}  // namespace evenkeel
