// What a grader says about a learner's functions: laws in order, and what the first broken one expected and found.
//
//     void grade(Grade& g) {
//       g.law("biased", "The variance divides by m, the number of values.", "variance");
//       g.given("x", {1, 2, 3, 4});
//       g.equal("variance", 1.25, variance({1, 2, 3, 4}));
//     }
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "../../../core/engine/tensor.h"

namespace evenkeel::practice {

// Numbers as they are shown: a tensor (rows, channels), a row of a vector's, or one number.
struct Matrix {
  Matrix(double value) : Matrix(std::vector<double>{value}) {}
  Matrix(std::vector<double> row) : rows(1), columns(static_cast<int64_t>(row.size())), values(std::move(row)) {}
  Matrix(std::initializer_list<double> row) : Matrix(std::vector<double>(row)) {}
  Matrix(int64_t r, int64_t c, std::vector<double> v) : rows(r), columns(c), values(std::move(v)) {}
  Matrix(const Tensor& t);  // of any shape; one that is not defined has the shape "none"

  int64_t rows, columns;
  std::vector<double> values;
  std::string shape = {};  // of a tensor
};

// Thrown by the first check that fails; the runner reports it.
struct Broken {};

class Grade {
 public:
  // Begins a law: the checks that follow belong to it. `name`: a word or two, for tests; `sentence`: what must hold,
  // for the learner; `look`: a text in the learner's file, whose first line is the one to look at.
  void law(const std::string& name, const std::string& sentence, const std::string& look = "");

  // Shown above the numbers where the next checks of this law fail. Each name once: the last value stays.
  void given(const std::string& name, const Matrix& value);

  // |expected - found| <= tolerance * the largest |expected| (or 1, where all of them are 0), and the same shape.
  void equal(const std::string& what, const Matrix& expected, const Matrix& found, double tolerance = 1e-9);

  void same_shape(const std::string& what, const Shape& expected, const Tensor& found);

  // What no numbers show. `seen`: a sentence that says what was seen in place of what the law says.
  void holds(bool it_does, const std::string& seen);

  // Of what is left of the law when it fails: for the runner.
  struct Failure {
    std::string what, seen;
    std::vector<Matrix> pair;  // expected, found; or nothing
  };
  struct Law {
    std::string name, sentence, look;
    std::vector<std::pair<std::string, Matrix>> given;
  };
  const std::vector<Law>& laws() const { return laws_; }  // those begun
  const Failure& failure() const { return failure_; }

 private:
  std::vector<Law> laws_;
  Failure failure_;
};

}  // namespace evenkeel::practice

// Each grader defines it.
void grade(evenkeel::practice::Grade& g);
