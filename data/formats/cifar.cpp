#include "data/formats/cifar.h"

#include "core/base/check.h"
#include "data/formats/bytes.h"

namespace evenkeel {

namespace {

// The number of records. Error unless it is `records`, or `records` is 0.
int64_t check_size(const std::string& name, const Stored& stored, int64_t wanted, int64_t record) {
  const int64_t records = wanted > 0 ? wanted : static_cast<int64_t>(stored.size()) / record;
  if (records > 0 && stored.size() == static_cast<uint64_t>(records * record)) return records;
  refuse_foreign(name, stored, "a CIFAR file");
  if (wanted == 0)
    fail(Fault::bad_file, "{}: must be records of {} bytes, it has {} bytes", name, record, stored.size());
  fail(Fault::bad_file, "{}: must have {} bytes ({} records of {}), it has {}", name, records * record, records, record,
       stored.size());
}

}  // namespace

void read_cifar(Dataset& data, const std::string& path, int64_t records, int64_t label_bytes) {
  const InputFile file = open_input(path);
  check_size(path, file, records, label_bytes + data.image.size());
  std::string bytes(file.size, '\0');
  bytes.resize(file.read(0, bytes.data(), bytes.size()));
  parse_cifar(data, path, bytes, records, label_bytes);
}

void parse_cifar(Dataset& data, const std::string& name, std::string_view bytes, int64_t records, int64_t label_bytes) {
  const int64_t image = data.image.size(), channels = data.image.channels(), plane = image / channels,
                record = label_bytes + image;
  records = check_size(name, bytes, records, record);
  const size_t first = data.pixels.size();
  data.pixels.resize(first + static_cast<size_t>(records * image));
  for (int64_t i = 0; i < records; ++i) {
    const auto* in = reinterpret_cast<const uint8_t*>(bytes.data()) + i * record + label_bytes;
    const uint8_t label = in[-1];
    if (data.classes > 0 && label >= data.classes)
      fail(Fault::bad_file, "{}: labels must be below {}, label {} is {}", name, data.classes, i, label);
    data.labels.push_back(label);
    uint8_t* out = data.pixels.data() + first + i * image;
    for (int64_t p = 0; p < plane; ++p) {
      for (int64_t c = 0; c < channels; ++c) out[p * channels + c] = in[c * plane + p];
    }
  }
}

}  // namespace evenkeel
