// What gdb_test.py looks at.
#include <evenkeel/layers/layer.h>

#include <cmath>
#include <cstring>

using namespace evenkeel;

int looks = 0;
[[gnu::noinline]] void look(const Tensor& reference) {
  const bool defined = reference.defined();
  looks += defined;
}

// Memory in which no tensor has been made.
union Raw {
  Raw() {}
  ~Raw() {}
  Tensor tensor;
};

int main() {
  const Tensor matrix = Tensor::of({2, 3}, {1, real(-2.5), 3, 1000, real(0.125), real(NAN)}),
               large = Tensor::full({100, 30}, 7), scalar = Tensor::scalar(2), none = Tensor::zeros({0, 3}), undefined;
  const Tensor view = matrix.viewed({6});
  const Owned owned = scalar;
  Raw wild, stray;
  std::memset(static_cast<void*>(&wild), 0x5a, sizeof wild);  // no address
  static unsigned char bytes[4096];
  std::memset(bytes, 0x77, sizeof bytes);
  const void* const address = bytes;  // of what is no node
  std::memset(static_cast<void*>(&stray), 0, sizeof stray);
  std::memcpy(static_cast<void*>(&stray), &address, sizeof address);
  look(matrix);
  return wild.tensor.defined() && stray.tensor.defined() && none.size() == 0 && large.defined() && view.defined() &&
                 owned.defined() && !undefined.defined()
             ? 0
             : 1;
}
