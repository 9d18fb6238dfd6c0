#!/usr/bin/env python3
"""Puts small faults into core, layers, optim and data, one at a time, and counts those that the tests catch.

    python3 tests/mutate.py [--build FOLDER] [--only WORD] [--minutes N]

Works on a copy of the sources in the build folder. A fault that survives is printed, and needs a test. A few seconds a fault.
"""
import argparse
import filecmp
import glob
import os
import re
import resource
import shutil
import subprocess
import sys
import time

# file, what stands there (once), what is put in its place
FAULTS = [
    ("core/elementwise.cpp", "Grads{g, -g}", "Grads{g, g}"),
    ("core/elementwise.cpp", "b.tracked() ? -(da * y)", "b.tracked() ? (da * y)"),
    ("core/elementwise.cpp", "return 2 * (g * a);", "return g * a;"),
    ("core/elementwise.cpp", "real(-0.5) * (g * y * y * y)", "real(-0.5) * (g * y * y)"),
    ("core/elementwise.cpp", "b > 0 ? a : real(0)", "b >= 0 ? a : real(0)"),
    ("core/elementwise.cpp", "v < 0 ? real(0) : v; }), {x}", "v > 0 ? v : real(0); }), {x}"),
    ("core/elementwise.cpp", "g * y * (1 - y)", "g * y * (1 + y)"),
    ("core/elementwise.cpp", "(1 - slope) * step(a)", "step(a)"),
    ("core/elementwise.cpp", "step(high - a)", "step(high + a)"),
    ("core/autograd.cpp", "sum = sum + g;", "sum = g;"),
    ("core/autograd.cpp", "node.severed = (tracked && !recording_now) ||", "node.severed = false &&"),
    ("core/matmul.cpp", "matmul(b, h, tb, true)", "matmul(b, h, !tb, true)"),
    ("core/matmul.cpp", "tb ? matmul(h, a, true, ta)", "tb ? matmul(h, a, true, !ta)"),
    ("core/reduce.cpp", "stop = std::min(end, i + run);", "stop = std::min(end, i + run - 1);"),
    ("core/reduce.cpp", "for (double p : partial) sum += p;", "sum += partial[0];"),
    ("core/reduce.cpp", "in + r / positions * channels", "in + r % examples * channels"),
    ("core/rows.h", "f(at, j, p[j], q[j])", "f(at, j, p[j], p[j])"),
    ("core/rows.h", "fold(q, b);", "fold(p, b);"),
    ("core/epilogue.cpp", "scale.defined() ? b * scale : b", "b"),
    ("core/epilogue.cpp", "if (add.defined()) d.push_back(dv);", "if (add.defined()) d.push_back(g);"),
    ("core/epilogue.cpp", "*shift = shift_.data() + channel", "*shift = shift_.data()"),
    ("core/gemm.cpp", "i < j ? squares : 0", "i < j ? k : 0"),
    ("core/gemm.cpp", "p += depth, add = true", "p += depth"),
    ("core/gemm.cpp", "(add ? c[r * ldc + s] : real(0))", "real(0)"),
    ("core/gemm.cpp", "add || p > 0", "add"),
    ("core/gemm.cpp", "row[i] = a.a + a.rows[i]", "row[i] = a.a + a.rows[0]"),
    ("core/gemm.cpp", "if (finish) (*finish)(c, m, 0, n);", ""),
    ("core/winograd.cpp", "scale[points - 1] = 1;", "scale[points - 1] = 2;"),
    ("core/winograd.cpp", "r - 1 - a.padding, Finish()", "a.padding, Finish()"),
    ("core/winograd.cpp", "first > 0, v, z, sum", "false, v, z, sum"),
    ("core/winograd.cpp", "begin > first, v, z, sum", "true, v, z, sum"),
    ("core/winograd.cpp", "if (finish) finish(to, place.j1 - place.j0, 0, tiles.c);", ""),
    ("core/winograd.cpp", "place.i0 <= i && i < place.i1", "place.i0 <= i"),
    ("core/winograd.cpp", "j0 <= j && j < j1", "j0 <= j"),
    ("core/pool.cpp", "r1 = std::min(a.height, a.h - top)", "r1 = std::min(a.height, a.h - top - 1)"),
    ("core/layout.cpp", "y[i * a * b + j * a + k] = x[i * a * b + k * b + j]", "y[i * a * b + k * b + j] = x[i * a * b + k * b + j]"),
    ("core/loss.cpp", "- target.rest) / static_cast<real>(rows)", ") / static_cast<real>(rows)"),
    ("core/loss.cpp", "dr[labels[r]] -= target.hit / static_cast<real>(rows);", "dr[labels[r]] -= target.hit;"),
    ("core/loss.cpp", "rest(s / static_cast<real>(classes))", "rest(s / static_cast<real>(classes - 1))"),
    ("core/loss.cpp", "exp(x[c] - largest);", "exp(x[c]);"),
    ("core/conv.cpp", "std::clamp<int64_t>(-left, 0, width)", "std::clamp<int64_t>(-left - 1, 0, width)"),
    ("core/conv.cpp", "i < h && begin < end", "i < h - 1 && begin < end"),
    ("core/conv.cpp", "std::fill(to + end * c, to + width * c, real(0));", ""),
    ("core/conv.cpp", "b > first, partial", "true, partial"),
    ("core/conv.cpp", "band.begin * a.stride - a.padding, rows", "band.begin * a.stride, rows"),
    ("core/conv.cpp", "first((phase + a.padding) % a.stride)", "first(phase % a.stride)"),
    ("core/conv.cpp", "if (pair.length() == 0) std::fill_n(product.data, count * a.c, real(0));", ""),
    ("core/normalize.cpp", "rstd[g] = 1 / std::sqrt(var[g] + eps);", "rstd[g] = 1 / (std::sqrt(var[g]) + eps);"),
    ("core/normalize.cpp", "const double r = line.rstd[g], s = -r * r * b / count;", "const double r = line.rstd[g], s = -r * b / count;"),
    ("core/normalize.cpp", "static_cast<real>(-r * a / count - line.below[g] * s)", "static_cast<real>(-line.below[g] * s)"),
    ("core/normalize.cpp", "cut = y[i] > 0 ? all", "cut = y[i] >= 0 ? all"),
    ("core/normalize.cpp", "(sums.gx[c] - line.below[group] * sums.g[c])", "(sums.gx[c])"),
    ("core/normalize.cpp", "static_cast<real>(gamma.data()[c] * r);", "static_cast<real>(gamma.data()[c] * r * (1 + 1e-7));"),
    ("core/random.cpp", "below(static_cast<uint64_t>(i) + 1)", "below(static_cast<uint64_t>(i))"),
    ("core/random.cpp", "while (s >= 1 || s == 0);", "while (s == 0);"),
    ("core/checksum.cpp", "(c >> 8);\n  return", "(c >> 7);\n  return"),
    ("core/file.cpp", "if (::fsync(part.file()) != 0)", "if (false)"),
    ("core/file.cpp", "if ((status.st_mode & 0222) == 0)", "if (false)"),
    ("core/file.cpp", "link.st_uid != ::geteuid() &&", "false &&"),
    ("core/file.cpp", "::flock(*part, LOCK_EX | LOCK_NB) == 0)", "true)"),
    ("core/memory.cpp", "before->second += size;", "before->second = size;"),
    ("core/memory.cpp", "static_cast<size_t>(list.stats.live_bytes) + size > list.most", "false"),
    ("core/memory.cpp", "next->first == at + size", "next->first >= at + size"),
    ("core/file.cpp", "if (!name_.empty()) ::unlink(name_.c_str());", ""),
    ("layers/batch_norm.cpp", "rows.each / (rows.each - 1) : 1;", "(rows.each - 1) / rows.each : 1;"),
    ("layers/batch_norm.cpp", "const double a = options.cumulative ? rows.all / all", "const double a = options.cumulative ? 1 / (t + 1)"),
    ("layers/batch_norm.cpp", "if (mode == Mode::train) average(", "if (mode != Mode::eval) average("),
    ("layers/batch_norm.cpp", "if (!finite(mean) || !finite(var)) {", "if (!finite(mean)) {"),
    ("layers/batch_norm.cpp", "const double step = a / w", "const double step = a"),
    ("layers/checkpoint.cpp", "if (value.shape().rank() == 4) value = to_channels_last(value);", ""),
    ("layers/checkpoint.cpp", "!t.name.starts_with(own_prefix) && !known.contains(t.name)", "false"),
    ("layers/safetensors.cpp", "need(at == data_size,", "need(at <= data_size,"),
    ("layers/safetensors.cpp", "need(checksum_text(crc) == found->second,", "need(true,"),
    ("layers/fold.cpp", "(bias.data()[k] - statistics.mean.data()[k])", "(bias.data()[k] + statistics.mean.data()[k])"),
    ("layers/init.cpp", "std::sqrt(2 / fan_in)", "std::sqrt(2 / fan_out)"),
    ("layers/init.cpp", "std::sqrt(6 / (fan_in + fan_out))", "std::sqrt(3 / (fan_in + fan_out))"),
    ("layers/sequential.cpp", "(channels_ - x.channels()) / 2, channels_", "0, channels_"),
    ("layers/batch_norm.cpp", "beta - s.mean * scale", "beta + s.mean * scale"),
    ("layers/sequential.cpp", "next.relu && then.add.defined()", "false"),
    ("layers/inspect.cpp", "share * static_cast<double>(rows - 1)", "share * static_cast<double>(rows)"),
    ("layers/spec.cpp", "left_.values -= out.size();", ""),
    ("layers/spec.cpp", "left_.weights = arguments.left_.weights - parameter_count(*layer);", ""),
    ("layers/vocabulary.cpp", "height * width * std::max(c, ", "height * width * std::min(c, "),
    ("layers/spec.cpp", "i + 1 == flat.size() || !kind_of(flat[i + 1]).cancels_bias", "true"),
    ("layers/dropout.h", "Random same = random;", "Random& same = random;"),
    ("optim/sgd.cpp", "v[j] = momentum * v[j] + d;", "v[j] = momentum * v[j] + (1 - momentum) * d;"),
    ("optim/sgd.cpp", "p.decay || options_.decay_all", "true"),
    ("optim/sgd.cpp", "along = options_.nesterov ? momentum : 1;", "along = 1;"),
    ("optim/sgd.cpp", "const double share = max_norm / norm;", "const double share = max_norm;"),
    ("optim/schedule.cpp", "static_cast<double>(t + 1)", "static_cast<double>(t)"),
    ("optim/schedule.cpp", "t >= drop ? factor", "t > drop ? factor"),
    ("optim/schedule.cpp", "static_cast<double>(t - warmup)", "static_cast<double>(t)"),
    ("optim/curvature.cpp", "inner(q, next), q)", "inner(q, next) / 2, q)"),
    ("data/bytes.cpp", "total / 1032 <= rest_.size()", "true"),
    ("data/cifar.cpp", "label >= data.classes", "label > data.classes"),
    ("data/idx.cpp", "image[y * width + x] = stored[x * height + y]", "image[y * width + x] = stored[y * width + x]"),
    ("data/loader.cpp", "(width - 1 - x) * channels + c", "(width - x) * channels + c"),
    ("data/loader.cpp", "const bool drop = options.drop_last || (options.shuffle && rest == 1 && batch > 1);", "const bool drop = options.drop_last;"),
    ("data/loader.cpp", "requested_ = first_batch;", "requested_ = 0;"),
    ("data/loader.cpp", "std::clamp<int64_t>(width - right, 0, width)", "std::clamp<int64_t>(width - right - 1, 0, width)"),
]

# Where the tests of a file that has none of its name are.
TESTED_BY = {"winograd": "conv", "layout": "conv", "rows": "normalize", "matmul": "layers", "safetensors": "checkpoint", "init": "spec", "vocabulary": "spec"}

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--build", default=os.path.join(root, "build", "mutate"))
    arguments.add_argument("--only", default="", help="faults in files whose name has this regular expression in it")
    arguments.add_argument("--minutes", type=float, default=1e9, help="begin no fault after this time")
    o = arguments.parse_args()
    source, build = os.path.join(o.build, "source"), os.path.join(o.build, "build")

    def refresh(a, b):  # what has changed alone, with the time of now: it may have had a fault when the last run was stopped
        if not os.path.exists(b) or not filecmp.cmp(a, b, shallow=False):
            shutil.copy(a, b)

    shutil.copytree(root, source, ignore=shutil.ignore_patterns("build*", ".git", "runs"), copy_function=refresh, dirs_exist_ok=True)
    subprocess.run(["cmake", "-S", source, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O1", "-DEVENKEEL_APPS=OFF"],
                   check=True, stdout=subprocess.DEVNULL)

    def passes(file):
        """Whether it compiles and the tests pass; None if it does not compile. The tests of this file come first, then the rest."""
        name = os.path.splitext(os.path.basename(file))[0]
        name = TESTED_BY.get(name, name)
        own = {t: f"*/{t}/{name}*_test.cpp" for t in ("double", "float") if name and glob.glob(f"{source}/tests/{t}/{name}*_test.cpp")}
        for test in sorted(("double", "float"), key=lambda t: t not in own):
            if subprocess.run(["cmake", "--build", build, "--parallel", str(os.cpu_count()), "--target", f"test_{test}"], capture_output=True).returncode:
                return None
            for some in [f"--source-file={own.get(test)}"] * (test in own) + ["--source-file-exclude=*/soak_test.cpp,*/fetch_test.cpp"]:
                # A fault may make an endless loop: so much of the processor's time, not of the clock's, which also runs while others work;
                # or a wait for what never comes: ten times that of the clock's.
                limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (600, 600))
                try:
                    subprocess.run([f"{build}/tests/test_{test}", "--abort-after=1", some], capture_output=True, preexec_fn=limit, check=True, timeout=6000)
                except subprocess.SubprocessError:
                    return False
        return True

    if not passes(""):
        sys.exit("the tests do not pass without a fault")
    start, caught, survived, broken = time.time(), 0, [], []
    for file, old, new in FAULTS:
        if not re.search(o.only, file) or time.time() - start > 60 * o.minutes:
            continue
        path = os.path.join(source, file)
        with open(path) as f:
            text = f.read()
        what = f"{file}: {old!r} -> {new!r}"
        if text.count(old) != 1:
            broken.append(what)
            print(f"not there exactly once ({text.count(old)}): {what}", flush=True)
            continue
        with open(path, "w") as f:
            f.write(text.replace(old, new))
        result = passes(file)
        with open(path, "w") as f:
            f.write(text)
        caught += result is False
        if result is None:
            broken.append(what)
        elif result:
            survived.append(what)
        print("caught  " if result is False else "SURVIVED" if result else "does not compile", what, flush=True)
    tried = caught + len(survived)
    print(f"{caught} of {tried} faults caught" + (f", {len(broken)} could not be tried" if broken else ""))
    return int(bool(broken) or caught < 0.95 * tried)


if __name__ == "__main__":
    sys.exit(main())
