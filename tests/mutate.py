#!/usr/bin/env python3
"""Injects small faults into all folders, and counts for each folder those that the tests catch.

    python3 tests/mutate.py [--only REGEX] [--survivors] [--list] [--jobs N] [--build FOLDER]

One build holds all faults, each beside the original: `(fault(17) ? (a - b) : (a + b))`. EVENKEEL_FAULT=17 switches one
on. 300 faults are drawn by rule, in proportion to the folders' lines; the others are chosen by hand. A fault is tried
with the test cases that reach it. One that survives is printed, and needs a test. Minutes for the build, seconds a
fault. Needs ninja and libclang (Debian: python3-clang).

A draw takes the least of a hash of the seed, the name of the file and the line: it stays where the code stays.
"""
import argparse
import collections
import concurrent.futures
import glob
import hashlib
import inspect
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

SEED = 2026
DRAWN = 300
TEXTS = ["VERSION"] + ["PRACTICE_" + s for s in ("COMPILER", "FLAGS", "BUILD", "INSTALLED")]  # of CMake
FOLDERS = ["core", "layers", "optim", "data", "apps"]
TOO_LONG = ["*soak_test.cpp", "*practice_answers_test.cpp"]  # the latter judges the graders, which have no faults

# file, what stands there (once), what is put in its place
FAULTS = [
    ("core/ops/elementwise.cpp", "Grads{g, -g}", "Grads{g, g}"),
    ("core/ops/elementwise.cpp", "b.tracked() ? -(da * y)", "b.tracked() ? (da * y)"),
    ("core/ops/elementwise.cpp", "return 2 * (g * a);", "return g * a;"),
    ("core/ops/elementwise.cpp", "real(-0.5) * (g * y * y * y)", "real(-0.5) * (g * y * y)"),
    ("core/base/scalar.h", "y > 0 ? g : relu(y)", "y >= 0 ? g : relu(y)"),
    ("core/base/scalar.h", "x < 0 ? real(0) : x", "x > 0 ? x : real(0)"),
    ("core/ops/elementwise.cpp", "g * y * (1 - y)", "g * y * (1 + y)"),
    ("core/ops/elementwise.cpp", "(1 - slope) * step(a)", "step(a)"),
    ("core/ops/elementwise.cpp", "step(high - a)", "step(high + a)"),
    ("core/engine/autograd.cpp", "sum = sum + g;", "sum = g;"),
    ("core/engine/autograd.cpp", "severed || (tracked && !recording())", "severed"),
    ("core/ops/matmul.cpp", "matmul(b, g, tb, true)", "matmul(b, g, !tb, true)"),
    ("core/ops/matmul.cpp", "tb ? matmul(g, a, true, ta)", "tb ? matmul(g, a, true, !ta)"),
    ("core/ops/reduce.cpp", "k = 2 * g.item()", "k = g.item()"),
    ("core/ops/reduce.cpp", "s += partial[", "s = partial["),
    ("core/ops/reduce.cpp", "in + r / positions * channels", "in + r % examples * channels"),
    ("core/kernels/rows.h", "f(at, j, p[j], q[j])", "f(at, j, p[j], p[j])"),
    ("core/kernels/rows.h", "fold(q, b);", "fold(p, b);"),
    ("core/ops/epilogue.cpp", "after == After::gelu ? gelu(y) : y", "y"),
    ("core/ops/epilogue.cpp", "if (has_add) d.push_back(dv);", "if (has_add) d.push_back(g);"),
    ("core/kernels/finish.cpp", "bias = bias_.data() + channel;", "bias = bias_.data();"),
    ("core/kernels/gemm.cpp", "i < j ? squares : 0", "i < j ? k : 0"),
    ("core/kernels/gemm.cpp", "p += depth, add = true", "p += depth"),
    ("core/kernels/gemm.cpp", "(add ? c[r * ldc + s] : real(0))", "real(0)"),
    ("core/kernels/gemm.cpp", "add || p > 0", "add"),
    ("core/kernels/gemm.cpp", "row[i] = a.a + a.rows[i]", "row[i] = a.a + a.rows[0]"),
    ("core/kernels/gemm.cpp", "if (finish) (*finish)(c, m, 0, n);", ""),
    ("core/kernels/winograd_scheme.h", "out[n - 1] += in[from - 1];", "out[n - 1] = in[from - 1];"),
    ("core/kernels/winograd.cpp", "S::taps - 1 - a.padding, Finish()", "a.padding, Finish()"),
    ("core/kernels/winograd.cpp", "first > 0, v, z, sum", "false, v, z, sum"),
    ("core/kernels/winograd.cpp", "begin > first, v, z, sum", "true, v, z, sum"),
    ("core/kernels/winograd_tiles.h", "if (finish) finish(to, across, 0, tiles.c);", ""),
    ("core/kernels/winograd_tiles.h", "place.i0 <= i && i < place.i1", "place.i0 <= i"),
    ("core/kernels/winograd_tiles.h", "j0 <= j && j < j1", "j0 <= j"),
    ("core/kernels/pool.cpp", "r1 = std::min(a.size, a.h - top)", "r1 = std::min(a.size, a.h - top - 1)"),
    ("core/ops/rearrange.cpp", "square[i] = vec(x + (k + i) * x_step + j);", "square[i] = vec(x + k * x_step + j);"),
    ("core/ops/loss.cpp", "dr[c] * scale - low;", "dr[c] * scale;"),
    ("core/ops/loss.cpp", "dr[labels[r]] -= target.hit / count;", "dr[labels[r]] -= target.hit;"),
    ("core/ops/loss.cpp", "rest(s / static_cast<real>(classes))", "rest(s / static_cast<real>(classes - 1))"),
    ("core/ops/loss.cpp", "e[i] = x[i] - m;", "e[i] = x[i];"),
    ("core/kernels/conv.cpp", "std::clamp<int64_t>(-left, 0, width)", "std::clamp<int64_t>(-left - 1, 0, width)"),
    ("core/kernels/conv.cpp", "i < h && begin < end", "i < h - 1 && begin < end"),
    ("core/kernels/conv.cpp", "std::fill(to + end * c, to + width * c, real(0));", ""),
    ("core/kernels/conv.cpp", "packed.data, b > first", "packed.data, true"),
    ("core/kernels/conv.cpp", "band.begin * a.stride - a.padding", "band.begin * a.stride"),
    ("core/kernels/conv.cpp", "first((phase + a.padding) % a.stride)", "first(phase % a.stride)"),
    ("core/kernels/normalize.h", "rstd[g] = 1 / std::sqrt(var[g] + eps);", "rstd[g] = 1 / (std::sqrt(var[g]) + eps);"),
    ("core/kernels/normalize.h", "const double r = affine.rstd[g], s = -r * r * b / count;", "const double r = affine.rstd[g], s = -r * b / count;"),
    ("core/kernels/normalize.h", "static_cast<real>(-r * a / count - affine.below[g] * s)", "static_cast<real>(-affine.below[g] * s)"),
    ("core/kernels/normalize.cpp", "shift[j] + more[i])", "shift[j])"),
    ("core/kernels/normalize.cpp", "(sums.gx[c] - a.below[group] * sums.g[c])", "(sums.gx[c])"),
    ("core/kernels/normalize.h", "static_cast<real>(gamma[c] * r);", "static_cast<real>(gamma[c] * r * (1 + 1e-7));"),
    ("core/base/random.cpp", "below(static_cast<uint64_t>(i) + 1)", "below(static_cast<uint64_t>(i))"),
    ("core/base/random.cpp", "while (s >= 1 || s == 0);", "while (s == 0);"),
    ("core/io/file.cpp", "if (::fsync(part.file()) != 0)", "if (false)"),
    ("core/io/file.cpp", "if ((status.st_mode & 0222) == 0)", "if (false)"),
    ("core/io/file.cpp", "link.st_uid != ::geteuid() &&", "false &&"),
    ("core/io/file.cpp", "::flock(*part, LOCK_EX | LOCK_NB) == 0)", "true)"),
    ("core/base/memory.cpp", "before->second += size;", "before->second = size;"),
    ("core/base/memory.cpp", "static_cast<size_t>(list.stats.live_bytes) + size > list.most", "false"),
    ("core/base/memory.cpp", "next->first == at + size", "next->first >= at + size"),
    ("core/io/file.cpp", "if (!name_.empty()) ::unlink(name_.c_str());", ""),
    ("layers/norm/batch_norm.cpp", "rows_of_part / (rows_of_part - 1) : 1;", "(rows_of_part - 1) / rows_of_part : 1;"),
    ("layers/norm/batch_norm.cpp", "const double a = options.cumulative ? batch.rows / all", "const double a = options.cumulative ? 1 / (t + 1)"),
    ("layers/norm/batch_norm.cpp", "if (mode == Mode::train) average(", "if (mode != Mode::eval) average("),
    ("layers/norm/running_norm.cpp", "!all(mean, finite) || !all(batch_spread, finite)", "!all(mean, finite)"),
    ("layers/norm/running_norm.cpp", "step = a / w;", "step = a;"),
    ("layers/model/checkpoint.cpp", "if (value.shape().rank() == 4) value = to_channels_last(value);", ""),
    ("layers/model/checkpoint.cpp", "!t.name.starts_with(own_prefix) && !known.contains(t.name)", "false"),
    ("layers/model/safetensors.cpp", "need(at == data_size,", "need(at <= data_size,"),
    ("layers/model/safetensors.cpp", "need(checksum_text(sum) == found->second,", "need(true,"),
    ("layers/model/fold.cpp", "(b[k] - statistics.mean.data()[k])", "(b[k] + statistics.mean.data()[k])"),
    ("layers/init.cpp", "std::sqrt(2 / fan_in)", "std::sqrt(2 / fan_out)"),
    ("layers/init.cpp", "std::sqrt(6 / (fan_in + fan_out))", "std::sqrt(3 / (fan_in + fan_out))"),
    ("layers/sequential.cpp", "(channels_ - x.channels()) / 2, channels_", "0, channels_"),
    ("layers/sequential.cpp", "next.after != After::nothing) return then(", "false) return then("),
    ("layers/model/inspect.cpp", "share * static_cast<double>(rows - 1)", "share * static_cast<double>(rows)"),
    ("layers/model/spec.cpp", "left_.values -= out.size();", ""),
    ("layers/model/spec.cpp", "left_.weights = arguments.left_.weights - kept;", ""),
    ("layers/model/vocabulary.cpp", "height * width * std::max(c, ", "height * width * std::min(c, "),
    ("layers/model/spec.cpp", "i + 1 == flat.size() || !kind_of(*flat[i + 1]).cancels_bias", "true"),
    ("layers/dropout.h", "Random same = random;", "Random& same = random;"),
    ("optim/sgd.cpp", "v[j] = momentum * v[j] + d;", "v[j] = momentum * v[j] + (1 - momentum) * d;"),
    ("optim/sgd.cpp", "p.decay || options_.decay_all", "true"),
    ("optim/sgd.cpp", "along = options_.nesterov ? momentum : 1;", "along = 1;"),
    ("optim/clip.cpp", "const double share = max_norm / norm;", "const double share = max_norm;"),
    ("optim/schedule.cpp", "static_cast<double>(t + 1)", "static_cast<double>(t)"),
    ("optim/schedule.cpp", "t >= drop ? factor", "t > drop ? factor"),
    ("optim/schedule.cpp", "static_cast<double>(t - warmup)", "static_cast<double>(t)"),
    ("optim/curvature/eigenvalue.cpp", "inner(q, next), q)", "inner(q, next) / 2, q)"),
    ("data/formats/bytes.cpp", "total / 1032 <= stored_.size()", "true"),
    ("data/formats/cifar.cpp", "label >= data.classes", "label > data.classes"),
    ("data/formats/idx.cpp", "image[y * width + x] = stored[x * height + y]", "image[y * width + x] = stored[y * width + x]"),
    ("data/loader.cpp", "(width - 1 - x) * channels + c", "(width - x) * channels + c"),
    ("data/loader.cpp", "(options.shuffle && rest < 2 * options.shards && batch > 1)", "false"),
    ("data/loader.cpp", "requested_ = first_batch;", "requested_ = 0;"),
    ("data/loader.cpp", "std::clamp<int64_t>(width - right, 0, width)", "std::clamp<int64_t>(width - right - 1, 0, width)"),
    ("apps/train/run.cpp", ".lr = schedule_.at(step_number() - 1)", ".lr = schedule_.at(step_number())"),
    ("apps/train/run.cpp", "step_number() % o_.checkpoint_every == 0", "step_number() % o_.checkpoint_every == 1"),
    ("apps/train/run.cpp", "chooser.correct > state_.best_correct", "chooser.correct >= state_.best_correct"),
    ("apps/train/run.cpp", "state_.loss_sum += result.loss * static_cast<double>(result.count);", "state_.loss_sum += result.loss;"),
    ("apps/trainer/trainer.cpp", "schedule_.at(steps)));", "schedule_.at(steps + 1)));"),
    ("apps/train/progress.cpp", "static_cast<double>(epoch_images_) / epoch_clock_.seconds();",
     "static_cast<double>(images_here_) / epoch_clock_.seconds();"),
    ("apps/train/progress.cpp", "std::max(images_left, 0.0)", "std::max(static_cast<double>(state.seen), 0.0)"),
    ("apps/train/run.cpp", "rows_.resize(static_cast<size_t>(state_.epoch - 1));", ""),
    ("apps/trainer/evaluate.cpp", "item() * static_cast<double>(n)", "item() * static_cast<double>(batch_size)"),
    ("apps/trainer/evaluate.cpp", "seen_as(batch.x, v), Mode::eval)", "seen_as(batch.x, v), Mode::probe)"),
    ("apps/report/axis.cpp", "{chart.log_y, {}, y_bottom, y_top}", "{chart.log_y, {}, y_top, y_bottom}"),
    ("apps/report/plot.cpp", "(s.dashed > 0) != dashed", "(s.dashed > 0) == dashed"),
    ("apps/report/plot.cpp", "colors[static_cast<size_t>(s.color) % std::size(colors)],\n", "colors[0],\n"),
    ("apps/report/axis.cpp", "n == 0 ? 0 : n * step", "n * step + step"),
    ("apps/report/run_log.cpp", 'loss.series = {curve("training", rows, train_loss, 0, true)',
     'loss.series = {curve("training", rows, test_loss, 0, true)'),
    ("apps/report/run_log.cpp", "r.validation_accuracy = v[9];", "r.validation_accuracy = v[8];"),
    ("apps/train/state.cpp", 'visit("batch", s.batch);', ""),
    ("apps/train/state.cpp", "Tensor(v.value).copy_from(value);", ""),
    ("apps/cli/console.cpp", "(digits.size() - i) % 3 == 0", "i % 3 == 0"),
    ("apps/cli/console.cpp", "s / 60 % 60", "s / 60"),
    ("apps/cli/suggest.cpp", "if (distance < least) {", "if (distance <= least) {"),
    ("apps/commands/doctor.cpp", "root - 1));", "root));"),
    ("apps/commands/doctor.cpp", "best(train) != best(eval)", "best(train) == best(eval)"),
    ("apps/bench/bench.cpp", "(w.training ? 3 : 1)", "(w.training ? 2 : 1)"),
    ("apps/bench/bench.cpp", "n * 9 / 10", "n / 10"),
    ("apps/commands/recalibrate.cpp", "const double before = accuracy();", "const double before = 0;"),
    ("apps/train/command.cpp", "c == '\\'' ?", "c == '_' ?"),
    ("apps/train/command.cpp", "std::reverse(arguments.begin(), arguments.end());  // CLI11's order", ""),
    ("apps/formats/onnx.cpp", "((to - from) / 2 + c)", "((to - from) + c)"),
    ("apps/formats/onnx.cpp", "static_cast<float>(batch ? batch->options.eps : 0)", "1e-5f"),
    ("apps/formats/npz.cpp", "append(directory, 4, offset);", "append(directory, 4, 0);"),
    ("apps/formats/network_file.cpp", "m.activation = text(\"activation\");", ""),
    ("apps/lab/lab.cpp", "std::abs(measured - predicted) <= allowed", "std::abs(measured - predicted) >= allowed"),
]

# Drawn faults that no test can see, each with its reason: (file, part of the line, "old -> new", reason).
EQUIVALENT = [
    ("core/base/memory.cpp", "const uintptr_t aligned =", "1 -> 1 - 1",
     "aligned as well, and a huge page more is reserved than is used"),
    ("core/base/memory.cpp", "void* p = mmap(nullptr, size_ + huge_page", "1 -> 1 - 1",
     "the file of an anonymous mapping is not looked at"),
    ("core/kernels/conv.cpp", "height(std::clamp<int64_t>(positions / std::max<int64_t>(1, columns)", "1 -> 1 + 1",
     "images one column wide are cut into twice as many bands: speed only"),
    ("data/synthetic.cpp", "scale = length2 > 0 ? 1 / length2 : 0,", "0 -> 0 + 1",
     "what it multiplies is 0 where the length is"),
    ("apps/report/sheet.cpp", "if (side > 128)", "128 -> 128 - 1",
     "a picture of 128 pixels is as it was either way: fit_picture() leaves one of the right size alone"),
    ("apps/lab/landscape/jacobian.cpp", '"J 1 = 0: rows sum to nothing"', "1e-13 -> 2 * 1e-13",
     "a tolerance twice as wide"),
    ("apps/lab/gradients/saturation.cpp", "shrunk, 1e-3);", "1e-3 -> 2 * 1e-3", "a tolerance twice as wide"),
    ("apps/lab/decay/decay.cpp", "Tensor::normal({10, 3}, random), ones(10)};", "3 -> 3 + 1",
     "a class more that no label names: the statement holds for either"),
    ("apps/lab/applications/mistakes.cpp", "t < 2000", "2000 -> 2000 + 1",
     "a batch more: the statement holds for either"),
    ("apps/lab/transform/transform.cpp", "const Tensor unit = standardise(Tensor::normal({256, 1}", "256 -> 256 + 1",
     "a draw more, then standardised: the statement holds for either"),
    ("apps/lab/decay/scale.cpp", "return cross_entropy(logits(w), {0, 1, 2, 3,", "3 -> 3 - 1",
     "another label of one example: the statements hold for either"),
    ("apps/lab/renorm/renorm.cpp", 'const Series seen{fmt::format("measured, batches of {}"', "1 -> 1 - 1",
     "another colour of the eight; the two curves stay apart"),
]

OPERATORS = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"], "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="],
    ">=": [">", "<"], "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"], "&": ["|"], "|": ["&"], "^": ["&"],
    "<<": [">>"], ">>": ["<<"], "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "|=": ["&="], "&=": ["|="],
}
RULES = ["operator", "constant", "condition", "statement"]

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Included before everything else in the copy.
SWITCH = """#pragma once
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
// Which fault is on; and, while what tests reach is recorded, a byte for each, in a file that all processes share.
inline const int fault_on = [] { const char* k = getenv("EVENKEEL_FAULT"); return k ? atoi(k) : -1; }();
inline unsigned char* const fault_reached = [] {
  const char* path = getenv("EVENKEEL_REACHED");
  const int file = path ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  void* bytes = file < 0 ? MAP_FAILED : mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  return bytes == MAP_FAILED ? nullptr : static_cast<unsigned char*>(bytes);
}();
inline bool fault(int k) {
  if (fault_reached) fault_reached[k] = 1;
  return k == fault_on;
}
"""

# At the end of the tests' main file: a line for each test case, its processor time, the faults it reaches, its name.
LISTENER = """
#include <sys/resource.h>
#include <cstdio>
#include <cstring>
struct Ways : doctest::IReporter {
  FILE* out = nullptr;
  const char* name = "";
  double begin = 0;
  explicit Ways(const doctest::ContextOptions&) {
    if (const char* path = getenv("EVENKEEL_WAYS")) out = std::fopen(path, "w");
  }
  static double seconds() {
    double sum = 0;
    for (int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
      rusage u{};
      getrusage(who, &u);
      sum += double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * double(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    }
    return sum;
  }
  void test_case_start(const doctest::TestCaseData& t) override {
    if (out) name = t.m_name, begin = seconds(), std::memset(fault_reached, 0, 65536);
  }
  void test_case_end(const doctest::CurrentTestCaseStats& s) override {
    if (!out) return;
    std::fprintf(out, "%d\\t%.3f\\t", s.failure_flags == 0, seconds() - begin);
    for (int k = 0; k < 65536; ++k)
      if (fault_reached[k]) std::fprintf(out, "%d ", k);
    std::fprintf(out, "\\t%s\\n", name);
    std::fflush(out);
  }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("ways", 1, Ways);
"""


def sources(folder):
    """Without the exercises of the practice: their graders have wrong answers of their own."""
    for path, folders, names in os.walk(os.path.join(root, folder)):
        folders[:] = sorted(f for f in folders if f != "exercises")
        yield from (os.path.relpath(os.path.join(path, n), root) for n in sorted(names) if n.endswith((".cpp", ".h")))


def read(file):
    with open(os.path.join(root, file), "rb") as f:
        return f.read()


def write(path, text):
    """Leaves a file alone that holds this already: ninja would compile anew what reads it."""
    if os.path.exists(path):
        with open(path, "rb") as f:
            if f.read() == text:
                return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(text)


def number(*key):
    return int.from_bytes(hashlib.sha256(repr((SEED, *key)).encode()).digest()[:8], "big")


class Parser:
    """The places of a file where a fault can be: those of the rules, and all that can be exchanged as a whole."""

    def __init__(self, build):
        import clang.cindex
        self.clang, self.build = clang.cindex, build
        blas = [f"-I{f}" for f in glob.glob("/usr/include/*/openblas-*")]
        self.arguments = ["-x", "c++", "-std=c++20", f"-I{root}", "-march=native", "-w", "-Wno-c++11-narrowing", "-fpch-instantiate-templates",
                          "-DZLIB_CONST", *(f'-DEVENKEEL_{name}=""' for name in TEXTS), *blas]

    def prepare(self):  # the headers from outside, once
        texts = [read(file) for folder in FOLDERS for file in sources(folder)]
        names = sorted({n.decode() for text in texts for n in re.findall(rb"^#include (<.*>)", text, re.M)})
        wanted = "".join(f"#if __has_include({n})\n#include {n}\n#endif\n" for n in names)
        path = os.path.join(self.build, f"outside-{hashlib.sha256(wanted.encode()).hexdigest()[:16]}.h")
        if not os.path.exists(path + ".pch"):
            write(path, wanted.encode())
            write(os.path.join(self.build, "double.h"), b"#define EVENKEEL_DOUBLE\n#define evenkeel evenkeel_f64\n")
            unit, for_serialisation = self.clang.TranslationUnit, 0x10
            unit.from_source(path, self.arguments[:1] + ["c++-header"] + self.arguments[2:],
                             options=unit.PARSE_INCOMPLETE | for_serialisation).save(path + ".pch")
        self.arguments += ["-include-pch", path + ".pch"]

    def places(self, file):
        """([(start, end, rule, new text)], [(start, end, is an expression)]), in bytes."""
        text = read(file)
        cache = os.path.join(self.build, "places", hashlib.sha256(text + PARSER).hexdigest())
        if os.path.exists(cache):
            with open(cache) as f:
                return json.load(f)
        if "-include-pch" not in self.arguments:
            self.prepare()
        scalar = ["-include", os.path.join(self.build, "double.h")] * file.startswith("apps/lab/")
        unit = self.clang.Index.create(excludeDecls=True).parse(os.path.join(root, file), args=self.arguments + scalar)
        errors = [str(d) for d in unit.diagnostics if d.severity >= 3]
        if errors:
            print(f"{file}: libclang: {errors[0]}", file=sys.stderr)
        self.text, self.found, self.whole = text, {}, {}
        for cursor in unit.cursor.get_children():
            if cursor.location.file and cursor.location.file.name == os.path.join(root, file):
                self.visit(cursor)
        result = [[*k, v] for k, v in sorted(self.found.items())], [[*k, v] for k, v in sorted(self.whole.items())]
        write(cache, json.dumps(result).encode())
        return result

    def add(self, start, end, rule, *new):
        line = self.text[self.text.rfind(b"\n", 0, start) + 1 : start]
        choice = number("choice", line.decode(), self.text[start:end].decode()) % len(new)
        self.found.setdefault((start, end, rule), new[choice])

    def add_condition(self, start, end, loops):
        self.add(start, end, "condition", "false", *([] if loops else ["true", f"!({self.text[start:end].decode()})"]))

    def visit(self, cursor):
        K, text = self.clang.CursorKind, self.text
        start, end = cursor.extent.start.offset, cursor.extent.end.offset
        kind, own = cursor.kind, text[start:end].decode()
        # What the compiler evaluates cannot be switched.
        if kind in (K.STATIC_ASSERT, K.ENUM_DECL, K.TEMPLATE_NON_TYPE_PARAMETER, K.TEMPLATE_TYPE_PARAMETER):
            return
        if kind in (K.VAR_DECL, K.FUNCTION_DECL, K.CXX_METHOD, K.FUNCTION_TEMPLATE, K.CONSTRUCTOR):
            if b"constexpr" in text[start : cursor.location.offset]:
                return
        children = list(cursor.get_children())
        span = lambda c: (c.extent.start.offset, c.extent.end.offset)
        if kind.is_expression() and own and own[0] not in "{[":
            self.whole.setdefault((start, end), True)
        if kind == K.COMPOUND_STMT:
            self.whole[start, end] = False

        if kind in (K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR, K.CALL_EXPR) and len(children) in (2, 3):
            (a, b), (c, d) = span(children[0]), span(children[-1])
            old = re.sub(r"//.*|/\*.*?\*/", "", text[b:c].decode()).strip()
            of = cursor.type.get_canonical()
            shift_of_objects = old in ("<<", ">>") and of.kind.value > self.clang.TypeKind.LONGDOUBLE.value
            sensible = not shift_of_objects and "string" not in of.spelling
            if a == start and d == end and b <= c and old in OPERATORS and sensible:
                left, right = text[a:b].decode(), text[c:d].decode()
                self.add(start, end, "operator", *(f"{left} {new} {right}" for new in OPERATORS[old]))
        elif kind == K.UNARY_OPERATOR and len(children) == 1:
            if own[:1] in ("!", "-") and own[1:2] not in ("-", "="):
                self.add(start, end, "operator", own[1:])
            elif "++" in own[:2] + own[-2:] or "--" in own[:2] + own[-2:]:
                self.add(start, end, "operator", own.replace("++", "--") if "++" in own else own.replace("--", "++"))
        elif kind == K.INTEGER_LITERAL and own[:1].isdigit():
            zero = not re.search("[1-9a-fA-F]", own)
            self.add(start, end, "constant", f"{own} + 1", *([] if zero else [f"{own} - 1"]))
        elif kind == K.FLOATING_LITERAL and own[:1].isdigit():
            self.add(start, end, "constant", f"2 * {own}" if re.search("[1-9]", own.split("e")[0]) else f"{own} + 1")
        elif kind == K.CXX_BOOL_LITERAL_EXPR and own in ("true", "false"):
            self.add(start, end, "constant", "false" if own == "true" else "true")

        bodies = children if kind == K.COMPOUND_STMT else children[-1:] if kind == K.CXX_FOR_RANGE_STMT else []
        if kind == K.CONDITIONAL_OPERATOR:
            self.add_condition(*span(children[0]), False)
        if kind in (K.IF_STMT, K.WHILE_STMT, K.FOR_STMT, K.DO_STMT):
            bodies = []
            for child in children:
                a, b = span(child)
                around = text[start:a].decode().rstrip()[-1:] + text[b : b + 9].decode().lstrip()[:1]
                in_head = around in ("()", ";)", ";;", "(;")
                if not in_head:
                    bodies.append(child)
                elif child.kind.is_expression() and around in (("()", ";)") if kind != K.FOR_STMT else (";;",)):
                    if own.startswith("if constexpr"):
                        children = [c for c in children if c is not child]
                    else:
                        self.add_condition(a, b, kind != K.IF_STMT)
        for child in bodies:
            a, b = span(child)
            semicolon = text.find(b";", b)
            removable = child.kind.is_expression() or child.kind in (K.BREAK_STMT, K.CONTINUE_STMT)
            if removable and a < b and not text[b:semicolon].strip():
                self.add(a, semicolon + 1, "statement", "")
        for child in children[1:] if kind == K.CASE_STMT else children:
            self.visit(child)


def parse(build, file):
    Parser(build).places(file)


PARSER = (inspect.getsource(Parser) + repr(OPERATORS)).encode()


class Fault:
    def __init__(self, file, text, start, end, rule, new, shown):
        self.file, self.start, self.end, self.rule, self.new = file, start, end, rule, new
        first = text.rfind(b"\n", 0, start) + 1
        self.line = text.count(b"\n", 0, start) + 1
        self.lines = text.count(b"\n", start, end)
        self.code = text[first : text.find(b"\n", start)].decode().strip()
        self.old = " ".join(text[start:end].decode().split())
        self.change = shown or f"{self.old} -> {' '.join(new.split()) or 'nothing'}"
        self.key = f"{file}: {self.code} | {self.change}"
        self.reason = next((why for f, part, change, why in EQUIVALENT
                            if f == file and part in self.code and change == self.change), None)

    def __str__(self):
        within = "" if self.code.startswith(self.old) else f"   in   {self.code}"
        return f"{self.file}:{self.line}: {self.change}{within}"


def draw(parser, refused):
    """A folder's share of the 300 is that of its lines, a quarter of it for each rule. `refused` do not compile."""
    lines = {folder: sum(read(f).count(b"\n") for f in sources(folder)) for folder in FOLDERS}
    share = {f: DRAWN * n / sum(lines.values()) for f, n in lines.items()}
    count = {f: int(s) for f, s in share.items()}
    for f in sorted(FOLDERS, key=lambda f: count[f] - share[f])[: DRAWN - sum(count.values())]:
        count[f] += 1
    drawn = []
    for folder in FOLDERS:
        by_rule, seen = collections.defaultdict(list), collections.Counter()
        for file in sources(folder):
            text = read(file)
            for start, end, rule, new in parser.places(file)[0]:
                fault = Fault(file, text, start, end, rule, new, None)
                seen[fault.key] += 1
                if seen[fault.key] > 1:
                    fault.key += f" | {seen[fault.key]}"
                by_rule[rule].append(fault)
        for i, rule in enumerate(RULES):
            order = sorted((f for f in by_rule[rule] if f.key not in refused), key=lambda f: number(os.path.basename(f.file), f.key[len(f.file) :]))
            drawn += order[: (count[folder] + i) // len(RULES)]
    return drawn


def by_hand(parser, levels):
    """The faults of the list. The least expression or block around what changes is exchanged; where that does not
    compile, the next larger: its level, from 0 on, stands in `levels`."""
    chosen = []
    for file, old, new in FAULTS:
        text = read(file)
        if text.count(old.encode()) != 1:
            print(f"not there exactly once ({text.count(old.encode())}): {file}: {old!r}", file=sys.stderr)
            continue
        at, a, b = text.find(old.encode()), old.encode(), new.encode()
        while a[:1] == b[:1] and a:
            at, a, b = at + 1, a[1:], b[1:]
        while a[-1:] == b[-1:] and a:
            a, b = a[:-1], b[:-1]
        end = at + len(a)
        around = sorted((e - s, s, e, whole) for s, e, whole in parser.places(file)[1] if s <= at and end <= e)
        fault = Fault(file, text, at, end, "by hand", "", f"{old!r} -> {new!r}")
        level = levels.get(fault.key, 0)
        if level >= len(around):
            print(f"no place for it: {fault}", file=sys.stderr)
            continue
        _, fault.start, fault.end, expression = around[level]
        fault.new = (text[fault.start : at] + b + text[end : fault.end]).decode()
        fault.rule = "by hand" if expression else "block by hand"
        chosen.append(fault)
    return chosen


def one_line(code):  # so that the numbers of the lines stay
    quiet = lambda m: " " if m[0].startswith(("//", "/*")) else m[0]
    code = re.sub(r"#pragma ([^\n]*)", r'_Pragma("\1")', code)
    code = re.sub(r'R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\])+\'|//[^\n]*|/\*(?:.|\n)*?\*/', quiet, code)
    return code if 'R"(' in code else code.replace("\n", " ")


def render(text, faults):
    """The file's text with both forms of each fault. Places lie within each other or apart."""
    def inside(start, end, faults):
        out, at = [], start
        while faults:
            k, f = faults[0]
            within = [g for g in faults[1:] if g[1].end <= f.end]
            faults = faults[1 + len(within):]
            original, new = inside(f.start, f.end, within), one_line(f.new)
            if f.rule == "statement":
                changed = f"{{ if (!fault({k})) {original} }}"
            elif f.rule == "block by hand":
                changed = f"{{ if (fault({k})) {new} else {original} }}"
            else:
                changed = f"(fault({k}) ? ({new}) : ({original}))"
            out += [text[at : f.start].decode(), changed]
            at = f.end
        return "".join(out) + text[at:end].decode()

    outer_first = lambda f: (f[1].start, -f[1].end, f[1].rule != "statement")
    return inside(0, len(text), sorted(faults, key=outer_first)).encode()


class Work:
    """The folder of the build and what is known of the faults, kept from one run to the next."""

    def __init__(self, build):
        self.build, self.source, self.binaries = build, os.path.join(build, "source"), os.path.join(build, "build")
        os.makedirs(build, exist_ok=True)
        self.switch = os.path.join(build, "fault.h")
        write(self.switch, SWITCH.encode())
        self.path = os.path.join(build, "state.json")
        self.state = {"refused": [], "levels": {}, "numbers": {}, "results": {}}
        if os.path.exists(self.path):
            with open(self.path) as f:
                self.state = json.load(f)

    def save(self):
        with open(self.path + ".part", "w") as f:
            json.dump(self.state, f, indent=1)
        os.replace(self.path + ".part", self.path)

    def number(self, faults):
        """{number: fault}. A fault keeps its number, so that little is compiled anew where few faults are others."""
        numbers = self.state["numbers"]
        for f in faults:
            numbers.setdefault(f.key, len(numbers))
        self.save()
        return {numbers[f.key]: f for f in faults}

    def copy(self, faults):
        """The copy of the sources with all faults in it. What has not changed keeps its time."""
        in_file = collections.defaultdict(list)
        for k, fault in faults.items():
            in_file[fault.file].append((k, fault))
        wanted = set()
        for path, folders, names in os.walk(root):
            folders[:] = [f for f in folders if not f.startswith("build") and f not in (".git", "runs")]
            for name in names:
                file = os.path.relpath(os.path.join(path, name), root)
                text = read(file)
                if file in in_file:
                    # Not by an option of the compiler: exercises are compiled with its options, too, and begin with
                    # a header that is precompiled.
                    text = f'#include "{self.switch}"\n#line 1\n'.encode() + render(text, in_file[file])
                if file == "tests/main.cpp":
                    text = f'#include "{self.switch}"\n'.encode() + text + LISTENER.encode()
                if file == "apps/CMakeLists.txt":  # compiles faster
                    text += b"\nforeach(t evenkeel_program evenkeel_lab)\n  target_compile_options(${t} PRIVATE -O0)\nendforeach()\n"
                target = os.path.join(self.source, file)
                wanted.add(target)
                write(target, text)
                shutil.copymode(os.path.join(root, file), target)
        for path, _, names in os.walk(self.source):
            for name in names:
                if os.path.join(path, name) not in wanted:
                    os.remove(os.path.join(path, name))

    def compile(self, jobs):
        """None, or the compiler's words."""
        settings = {"BUILD_TYPE": "Debug", "CXX_FLAGS_DEBUG": "-O1 -w -Wno-narrowing", "CXX_FLAGS": "-Wno-narrowing",
                    "DISABLE_PRECOMPILE_HEADERS": "ON"}
        options = [f"-DCMAKE_{name}={value}" for name, value in settings.items()]
        subprocess.run(["cmake", "-S", self.source, "-B", self.binaries, "-G", "Ninja", *options],
                       check=True, stdout=subprocess.DEVNULL)
        targets = ["test_double", "test_float", "test_program", "evenkeel_lab", "evenkeel_practice"]
        built = subprocess.run(["ninja", "-C", self.binaries, "-k", "0", f"-j{jobs}", *targets],
                               capture_output=True, text=True, errors="replace")
        return built.stdout + built.stderr if built.returncode else None

    def refuse(self, words, faults):
        """Takes out the faults in lines that do not compile: others are drawn, those by hand take a larger place."""
        at = lambda pattern: {(os.path.relpath(f, self.source), int(n)) for f, n in re.findall(pattern, words, re.M)}
        place = "^(" + re.escape(self.source) + r"/[^:\n]+):(\d+):\d+: +"
        for lines in at(place + "(?:fatal )?error:"), at(place + "(?:error|note|  required)"):
            found = [f for f in faults.values()
                     if any(f.file == file and f.line <= n <= f.line + f.lines for file, n in lines)]
            drawn_in = {f.file for f in found if f.rule in RULES}
            for f in found:
                if f.rule in RULES:
                    self.state["refused"].append(f.key)
                elif f.file in drawn_in:
                    continue  # the drawn ones may have been the cause
                else:
                    self.state["levels"][f.key] = self.state["levels"].get(f.key, 0) + 1
                print(f"does not compile: {f}", flush=True)
            self.save()
            if found:
                return
        sys.exit(words[-4000:])

    def commands(self):
        """{name: command}: the test programs, and the laboratory's experiments."""
        found = {}
        for tests in "double", "float", "program":
            found[tests] = [f"{self.binaries}/tests/test_{tests}", f"--source-file-exclude={','.join(TOO_LONG)}"]
        lab = f"{self.binaries}/evenkeel-lab"
        for line in subprocess.run([lab, "list"], capture_output=True, text=True, check=True).stdout.splitlines():
            found[f"lab {line.split()[0]}"] = [lab, line.split()[0], "--quick", "--threads", "1"]
        return found


def run(command, environment, seconds, clock):
    """(whether it passes, processor seconds, the end of its output). What loops or waits for ever fails."""
    def limit():
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds)))
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="evenkeel-fault-") as folder:
        begin = time.time()
        with open(os.path.join(folder, "output"), "wb") as out:
            process = subprocess.Popen(command, env={**os.environ, **environment, "TMPDIR": folder}, cwd=folder,
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=limit)
            deadline = begin + clock
            while True:
                done, status, usage = os.wait4(process.pid, os.WNOHANG)
                if done or time.time() > deadline:
                    break
                time.sleep(0.01)
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            if not done:
                _, status, usage = os.wait4(process.pid, 0)
            process.returncode = status
        with open(os.path.join(folder, "output"), "rb") as f:
            words = f.read()[-3000:].decode(errors="replace")
        return status == 0, usage.ru_utime + usage.ru_stime, words


def record(work, commands, jobs):
    """[(program, test case, the faults it reaches, processor seconds)]; an experiment of the lab is a case."""
    def one(program):
        name = program.replace(" ", ".")
        reached, ways = os.path.join(work.build, f"reached.{name}"), os.path.join(work.build, f"ways.{name}")
        with open(reached, "wb") as f:
            f.write(bytes(65536))
        open(ways, "w").close()
        environment = {"EVENKEEL_REACHED": reached, "EVENKEEL_WAYS": ways}
        passes, seconds, words = run(commands[program], environment, 1800, 3600)
        if not passes:
            print(f"{program} does not pass without a fault\n{words}", flush=True)
        if program.startswith("lab "):
            with open(reached, "rb") as f:
                return [(program, "", {k for k, byte in enumerate(f.read()) if byte}, seconds)] if passes else []
        with open(ways) as f:
            lines = [line.rstrip("\n").split("\t") for line in f]
        faults = lambda text: {int(k) for k in text.split()}
        return [(program, case, faults(reach), float(t)) for good, t, reach, case in lines if good == "1"]

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return [case for cases in pool.map(one, commands) for case in cases]


def try_fault(k, known, commands, cases):
    """(the test that catches it or None, how many reach it). What caught it before comes first, then what is quick."""
    name = lambda case: f"{case[0]} {case[1]}".strip()
    order = lambda case: (name(case) != known, case[0].startswith("lab "), case[3])
    reach = sorted((c for c in cases if k in c[2]), key=order)
    groups, spent = collections.defaultdict(list), 0  # a process each
    for c in reach:
        groups[*order(c)[:2], (spent > 2) + (spent > 10), c[0]].append(c)
        spent += c[3]
    for key in sorted(groups):
        program, names = key[-1], [re.sub(r"[,\\]", "?", c[1]) for c in groups[key]]  # a comma parts names
        chosen = ["--abort-after=1", "--test-case=" + ",".join(names)] if names[0] else []
        seconds = sum(c[3] for c in groups[key])
        on = {"EVENKEEL_FAULT": str(k)}
        passes, _, words = run(commands[program] + chosen, on, 3 * seconds + 10, 30 * seconds + 120)
        if not passes:
            seen = re.findall(r"^TEST CASE: +(.*)$", words, re.M)
            return f"{program} {seen[-1] if seen else groups[key][0][1]}".strip(), len(reach)
    return None, len(reach)


def report(faults, results):
    table = collections.defaultdict(collections.Counter)
    for fault in faults:
        if fault.key not in results:
            continue
        caught = bool(results[fault.key]["by"])
        row = "by hand" if "hand" in fault.rule else "drawn"
        folder = "apps/lab" if fault.file.startswith("apps/lab/") else fault.file.split("/")[0]
        for name in (folder, row), (folder, "all"), ("all", row), ("all", "all"):
            table[name].update(tried=1, caught=caught, aside=fault.reason is not None and not caught)
    print(f"{'':10}{'':8}  tried  caught  equivalent  survive   share")
    for folder in FOLDERS + ["apps/lab", "all"]:
        for kind in "drawn", "by hand", "all":
            if (folder, kind) in table:
                t = table[folder, kind]
                left = t["tried"] - t["aside"]
                print(f"{folder:10}{kind:8}{t['tried']:7}{t['caught']:8}{t['aside']:12}{left - t['caught']:9}"
                      f"{100 * t['caught'] / max(left, 1):7.1f} %")
    t = table["all", "all"]
    return t["caught"] >= 0.95 * (t["tried"] - t["aside"]) and t["aside"] <= 0.08 * t["tried"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--only", default="", help="faults in files whose name has this regular expression in it")
    arguments.add_argument("--survivors", action="store_true", help="only those that were not caught when last tried")
    arguments.add_argument("--list", action="store_true", help="print the faults, build nothing")
    arguments.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments.add_argument("--build", default=os.path.join(root, "build", "mutate"))
    o = arguments.parse_args()
    work = Work(os.path.abspath(o.build))
    parser = Parser(work.build)
    parser.prepare()
    files = [file for folder in FOLDERS for file in sources(folder)]
    with concurrent.futures.ProcessPoolExecutor(o.jobs) as pool:  # what is not known yet
        list(pool.map(parse, [work.build] * len(files), files))
    results = work.state["results"]
    while True:
        faults = by_hand(parser, work.state["levels"]) + draw(parser, set(work.state["refused"]))
        if o.list:
            print(*faults, sep="\n")
            return 0
        faults = work.number(faults)
        work.copy(faults)
        words = work.compile(o.jobs)
        if words is None:
            break
        work.refuse(words, faults)
    commands = work.commands()
    cases = record(work, commands, o.jobs)
    lock = threading.Lock()
    def one(k):
        fault = faults[k]
        by, reach = try_fault(k, results.get(fault.key, {"by": None})["by"], commands, cases)
        with lock:
            results[fault.key] = {"by": by, "reach": reach}
            result = f"caught by {by}" if by else "equivalent" if fault.reason else f"SURVIVED {reach} tests"
            print(f"{result}: {fault}", flush=True)
            work.save()
            with open(os.path.join(work.build, "survivors.txt"), "w") as f:
                alive = lambda x: not x.reason and x.key in results and not results[x.key]["by"]
                f.writelines(f"{x}\n" for x in faults.values() if alive(x))

    chosen = [k for k, f in faults.items()
              if re.search(o.only, f.file) and not (o.survivors and results.get(f.key, {"by": None})["by"])]
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        list(pool.map(one, chosen))
    return 0 if report(faults.values(), results) else 1


if __name__ == "__main__":
    sys.exit(main())
