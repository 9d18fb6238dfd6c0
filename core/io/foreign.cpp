#include "core/io/foreign.h"

#include <algorithm>

namespace evenkeel {
namespace {

constexpr std::string_view page = "a download failed, or fetched the page about the file: download the file itself";
constexpr std::string_view pull = "git lfs pull fetches the file it stands for";
constexpr std::string_view again = "download or copy it again";
constexpr std::string_view state = "write its weights with safetensors.torch.save_file(model.state_dict(), \"FILE\")";
constexpr std::string_view arrays = "write its arrays with safetensors.numpy.save_file";
constexpr std::string_view unpack = "unpack it first";
constexpr std::string_view weights = "write the weights of that model as a safetensors file";
constexpr std::string_view shards = "load the model whole, and write its weights with safetensors.torch.save_file";
constexpr std::string_view itself = "give the file of weights itself";

struct Row {
  std::string_view begin;   // ? is any byte, @ a letter or digit, a small letter either case
  std::string_view inside;  // stands in the first bytes, too
  ForeignFormat format;
};
constexpr Row rows[] = {{"<!doctype", "", {"an HTML page", page}},
                        {"<html", "", {"an HTML page", page}},
                        {"<?xml", "", {"an XML text, as a server's error is", page}},
                        {"version https://git-lfs", "", {"a Git LFS pointer", pull}},
                        {"PK\3\4", "data.pkl", {"a PyTorch file (.pt, .pth)", state}},
                        {"PK\3\4", ".npy", {"a NumPy file (.npz)", arrays}},
                        {"PK\3\4", "", {"a zip archive", unpack}},
                        {"\x80?\x8a", "", {"a PyTorch file (.pt, .pth)", state}},
                        {"\x80?}", "", {"a pickle", state}},
                        {"\x80?c", "", {"a pickle", state}},
                        {"\x80?\x95", "", {"a pickle", state}},
                        {"(dp?\n", "", {"a pickle", state}},
                        {"(lp?\n", "", {"a pickle", state}},
                        {"}q?(", "", {"a pickle", state}},
                        {"]q?(", "", {"a pickle", state}},
                        {"ccollections\nordereddict", "", {"a pickle", state}},
                        {"\x93NUMPY", "", {"a NumPy file (.npy)", arrays}},
                        {"\x89HDF\r\n", "", {"an HDF5 file (.h5)", weights}},
                        {"\x08?\x12?@@@@", "", {"an ONNX model", weights}},
                        {"\x08?B?", "", {"an ONNX model", weights}},
                        {"\x08?:", "", {"an ONNX model", weights}},
                        {"????TFL3", "", {"a TensorFlow Lite model", weights}},
                        {"GGUF", "", {"a GGUF file", weights}},
                        {"\x1f\x8b", "", {"a gzip file", unpack}},
                        {"\xfd"
                         "7zXZ",
                         "",
                         {"an xz file", unpack}},
                        {"\x28\xb5\x2f\xfd", "", {"a Zstandard file", unpack}},
                        {"BZh", "", {"a bzip2 file", unpack}},
                        {"", "ustar", {"a tar archive", unpack}},
                        {"\x89PNG\r\n", "", {"a PNG image", itself}},
                        {"\xff\xd8\xff", "", {"a JPEG image", itself}},
                        {"{", "\"weight_map\"", {"the index of weights in several files", shards}},
                        {"{", "\"total_size\"", {"the index of weights in several files", shards}},
                        {"{\"", "", {"a JSON text", itself}},
                        {"{ ", "", {"a JSON text", itself}},
                        {"{\n", "", {"a JSON text", itself}}};
constexpr ForeignFormat empty{"empty", again};

bool fits(char pattern, char byte) {
  const auto between = [&](char low, char high) { return low <= byte && byte <= high; };
  switch (pattern) {
    case '?':
      return true;
    case '@':
      return between('a', 'z') || between('A', 'Z') || between('0', '9');
    default:
      return byte == pattern || ('a' <= pattern && pattern <= 'z' && byte == pattern - 'a' + 'A');
  }
}

bool begins(std::string_view file, std::string_view pattern) {
  return file.size() >= pattern.size() && std::equal(pattern.begin(), pattern.end(), file.begin(), fits);
}

}  // namespace

const ForeignFormat* foreign_format(std::string_view file) {
  if (file.empty()) return &empty;
  // A text may start with a byte order mark and white space.
  std::string_view text = file;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  for (const Row& row : rows) {
    if (!begins(file, row.begin) && !begins(text, row.begin)) continue;
    if (file.substr(0, foreign_bytes).find(row.inside) != std::string_view::npos) return &row.format;
  }
  return nullptr;
}

}  // namespace evenkeel
