// Layer: some tensors and a function. A new one is a struct with forward() and visit(), checked by one line,
// check_layer().
//
// Thread safety. Only one thread at a time may use a network in Mode::train (averages and random streams move), in
// Mode::probe (random streams are read), or while its tensors are written (an optimiser's step, restore(),
// recalibrate()). In Mode::eval forward() changes nothing, so any number of threads may share a network while no thread
// writes to it; all of them call RunningNorm::watch, if it is set. Your own layers must keep this rule. A thread may
// differentiate what another thread has finished recording.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "../core/engine/parameter.h"
#include "../core/ops/ops.h"

namespace evenkeel {

// Which statistics a normalisation uses, and whether its running averages move.
enum class Mode {
  train,  // batch statistics; averages move
  probe,  // batch statistics; nothing moves (curvature, landscapes)
  eval    // running statistics; nothing moves
};

// A tensor that a layer owns: copying the layer copies the values, so layers need no copy constructors.
struct Owned : Tensor {
  Owned() = default;
  Owned(Tensor t) : Tensor(std::move(t)) {}
  Owned(const Owned& other) : Tensor(other.defined() ? copy(other) : Tensor()) {}
  Owned(Owned&&) = default;
  // Copies the values in place, so that an optimiser's handle stays valid; an undefined tensor becomes a copy.
  // Moving hands over the tensor itself.
  Owned& operator=(const Owned& other);
  Owned& operator=(Owned&&) = default;

 private:
  static Tensor copy(const Tensor& other) {
    Tensor t = other.clone();
    return other.tracked() ? t.track() : t;
  }
};

struct Layer;

// Walks a network. Every layer names its parameters, buffers, random streams and children, in order; names join with
// dots.
struct Visitor {
  virtual ~Visitor() = default;
  // decay: whether weight decay applies.
  virtual void parameter(const std::string& /*name*/, Tensor& /*value*/, bool /*decay*/) {}
  virtual void buffer(const std::string& /*name*/, Tensor& /*value*/) {}               // saved, not trained
  virtual void count(const std::string& name, Tensor& value) { buffer(name, value); }  // a buffer of integers
  // Saved to resume a run; inference does not need it, and other programs' files lack it.
  virtual void state(const std::string& name, Tensor& value) { buffer(name, value); }
  virtual void stream(const std::string& /*name*/, Random& /*value*/) {}
  virtual void child(const std::string& name, Layer& layer);  // visits it, under its name

 protected:
  std::string full_name(const std::string& name) const { return prefix_ + name; }
  std::string prefix_;
};

struct Layer {
  virtual ~Layer() = default;
  // x (N, ...) -> y (N, ...), recorded for grad(). In Mode::eval an example's y depends on no other example. Error,
  // with both shapes, if x does not fit.
  virtual Tensor forward(const Tensor& x, Mode mode) = 0;
  // Names the layer's parameters, buffers, random streams and children; see Visitor. A tensor without a name is neither
  // trained nor saved; check_layer() reports it.
  virtual void visit(Visitor&) {}
  // forward() followed by `then`. Override it to fuse the two.
  virtual Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) { return then(forward(x, mode)); }
  // Whether forward() begins with moments(x): the layer before it may compute them. See Epilogue::moments.
  virtual bool reads_moments(Mode) const { return false; }
  // Whether forward_then() takes Epilogue::pool.
  virtual bool pools() const { return false; }
  virtual std::string describe() const = 0;  // as in a model spec: "conv:64:3"
  // The shape of one example's output for an input shape; Error if forward() would refuse the input. The default runs
  // forward(); the library's layers compute the shape without it.
  virtual Shape output_shape(const Shape& input);
  virtual double multiply_adds(const Shape& /*input*/) { return 0; }  // in a forward pass on one example
};

using LayerPtr = std::unique_ptr<Layer>;

// Everything that a layer and its children name, in order. Error, with the layer, if two things have one name, one
// tensor has two names, a named tensor is undefined, or a parameter cannot be trained.
struct Named {
  enum class Role { parameter, buffer, count, state, stream } role;  // the Visitor's function that was called
  std::string name;
  Tensor tensor = {};        // a handle to the layer's tensor
  Random* stream = nullptr;  // of a stream, instead of a tensor
  bool decay = false;        // of a parameter
};
std::vector<Named> named(Layer& layer);

// Those of named() that an optimiser trains; Error as there.
std::vector<Parameter> parameters(Layer& layer);
// The leaves on which the layer's output y depends and that parameters() lacks: they would be neither trained nor
// saved.
std::vector<Tensor> unnamed(Layer& layer, const Tensor& y);
std::vector<Tensor> values(const std::vector<Parameter>& parameters);  // handles, for grad()
int64_t parameter_count(Layer& layer);                                 // numbers in all parameters

Shape batch_of_one(const Shape& example);  // (1, ...)
Shape one_example(const Shape& batch);     // the shape without its first axis

}  // namespace evenkeel
