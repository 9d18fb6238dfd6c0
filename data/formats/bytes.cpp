#include "data/formats/bytes.h"

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/io/foreign.h"

namespace evenkeel {

namespace {

bool begins_as_gzip(const Stored& stored, uint64_t at) {
  uint8_t magic[2];
  return stored.read(at, magic, 2) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
}

}  // namespace

struct ByteReader::Unzip {
  Unzip(const Stored& bytes, Packing packing) : stored(bytes), gzip(packing == Packing::gzip) {
    if (inflateInit2(&stream, gzip ? 16 + MAX_WBITS : -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~Unzip() { inflateEnd(&stream); }
  Unzip(const Unzip&) = delete;
  Unzip& operator=(const Unzip&) = delete;

  // Writes `count` bytes, or fewer at the end of the data. A gzip file may have several members, and zeros after them
  // (RFC 1952).
  size_t read(const std::string& name, uint8_t* out, size_t count) {
    size_t written = 0;
    while (!ended && written < count) {
      if (stream.avail_in == 0) {
        stream.next_in = input;
        stream.avail_in = static_cast<uInt>(stored.read(at, input, sizeof input));
        at += stream.avail_in;
      }
      const uInt space = static_cast<uInt>(std::min<size_t>(count - written, 1u << 30));  // zlib counts in 32 bits
      stream.next_out = out + written;
      stream.avail_out = space;
      const int status = inflate(&stream, Z_NO_FLUSH);
      written += space - stream.avail_out;
      ended = status == Z_STREAM_END;
      if (ended && gzip && begins_as_gzip(stored, stored.size() - left())) ended = inflateReset(&stream) != Z_OK;
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      if (status == Z_BUF_ERROR)
        fail(Fault::bad_file,
             "{}: its compressed data ends too early, so a part of the file is missing; copy or download it again",
             name);
      if (status != Z_OK && status != Z_STREAM_END)
        fail(Fault::bad_file, "{}: its compressed data is damaged ({}); copy or download the file again", name,
             stream.msg ? stream.msg : "unknown format");
    }
    return written;
  }

  uint64_t left() const { return stored.size() - at + stream.avail_in; }

  // Nothing may follow the data; after a gzip, zeros may.
  void finish(const std::string& name) const {
    char part[1 << 14];
    for (uint64_t next = stored.size() - left(); next < stored.size();) {
      const size_t n = stored.read(next, part, sizeof part);
      if (n == 0) break;
      if (!gzip || std::any_of(part, part + n, [](char c) { return c != '\0'; }))
        fail(Fault::bad_file, "{}: {} bytes follow the compressed data; nothing may follow it", name, left());
      next += n;
    }
  }

  const Stored stored;
  const bool gzip;
  uint64_t at = 0;  // the offset in `stored` of the next byte for zlib
  z_stream stream{};
  Bytef input[1 << 14];
  bool ended = false;
};

size_t Stored::read(uint64_t at, void* out, size_t count) const {
  if (file_) return file_->read(at, out, count);
  return at < size_ ? bytes_.copy(static_cast<char*>(out), count, at) : 0;
}

void refuse_foreign(const std::string& name, const Stored& stored, const char* wanted) {
  char front[foreign_bytes];
  if (const ForeignFormat* format = foreign_format({front, stored.read(0, front, sizeof front)}))
    fail(Fault::bad_file, "{}: it is {}, not {}; get the set again with evenkeel data fetch", name, format->what,
         wanted);
}

ByteReader::ByteReader(const std::string& name, Stored bytes)
    : ByteReader(name, bytes, begins_as_gzip(bytes, 0) ? Packing::gzip : Packing::none) {}
ByteReader::ByteReader(const std::string& name, Stored bytes, Packing packing) : name_(name), stored_(bytes) {
  if (packing == Packing::gzip && bytes.size() < 18)
    fail(Fault::bad_file,
         "{}: its gzip data ends too early, so a part of the file is missing; copy or download it again", name_);
  if (packing != Packing::none) unzip_ = std::make_unique<Unzip>(bytes, packing);
}
ByteReader::~ByteReader() = default;

void ByteReader::read(void* out, size_t count) {
  const size_t got = unzip_ ? unzip_->read(name_, static_cast<uint8_t*>(out), count) : stored_.read(taken_, out, count);
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
    if (count != stored_.size() - taken_)
      fail(Fault::bad_file, "{}: its header promises {} bytes of data, the file has {}", name_, count,
           stored_.size() - taken_);
    return;
  }
  uint8_t last[4] = {};  // a gzip ends with its unzipped length modulo 2^32, little-endian
  stored_.read(stored_.size() - 4, last, 4);
  const uint32_t length = uint32_t{last[3]} << 24 | uint32_t{last[2]} << 16 | uint32_t{last[1]} << 8 | last[0];
  const uint64_t total = taken_ + count;
  if (total / 1032 <= stored_.size()) {
    if (static_cast<uint32_t>(total) == length) return;
    // It may have several members, or zeros at its end: then only unzipping tells its length.
    Unzip whole(stored_, Packing::gzip);
    std::string part(1 << 16, '\0');
    uint64_t holds = 0;
    for (size_t n = 1; n > 0 && holds <= total; holds += n)
      n = whole.read(name_, reinterpret_cast<uint8_t*>(part.data()), part.size());
    if (holds <= total) whole.finish(name_);
    if (holds == total) return;
  }
  fail(Fault::bad_file, "{}: its header promises {} bytes, the gzip data of {} bytes says it holds {}", name_, total,
       stored_.size(), length);
}

void ByteReader::finish() {
  if (unzip_) {
    uint8_t more;
    const size_t got = unzip_->read(name_, &more, 1);
    if (got) fail(Fault::bad_file, "{}: the data goes on after the {} bytes its header promises", name_, taken_);
    unzip_->finish(name_);
  } else if (taken_ < stored_.size()) {
    fail(Fault::bad_file, "{}: {} bytes follow the end of the data", name_, stored_.size() - taken_);
  }
}

}  // namespace evenkeel
