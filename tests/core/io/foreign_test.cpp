#include "core/io/foreign.h"

#include <doctest/doctest.h>

#include <string>

using namespace evenkeel;

namespace {

std::string what(const std::string& file) {
  const ForeignFormat* format = foreign_format(file);
  return format ? std::string(format->what) : "";
}

std::string bytes(const char* text, size_t size) { return {text, size}; }

}  // namespace

TEST_CASE("the formats that are met in place of weights and data are known by their first bytes") {
  // As torch.save (1.13, and before 1.6), pickle, NumPy and torch.onnx.export write them.
  const std::string zip = bytes("PK\3\4\0\0\10\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c\0\x16\0", 30);
  CHECK(what(zip + "new/data.pkl") == "a PyTorch file (.pt, .pth)");
  CHECK(what(zip + "a.npy") == "a NumPy file (.npz)");
  CHECK(what(zip + "metadata.json") == "a zip archive");
  CHECK(what("\x80\2\x8a\nl\xfc\x9c"
             "F\xf9 j\xa8P\x19.") == "a PyTorch file (.pt, .pth)");
  CHECK(what("\x80\2}q\1(U\x0b"
             "batch_label") == "a pickle");
  CHECK(what("\x80\3ccollections\nOrderedDict\n") == "a pickle");
  CHECK(what(bytes("\x80\4\x95)\0\0\0\0\0\0\0\x8c\x0b", 13)) == "a pickle");
  CHECK(what("(dp0\nVconv1.weight\np1\n") == "a pickle");
  CHECK(what("(lp0\nI1\n") == "a pickle");
  CHECK(what(bytes("}q\0(X\6\0\0\0weight", 14)) == "a pickle");
  CHECK(what("ccollections\nOrderedDict\np0\n") == "a pickle");
  CHECK(what(bytes("\x93NUMPY\1\0v\0{'descr'", 18)) == "a NumPy file (.npy)");
  CHECK(what(bytes("\x89HDF\r\n\x1a\n\0", 9)) == "an HDF5 file (.h5)");
  CHECK(what("\x08\7\x12\7pytorch\x1a\6"
             "1.13.0") == "an ONNX model");
  CHECK(what("\x08\7:\xe1\1\n\x14\n\1x") == "an ONNX model");  // neither a producer
  CHECK(what("\x08\x0a"
             "B\4\n\0\x10\x0d:\x20") == "an ONNX model");  // nor in the order of the fields' numbers
  CHECK(what("cifar-10-batches-bin/" + std::string(236, '\0') +
             bytes("ustar\0"
                   "00",
                   8)) == "a tar archive");
  CHECK(what(bytes("\x1c\0\0\0TFL3", 8)) == "a TensorFlow Lite model");
  CHECK(what("\x1f\x8b\10\10") == "a gzip file");
  CHECK(what("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n") == "a Git LFS pointer");
  for (const char* page :
       {"<!DOCTYPE html><title>403", "<!doctype html>", "<html>\n", "\n  <HTML lang=en>", "\xef\xbb\xbf<!DOCTYPE html"})
    CHECK(what(page) == "an HTML page");
  CHECK(what("<?xml version=\"1.0\"?><Error><Code>AccessDenied") == "an XML text, as a server's error is");
  CHECK(what("{\"a\": {}}") == "a JSON text");
  for (const char* index : {"{\"weight_map\": {}}", "{\n  \"metadata\": {\n    \"total_size\": 5368\n"})
    CHECK(what(index) == "the index of weights in several files");
  CHECK(what("") == "empty");
}

TEST_CASE("what tells nothing is not named, in a file of any length") {
  const std::string ours = bytes("\x80\2\0\0\0\0\0\0{\"a\":{}}", 16);  // a safetensors header of 640 bytes
  const std::string idx = bytes("\0\0\10\3\0\0\0\1", 8), cifar = "\7\x12\x13\x14\x15\x16";
  for (const std::string& file : {ours, idx, cifar, std::string("hello"), std::string("PK")}) {
    for (size_t n = 1; n <= file.size(); ++n) CHECK_MESSAGE(what(file.substr(0, n)).empty(), file);
  }
}
