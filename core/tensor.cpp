#include "core/tensor.h"

#include <algorithm>
#include <atomic>

#include "core/memory.h"

namespace evenkeel {
namespace {

std::atomic<int64_t> next_id{1};
std::atomic<int64_t> nodes{0};

// Frees a node. What it was the last to hold is freed by the outermost call, one after the other:
// a chain of any length is destroyed without recursion.
void destroy(Node* node) {
  thread_local std::vector<Node*> waiting;
  thread_local bool unwinding = false;
  waiting.push_back(node);
  if (unwinding) return;
  unwinding = true;
  while (!waiting.empty()) {
    Node* next = waiting.back();
    waiting.pop_back();
    delete next;
  }
  unwinding = false;
}

}  // namespace

Storage::Storage(int64_t n)
    : data(static_cast<real*>(allocate(static_cast<size_t>(n) * sizeof(real)))), size(n) {}
Storage::~Storage() { release(data, static_cast<size_t>(size) * sizeof(real)); }

Node::Node(const Shape& s, std::shared_ptr<Storage> st) : id(next_id++), shape(s), storage(std::move(st)) { ++nodes; }
Node::~Node() { --nodes; }

int64_t live_nodes() { return nodes; }

Tensor Tensor::empty(const Shape& shape) {
  return Tensor({new Node(shape, std::make_shared<Storage>(shape.size())), destroy});
}

Tensor Tensor::full(const Shape& shape, real value) {
  Tensor t = empty(shape);
  std::fill_n(t.data(), t.size(), value);
  return t;
}

Tensor Tensor::of(const Shape& shape, const std::vector<real>& values) {
  check(shape.size() == static_cast<int64_t>(values.size()), "tensor: shape {} holds {} values, got {}", shape, shape.size(),
        values.size());
  Tensor t = empty(shape);
  std::copy(values.begin(), values.end(), t.data());
  return t;
}

Tensor Tensor::normal(const Shape& shape, Random& random, double mean, double deviation) {
  Tensor t = empty(shape);
  std::generate_n(t.data(), t.size(), [&] { return static_cast<real>(mean + deviation * random.normal()); });
  return t;
}

Tensor Tensor::uniform(const Shape& shape, Random& random, double low, double high) {
  Tensor t = empty(shape);
  std::generate_n(t.data(), t.size(), [&] { return static_cast<real>(random.uniform(low, high)); });
  return t;
}

real Tensor::item() const {
  check(size() == 1, "item: the tensor must have one element, its shape is {}", shape());
  return *data();
}

Tensor& Tensor::track() {
  check(node_->inputs.empty() && !node_->severed, "track: only a leaf can be tracked; detach() the tensor first");
  node_->tracked = true;
  return *this;
}

Tensor Tensor::viewed(const Shape& s) const {
  check(s.size() == size(), "reshape: {} has {} elements, {} has {}", shape(), size(), s, s.size());
  return Tensor({new Node(s, node_->storage), destroy});
}

Tensor Tensor::detach() const { return viewed(shape()); }

Tensor Tensor::clone() const {
  Tensor t = empty(shape());
  std::copy_n(data(), size(), t.data());
  return t;
}

void Tensor::copy_from(const Tensor& source) {
  check(source.shape() == shape(), "copy: shapes differ: {} from {}", shape(), source.shape());
  std::copy_n(source.data(), size(), data());
}

bool Tensor::sole_owner() const { return node_.use_count() == 1 && node_->storage.use_count() == 1; }

}  // namespace evenkeel
