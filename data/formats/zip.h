// The members of a ZIP archive (PKWARE's APPNOTE, 4.3), without its 64-bit form.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bytes.h"

namespace evenkeel {

struct ZipMember {
  std::string name;
  uint64_t local;         // place of its local header in the archive
  uint64_t packed, size;  // bytes in the archive and unpacked, as the directory says
  uint32_t method;        // 0: stored, 8: deflate
};

// The archive's directory. Throws Error(Fault::bad_file), beginning with the archive's name, where it is damaged.
std::vector<ZipMember> zip_members(const std::string& archive, std::string_view bytes);

// Reads the member's contents; the archive's bytes must outlive it. Error(Fault::bad_file) where it does not lie in
// them, is packed in another way, or claims to grow by more than deflate can make it.
ByteReader open_member(const std::string& archive, std::string_view bytes, const ZipMember& member);

}  // namespace evenkeel
