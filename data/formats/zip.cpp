#include "data/formats/zip.h"

#include "core/base/check.h"

namespace evenkeel {
namespace {

uint32_t little_endian(const std::string& name, std::string_view bytes, uint64_t at, int count) {
  if (at + static_cast<uint64_t>(count) > bytes.size())
    fail(Fault::bad_file, "{}: the zip's directory is damaged; get the file again", name);
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[at + static_cast<uint64_t>(i)]);
  return value;
}

}  // namespace

// A zip ends with the directory of its members, then a record that holds the directory's offset.
std::vector<ZipMember> zip_members(const std::string& archive, std::string_view bytes) {
  const auto number = [&](uint64_t at, int count) { return little_endian(archive, bytes, at, count); };
  const size_t end = bytes.rfind("PK\5\6");
  if (end == std::string_view::npos)
    fail(Fault::bad_file, "{}: the zip has no directory, so its end is missing; get the file again", archive);
  std::vector<ZipMember> members;
  uint64_t at = number(end + 16, 4);
  for (uint32_t left = number(end + 10, 2); left > 0; --left) {
    if (number(at, 4) != 0x02014b50)
      fail(Fault::bad_file, "{}: the zip's directory is damaged; get the file again", archive);
    const uint32_t length = number(at + 28, 2);
    number(at + 46 + length, 0);
    members.push_back({std::string(bytes.substr(at + 46, length)), number(at + 42, 4), number(at + 20, 4),
                       number(at + 24, 4), number(at + 10, 2)});
    at += 46 + length + number(at + 30, 2) + number(at + 32, 2);
  }
  return members;
}

ByteReader open_member(const std::string& archive, std::string_view bytes, const ZipMember& member) {
  const auto number = [&](uint64_t at, int count) { return little_endian(archive, bytes, at, count); };
  const uint64_t begin = member.local + 30 + number(member.local + 26, 2) + number(member.local + 28, 2);
  number(begin + member.packed, 0);
  if (member.method != 0 && member.method != 8)
    fail(Fault::bad_file, "{}: {} is packed by method {}, not by deflate", archive, member.name, member.method);
  const bool stored = member.method == 0;
  if (stored ? member.size != member.packed : member.size / 1032 > member.packed)
    fail(Fault::bad_file, "{}: {} claims {} bytes, its {} bytes in the archive cannot hold them", archive, member.name,
         member.size, member.packed);
  return {archive, bytes.substr(begin, member.packed), stored ? Packing::none : Packing::deflate};
}

}  // namespace evenkeel
