// A ZIP archive of a test's own.
#pragma once
#include <string>

#include "tests/data_files.h"

struct Zip {
  std::string members, directory;
  uint32_t count = 0;
  void add(const std::string& name, const std::string& contents, bool deflate) {
    const std::string packed = deflate ? deflated(contents, -15) : contents;
    const std::string common = little_endian(20, 2) + little_endian(0, 2) + little_endian(deflate ? 8 : 0, 2) +
                               little_endian(0, 8) + little_endian(static_cast<uint32_t>(packed.size()), 4) +
                               little_endian(static_cast<uint32_t>(contents.size()), 4) +
                               little_endian(static_cast<uint32_t>(name.size()), 2);
    directory += "PK\1\2" + little_endian(20, 2) + common + little_endian(3, 2) + little_endian(2, 2) +
                 little_endian(0, 8) + little_endian(static_cast<uint32_t>(members.size()), 4) + name + "xxx" + "cc";
    members += "PK\3\4" + common + little_endian(5, 2) + name + "extra" + packed;
    ++count;
  }
  std::string bytes() const {
    return members + directory + "PK\5\6" + little_endian(0, 4) + little_endian(count, 2) + little_endian(count, 2) +
           little_endian(static_cast<uint32_t>(directory.size()), 4) +
           little_endian(static_cast<uint32_t>(members.size()), 4) + little_endian(0, 2);
  }
};
