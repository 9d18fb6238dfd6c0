#include "core/engine/tensor.h"

#include <algorithm>
#include <atomic>

#include "core/base/memory.h"
#include "core/base/parallel.h"

namespace evenkeel {
namespace {

std::atomic<int64_t> next_id{1};
std::atomic<int64_t> nodes{0};

// Frees a node. Its inputs that nothing else holds join a queue, which the outermost call empties: a chain of any
// length is freed without recursion. The queue is linked through the nodes, so it needs no memory and no destructor:
// static tensors are destroyed after this thread's variables.
void destroy(Node* node) {
  static constinit thread_local Node* waiting = nullptr;
  static constinit thread_local bool unwinding = false;
  node->next = waiting;
  waiting = node;
  if (unwinding) return;
  unwinding = true;
  while (Node* last = waiting) {
    waiting = last->next;
    delete last;
  }
  unwinding = false;
}

}  // namespace

Node::Node(const Shape& s) : id(next_id++), shape(s) { ++nodes; }
Node::~Node() { --nodes; }

int64_t live_nodes() { return nodes; }

void Tensor::undefined() {
  fail(Fault::usage, "tensor: it is undefined (default-constructed, or moved from); give it a value before it is used");
}

void Tensor::no_values() const {
  fail(Fault::usage, "tensor: this handle of shape {} was made by without_values(); use one that has the values",
       shape());
}

Tensor Tensor::made(const Shape& shape, std::shared_ptr<Storage> storage) {
  return Tensor({new Node(shape), destroy}, std::move(storage));
}

Tensor Tensor::empty(const Shape& shape) { return made(shape, std::make_shared<Storage>(shape.size())); }

Tensor Tensor::full(const Shape& shape, real value) {
  Tensor t = empty(shape);
  parallel_blocks(t.size(), elementwise_block, [value, out = t.mutable_data()](int64_t begin, int64_t end) {
    std::fill(out + begin, out + end, value);
  });
  return t;
}

Tensor Tensor::of(const Shape& shape, const std::vector<real>& values) {
  check(shape.size() == static_cast<int64_t>(values.size()), "tensor: shape {} holds {} values, got {}", shape,
        shape.size(), values.size());
  Tensor t = empty(shape);
  std::copy(values.begin(), values.end(), t.mutable_data());
  return t;
}

Tensor Tensor::normal(const Shape& shape, Random& random, double mean, double deviation) {
  Tensor t = empty(shape);
  std::generate_n(t.mutable_data(), t.size(), [&] { return static_cast<real>(mean + deviation * random.normal()); });
  return t;
}

Tensor Tensor::uniform(const Shape& shape, Random& random, double low, double high) {
  Tensor t = empty(shape);
  std::generate_n(t.mutable_data(), t.size(), [&] { return static_cast<real>(random.uniform(low, high)); });
  return t;
}

real Tensor::item() const {
  check(size() == 1, "item: the tensor must have one element, its shape is {}", shape());
  return *data();
}

Tensor& Tensor::track() {
  Node& node = checked();
  check(node.inputs.empty() && !node.severed, "track: only a leaf can be tracked; detach() the tensor first");
  node.tracked = true;
  return *this;
}

Tensor Tensor::viewed(const Shape& s) const {
  check(s.size() == size(), "reshape: {} has {} elements, {} has {}", shape(), size(), s, s.size());
  values_of();
  return made(s, storage_);
}

Tensor Tensor::detach() const { return viewed(shape()); }

Tensor Tensor::clone() const {
  Tensor t = empty(shape());
  std::copy_n(data(), size(), t.mutable_data());
  return t;
}

void Tensor::copy_from(const Tensor& source) {
  check(source.shape() == shape(), "copy_from: shapes must agree, got {} from {}", shape(), source.shape());
  std::copy_n(source.data(), size(), mutable_data());
}

bool Tensor::sole_owner() const {
  checked();
  return storage_.use_count() == 1;
}

Tensor Tensor::without_values() const {
  const bool tracked_leaf = checked().tracked && !node_->vjp;
  return tracked_leaf ? *this : Tensor(node_, nullptr);
}

Tensor Tensor::as_result() const { return Tensor(node_, checked().result); }

}  // namespace evenkeel
