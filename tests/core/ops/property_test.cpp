#include "tests/property.h"

#include <algorithm>
#include <cstring>

using namespace evenkeel::property;

TEST_CASE("every op equals its naive definition over random shapes") { check_random_shapes(); }
TEST_CASE("every op, on axes of 0, 1 and 2, gives what its definition says or a reason why not") { check_small_axes(); }

TEST_CASE("an elementwise op gives a value the same bits, whatever the tensor's size and the value's position") {
  using namespace evenkeel;
  Random stream(3);
  const auto result = [](const property::Unary& op, const Tensor& values) {
    Tensor x = values.detach();
    const Tensor y = op.op(x.track());
    return std::pair(y.detach(), grad(sum(y), {x})[0]);
  };
  const Tensor noise = Tensor::normal({3 * elementwise_block}, stream);
  for (const property::Unary& op : property::unary_ops()) {
    CAPTURE(std::string(op.name));
    const Tensor all = op.positive ? square(noise) + real(0.1) : noise;
    const auto [y, dx] = result(op, all);
    for (const int64_t size : {1, 15, 17, 1000})
      for (const int64_t begin : {int64_t{0}, int64_t{5}, elementwise_block - 8}) {
        Tensor some = Tensor::empty({size});
        std::copy_n(all.data() + begin, size, some.mutable_data());
        const auto [value, slope] = result(op, some);
        CHECK(std::memcmp(value.data(), y.data() + begin, static_cast<size_t>(size) * sizeof(real)) == 0);
        CHECK(std::memcmp(slope.data(), dx.data() + begin, static_cast<size_t>(size) * sizeof(real)) == 0);
      }
  }
}
