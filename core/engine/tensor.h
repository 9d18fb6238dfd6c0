// Tensor: a value and how it was made. Copying one copies a handle; ops never modify their arguments.
//
// Values are contiguous, channels last: dense activations (N, F), images (N, H, W, C), convolution weights (K, R, S,
// C). (Texts on batch normalisation write N, C, H, W.) Nearly every op sees a tensor as a matrix of rows x channels.
//
// Threads: a Tensor is like a shared_ptr. Any number of threads may read the same tensors and run ops on them. A thread
// that assigns to a handle, tracks it or writes to its values (mutable_data, copy_from) must be the only one that uses
// it.
#pragma once
#include <concepts>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "../base/memory.h"
#include "../base/random.h"
#include "../base/shape.h"

namespace evenkeel {

class Tensor;
struct Node;
using Grads = std::vector<Tensor>;

// Vector-Jacobian product: takes (g) or (y, g), the op's result y and the cotangent g = dL/dy, and returns one gradient
// for every input. The graph keeps the values of y only for a vjp of two arguments.
class Vjp {
 public:
  Vjp() = default;
  template <std::invocable<const Tensor&> F>
  Vjp(F f) : of_g_(std::move(f)) {}
  template <std::invocable<const Tensor&, const Tensor&> F>
  Vjp(F f) : of_y_and_g_(std::move(f)) {}
  explicit operator bool() const { return of_g_ || of_y_and_g_; }
  bool reads_result() const { return bool(of_y_and_g_); }
  Grads operator()(const Tensor& y, const Tensor& g) const;

 private:
  std::function<Grads(const Tensor&)> of_g_;
  std::function<Grads(const Tensor&, const Tensor&)> of_y_and_g_;
};

class Tensor {
 public:
  Tensor() = default;  // undefined

  static Tensor empty(const Shape& shape);  // uninitialised: write every element
  static Tensor full(const Shape& shape, real value);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor scalar(real value) { return full({}, value); }
  static Tensor of(const Shape& shape, const std::vector<real>& values);
  static Tensor normal(const Shape& shape, Random& random, double mean = 0, double deviation = 1);
  static Tensor uniform(const Shape& shape, Random& random, double low = 0, double high = 1);

  bool defined() const { return node_ != nullptr; }
  const Shape& shape() const;
  int64_t dim(int axis) const { return shape()[axis]; }
  int64_t size() const { return shape().size(); }
  int64_t rows() const { return shape().rows(); }
  int64_t channels() const { return shape().channels(); }

  // mutable_data() is for initialisers, optimisers, running averages and loading. Call it for every write and do not
  // keep the pointer: the call marks the storage as changed, and grad() refuses a graph that was recorded before the
  // change.
  const real* data() const;
  real* mutable_data();
  real item() const;  // the value of a tensor of one element
  std::vector<real> values() const { return {data(), data() + size()}; }

  // Derivatives are taken with respect to tracked tensors: leaves marked by track(), and all that is computed from
  // them. Call track() before any op uses the tensor: an earlier use may have no derivative. A severed tensor was
  // computed from tracked ones while recording was off; a derivative through it is an error.
  Tensor& track();
  bool tracked() const;
  bool severed() const;

  Tensor detach() const;                    // the same storage, as a constant
  Tensor clone() const;                     // a copy of the values, as a constant
  Tensor viewed(const Shape& shape) const;  // the same storage under another shape, as a constant; see reshape()
  void copy_from(const Tensor& source);     // overwrites the values; shapes must agree
  bool sole_owner() const;                  // no other handle shares these values
  // The same node of the graph without its values: for record(), where the vjp does not read them. A tracked leaf
  // keeps its values.
  Tensor without_values() const;
  Tensor as_result() const;  // the same node with its values if its own vjp reads them: for grad()

  int64_t id() const;  // creation number: inputs have smaller ones than their result
  Node* node() const { return node_.get(); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }  // null: undefined, or without values

 private:
  static Tensor made(const Shape& shape, std::shared_ptr<Storage> storage);
  Tensor(std::shared_ptr<Node> node, std::shared_ptr<Storage> storage)
      : node_(std::move(node)), storage_(std::move(storage)) {}
  Node& checked() const {  // the node; Error if there is none
    if (!node_) [[unlikely]]
      undefined();
    return *node_;
  }
  Storage& values_of() const {  // Error if there are none
    if (!storage_) [[unlikely]]
      no_values();
    return *storage_;
  }
  [[noreturn, gnu::cold]] static void undefined();
  [[noreturn, gnu::cold]] void no_values() const;
  std::shared_ptr<Node> node_;
  std::shared_ptr<Storage> storage_;
};

// A tensor's place in the graph. Its values belong to the handles, so they are freed as soon as no handle and no vjp
// needs them.
struct Node {
  explicit Node(const Shape& shape);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  struct Input {
    Tensor tensor;
    int64_t version;  // of its storage, when the op was recorded
  };

  const int64_t id;
  const Shape shape;
  bool tracked = false;
  bool severed = false;
  // Of a tracked result; see record().
  std::shared_ptr<Storage> result;  // its values, if the vjp reads them
  int64_t version = 0;
  const char* op = nullptr;
  std::vector<Input> inputs;
  Vjp vjp;
  Node* next = nullptr;  // in the list of nodes to destroy
};

int64_t live_nodes();  // the number of nodes that exist, for leak tests

inline const Shape& Tensor::shape() const { return checked().shape; }
inline const real* Tensor::data() const { return values_of().data; }
inline real* Tensor::mutable_data() {
  Storage& storage = values_of();
  storage.written();
  return storage.data;
}
inline bool Tensor::tracked() const { return checked().tracked; }
inline bool Tensor::severed() const { return checked().severed; }
inline int64_t Tensor::id() const { return checked().id; }
inline Grads Vjp::operator()(const Tensor& y, const Tensor& g) const { return of_g_ ? of_g_(g) : of_y_and_g_(y, g); }

}  // namespace evenkeel
