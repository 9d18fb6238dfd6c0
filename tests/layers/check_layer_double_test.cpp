// The checker checked: check_layer sees each way in which a layer goes wrong without an error of its own.
#include "layers/dense.h"
#include "tests/check_layer.h"

using namespace evenkeel;

namespace {

// y = x a, per channel: right, with a place for each mistake.
struct Scale : Layer {
  Tensor forward(const Tensor& x, Mode) override { return scale_per_channel(x, a); }
  void visit(Visitor& v) override { v.parameter("a", a, true); }
  std::string describe() const override { return "scale"; }
  Owned a{Tensor::of({3}, {1, -2, 3}).track()};
};

template <class L>
void seen(const char* what) {
  CHECK_MESSAGE(layer_fault(L(), random({4, 3})).find(what) != std::string::npos, layer_fault(L(), random({4, 3})));
}

}  // namespace

TEST_CASE("check_layer: a layer without a mistake has none") { CHECK(layer_fault(Scale(), random({4, 3})) == ""); }

TEST_CASE("check_layer sees names that are not the layer's tensors, one by one") {
  struct Forgets : Scale {
    void visit(Visitor&) override {}
  };
  seen<Forgets>("a tracked tensor of shape (3) is not named by visit()");
  struct Unused : Scale {
    void visit(Visitor& v) override { Scale::visit(v), v.parameter("b", b, true); }
    Owned b{Tensor::zeros({3}).track()};
  };
  seen<Unused>("b is named by visit(), and forward() does not use it");
  struct Twice : Scale {
    void visit(Visitor& v) override { v.parameter("a", a, true), v.buffer("a", b); }
    Owned b{Tensor::zeros({3})};
  };
  seen<Twice>("layer (scale): visit() names a twice");
  struct Untracked : Scale {
    void visit(Visitor& v) override { Scale::visit(v), v.parameter("b", b, true); }
    Owned b{Tensor::zeros({3})};
  };
  seen<Untracked>("visit() names the parameter b, which is not tracked");
}

TEST_CASE("check_layer sees tensors that copies share") {
  struct Shares : Layer {
    Tensor forward(const Tensor& x, Mode) override { return scale_per_channel(x, a); }
    void visit(Visitor& v) override { v.parameter("a", a, true); }
    std::string describe() const override { return "shares"; }
    Tensor a = Tensor::of({3}, {1, -2, 3}).track();
  };
  seen<Shares>("a copy shares memory with the layer; its tensors must be Owned");
  struct SharesBuffer : Scale {
    Tensor forward(const Tensor& x, Mode) override { return scale_per_channel(x, a * b); }
    void visit(Visitor& v) override { Scale::visit(v), v.buffer("b", b); }
    Tensor b = Tensor::full({3}, 2);
  };
  seen<SharesBuffer>("a copy shares memory with the layer");
  struct SharesUnnamed : Scale {  // moves where nobody looks
    Tensor forward(const Tensor& x, Mode mode) override {
      if (mode == Mode::train) *b.mutable_data() += 1;
      return scale_per_channel(x, a) * (mode == Mode::eval ? b.item() : 1);
    }
    Tensor b = Tensor::scalar(1);
  };
  seen<SharesUnnamed>("a copy shares memory with the layer");
  struct Replaces : Scale {
    Replaces() = default;
    Replaces(const Replaces&) = default;
    Replaces& operator=(const Replaces& other) {
      a = Owned(other.a);
      return *this;
    }
  };
  seen<Replaces>("a copy has another tensor as its a, and an optimiser the old one");
}

TEST_CASE("check_layer sees state that is not saved, that moves when it must not, or that nobody wrote") {
  struct Unsaved : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      if (mode == Mode::train) b.copy_from(mean_rows(square(x.detach())));
      return mode == Mode::eval ? scale_per_channel(x, a * b) : scale_per_channel(x, a);
    }
    Owned b{Tensor::zeros({3})};
  };
  seen<Unsaved>("saved, trained on and loaded it computes something else");
  struct Moves : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      if (mode == Mode::probe) *b.mutable_data() += 1;
      return Scale::forward(x, mode);
    }
    void visit(Visitor& v) override { Scale::visit(v), v.buffer("b", b); }
    Owned b{Tensor::scalar(0)};
  };
  seen<Moves>("a probe or an evaluation moves what visit() names");
  struct Other : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      return scale_per_channel(x, a) * (mode == Mode::train ? 2 : 1);
    }
  };
  seen<Other>("a probe does not give what training gives");
  struct Unwritten : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      const Tensor never = Tensor::empty({3});
      return mode == Mode::eval ? add_per_channel(Scale::forward(x, mode), never * real(0)) : Scale::forward(x, mode);
    }
  };
  seen<Unwritten>("it reads memory that nobody wrote");
}

TEST_CASE("check_layer sees a wrong gradient and a wrong epilogue") {
  struct Gradient : Scale {
    Tensor forward(const Tensor& x, Mode mode) override { return Scale::forward(x, mode) + x.detach(); }
  };
  seen<Gradient>("its gradients in training are wrong");
  struct Follows : Scale {
    Tensor forward_then(const Tensor& x, Mode mode, const Epilogue&) override { return forward(x, mode); }
  };
  seen<Follows>("forward_then() is not forward() and then an addition");
  struct InTraining : Scale {
    Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override {
      return mode == Mode::train ? forward(x, mode) : then(forward(x, mode));
    }
  };
  seen<InTraining>("forward_then() is not forward() and then an addition");
  struct NoGelu : Scale {
    Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override {
      return (then.after == After::gelu ? Epilogue{.add = then.add} : then)(forward(x, mode));
    }
  };
  seen<NoGelu>("forward_then() is not forward() and then an addition and a GELU");
  struct NoPool : Layer {
    Tensor forward(const Tensor& x, Mode) override { return x * 2; }
    Tensor forward_then(const Tensor& x, Mode mode, const Epilogue& then) override {
      return Epilogue{.add = then.add, .after = then.after}(forward(x, mode));
    }
    bool pools() const override { return true; }
    std::string describe() const override { return "twice"; }
  };
  const std::string fault = layer_fault(NoPool(), random({2, 4, 4, 3}));
  CHECK_MESSAGE(fault.find(" and a pooling") != std::string::npos, fault);
}

TEST_CASE("check_layer sees a wrong shape, an input that is written to, and a parameter that is not trained") {
  struct Shapes : Scale {
    Shape output_shape(const Shape&) override { return {77}; }
  };
  seen<Shapes>("output_shape() is (77), forward() makes (3) of each example");
  struct Writes : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      Tensor y = x;
      for (int64_t i = 0; i < y.size(); ++i) y.mutable_data()[i] = abs(y.data()[i]);
      return Scale::forward(x, mode);
    }
  };
  seen<Writes>("it writes to its input");
  struct Detached : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      return mode == Mode::train ? scale_per_channel(x, a.detach()) : Scale::forward(x, mode);
    }
  };
  seen<Detached>("a is named by visit(), and forward() does not use it");
}

TEST_CASE(
    "check_layer sees a graph that is kept, a write that a gradient does not survive, and a parameter that is read "
    "once") {
  struct Keeps : Scale {
    Tensor forward(const Tensor& x, Mode mode) override { return last = Scale::forward(x, mode); }
    Tensor last;
  };
  seen<Keeps>("it keeps tensors of a batch's graph");
  static std::vector<std::shared_ptr<Tensor>> captured;  // to free the cycles at the end
  struct Captures : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      const auto y = captured.emplace_back(std::make_shared<Tensor>(exp(x.detach())));
      return Scale::forward(x, mode) + record(*y, {x}, [y](const Tensor& g) { return Grads{g * *y}; });
    }
  };
  seen<Captures>("a vjp must not capture the op's result");
  for (const auto& y : captured) *y = Tensor();
  captured.clear();
  struct WritesParameter : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      const Tensor y = Scale::forward(x, mode);
      if (mode == Mode::train) a.copy_from(a * real(0.5));
      return y;
    }
  };
  seen<WritesParameter>("was written to");
  struct Earlier : Scale {
    Tensor forward(const Tensor& x, Mode) override { return scale_per_channel(x, twice); }
    Tensor twice = a * 2;
  };
  seen<Earlier>("a is named by visit(), and forward() reads what was computed from it earlier");
}

TEST_CASE("check_layer sees examples that depend on each other, a lost batch axis, NaN, and a tensor made too late") {
  struct Centres : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      return add_per_channel(Scale::forward(x, mode), -mean_rows(x));
    }
  };
  seen<Centres>("in inference an example's result depends on the other examples of the batch");
  struct Averages : Scale {
    Tensor forward(const Tensor& x, Mode mode) override { return mean_rows(Scale::forward(x, mode)); }
  };
  seen<Averages>("forward() makes (3) of (4, 3): the first axis must be the batch");
  struct Logarithm : Scale {
    Tensor forward(const Tensor& x, Mode mode) override { return log(Scale::forward(x, mode)); }
  };
  CHECK(layer_fault(Logarithm(), random({4, 3})) == "its result is not finite");
  struct Late : Scale {
    Tensor forward(const Tensor& x, Mode mode) override {
      if (!b.defined()) b = Tensor::full({3}, 2).track();
      return add_per_channel(Scale::forward(x, mode), b);
    }
    void visit(Visitor& v) override { Scale::visit(v), v.parameter("b", b, true); }
    Owned b;
  };
  seen<Late>("visit() names b, and there is no tensor");
}
