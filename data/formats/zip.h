// The members of a ZIP archive (PKWARE's APPNOTE, 4.3); not ZIP64.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.h"

namespace evenkeel {

struct ZipMember {
  std::string name;
  uint64_t local;         // offset of its local header
  uint64_t packed, size;  // bytes in the archive and unpacked, as the directory says
  uint32_t method;        // 0: stored, 8: deflate
};

// The archive's central directory. Throws Error(Fault::bad_file), starting with the archive's name, if it is damaged.
std::vector<ZipMember> zip_members(const std::string& archive, std::string_view bytes);

// A reader of the member's contents; the archive's bytes must outlive it. Error(Fault::bad_file) if the member lies
// outside the archive, has another compression method, or claims a larger size than deflate can reach.
ByteReader open_member(const std::string& archive, std::string_view bytes, const ZipMember& member);

}  // namespace evenkeel
