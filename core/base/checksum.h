// CRC-32 (the one of gzip and PNG: polynomial 0xedb88320, reflected).
#pragma once
#include <cstdint>
#include <string_view>

namespace evenkeel {

uint32_t crc32(std::string_view bytes, uint32_t before = 0);  // `before`: of the bytes that came before, to go on

}  // namespace evenkeel
