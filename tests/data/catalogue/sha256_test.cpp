#include "data/catalogue/sha256.h"

#include <doctest/doctest.h>

using namespace evenkeel;

TEST_CASE("SHA-256 of the standard's examples") {
  const auto digest = [](std::string_view bytes) {
    Sha256 sha;
    sha.add(bytes);
    return sha.hex();
  };
  CHECK(digest("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(digest(std::string(1'000'000, 'a')) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("SHA-256 does not depend on how the bytes come") {
  for (size_t length : {55, 56, 63, 64, 65, 119, 120, 128, 300}) {
    const std::string bytes(length, 'x');
    Sha256 whole;
    whole.add(bytes);
    const std::string digest = whole.hex();
    for (size_t step = 1; step < length; step += 13) {
      Sha256 parts;
      for (size_t i = 0; i < length; i += step) parts.add(std::string_view(bytes).substr(i, step));
      CHECK(parts.hex() == digest);
    }
  }
}
