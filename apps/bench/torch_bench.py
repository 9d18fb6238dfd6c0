#!/usr/bin/python3
"""Times PyTorch on the workloads or the ops of `evenkeel bench`, each at the settings that suit it best.

Needs python3-torch. Prints one line of JSON with at least "ms", the median step; with --ops one line for each op:

    apps/bench/torch_bench.py --workload W4 --norm batch --threads 2
    evenkeel bench --workload W4 --against -- apps/bench/torch_bench.py --workload W4
    apps/bench/torch_bench.py --ops --threads 2

It starts itself again with what PyTorch needs to be at its best on a CPU: the OpenMP build of OpenBLAS where there is one (Debian:
libopenblas0-openmp), its threads on both libraries, and a malloc that keeps its pages.
"""
import argparse
import glob
import json
import os
import re
import resource
import statistics
import sys
import time
from functools import partial

VGG = ("2*(conv:64:3 norm act) maxpool:2 2*(conv:128:3 norm act) maxpool:2 2*(conv:256:3 norm act) maxpool:2 "
       "global_avgpool dense:classes")
RESNET20 = ("conv:16:3 norm act 3*(residual(conv:16:3 norm act conv:16:3 norm) act) "
            "residual(conv:32:3:stride=2 norm act conv:32:3 norm) act 2*(residual(conv:32:3 norm act conv:32:3 norm) act) "
            "residual(conv:64:3:stride=2 norm act conv:64:3 norm) act 2*(residual(conv:64:3 norm act conv:64:3 norm) act) "
            "global_avgpool dense:classes")
WORKLOADS = {  # name: (batch, (channels, height, width), network, as evenkeel writes it)
    "W1": (60, (1, 28, 28), "flatten 3*(dense:100 norm act) dense:classes"),
    "W2": (128, (1, 28, 28), "flatten 2*(dense:512 norm act) dense:classes"),
    "W3": (64, (1, 28, 28), "conv:32:5 norm act maxpool:2 conv:64:5 norm act maxpool:2 flatten dense:512 act dense:classes"),
    "W4": (128, (3, 32, 32), VGG), "W5": (128, (3, 32, 32), RESNET20), "W6": (128, (3, 32, 32), VGG),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--workload", choices=sorted(WORKLOADS))
    what.add_argument("--ops", action="store_true", help="every op, forward and backward")
    parser.add_argument("--model", help="this network in place of the workload's: conv, dense, norm, act, maxpool, flatten, "
                        "global_avgpool, residual(...) and N*(...), as evenkeel writes them")
    parser.add_argument("--norm", default="batch", choices=["none", "batch"])
    parser.add_argument("--batch-size", type=int, default=0, help="0: the workload's own, 128 with --ops")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="by torch.compile (PyTorch 2), which needs a C++ compiler")
    parser.add_argument("--bf16", action="store_true", help="under autocast to bfloat16")
    parser.add_argument("--plain", action="store_true", help="default memory format, optimiser and allocator")
    return parser.parse_args()


def best_environment(threads, plain):
    wanted = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    openmp = glob.glob("/usr/lib/*/openblas-openmp")
    if openmp:
        wanted["LD_LIBRARY_PATH"] = openmp[0]
    if not plain:
        wanted.update(MALLOC_MMAP_THRESHOLD_="4000000000", MALLOC_TRIM_THRESHOLD_="16000000000", MALLOC_TOP_PAD_="268435456")
    if any(os.environ.get(k) != v for k, v in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **wanted})


def repeated(words):
    """The words up to the end or a closing parenthesis, with N*(...) written out; residual(...) is a list."""
    out = []
    while words:
        word = words.pop(0)
        if word == ")":
            break
        if word.endswith("*("):
            out += int(word[:-2]) * repeated(words)
        elif word == "residual(":
            out.append(repeated(words))
        else:
            out.append(word)
    return out


def network(text, shape, norm, activation, nn, torch):
    import torch.nn.functional as F

    class Residual(nn.Module):
        def __init__(self, body, x):
            super().__init__()
            self.body = body
            y = body(x)
            self.stride, self.more = x.shape[2] // y.shape[2], (y.shape[1] - x.shape[1]) // 2

        def forward(self, x):
            short = x
            if self.more:
                short = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more, self.more))
            return self.body(x) + short

    plain = {"act": activation, "flatten": nn.Flatten, "global_avgpool": lambda: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())}

    def layer(word, following, x):  # x: an example of its input
        name, *rest = word.split(":")
        given = dict(r.split("=", 1) for r in rest if "=" in r)
        numbers = [10 if r == "classes" else int(r) for r in rest if r.isdigit() or r == "classes"]
        bias = given.pop("bias", "on") == "on" and not (norm and following == "norm")
        made = None
        if name == "conv" and len(numbers) == 2:
            size = numbers[1]
            made = nn.Conv2d(x.shape[1], *numbers, int(given.pop("stride", 1)), int(given.pop("pad", size // 2)), bias=bias)
        elif name == "dense" and len(numbers) == 1:
            made = nn.Linear(x.shape[1], numbers[0], bias=bias)
        elif name == "maxpool" and len(numbers) < 2:
            made = nn.MaxPool2d(*numbers or [2])
        elif name == "norm":
            made = (nn.BatchNorm2d if x.dim() == 4 else nn.BatchNorm1d)(x.shape[1]) if norm else nn.Identity()
        elif not rest and name in plain:
            made = plain[name]()
        if made is None or given:
            sys.exit(f"torch_bench: knows conv, dense, norm, act, maxpool, flatten, global_avgpool and residual(...), got '{word}'")
        return made

    def sequence(words, x):
        layers = []
        for word, following in zip(words, words[1:] + [""]):
            made = Residual(sequence(word, x), x) if isinstance(word, list) else layer(word, following, x)
            if not isinstance(made, nn.Identity):
                layers.append(made)
                x = made.eval()(x)
        return nn.Sequential(*layers)

    with torch.no_grad():
        return sequence(repeated(re.findall(r"\d+\*\(|residual\(|\)|[^\s()]+", text)), torch.zeros(2, *shape)).train()


def fastest(variants, batch, steps):
    """Builds each variant's step, tries a few calls, and times the fastest one."""
    best = None
    for label, build in variants:
        step = build()
        step()
        trial = []
        for _ in range(4):
            start = time.perf_counter()
            step()
            trial.append(time.perf_counter() - start)
        if best is None or min(trial) < best[0]:
            best = (min(trial), label, step)
    _, label, step = best
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return label, times


def ops(n, torch):
    """(name, shapes of its inputs, function) of each op; images are channels first here."""
    import torch.nn.functional as F
    image, half, channel, ten, thousand = (n, 64, 32, 32), (n, 32, 32, 32), (64,), (n, 10), (n, 1000)
    labels = torch.arange(n) * 7 % 10
    rows = torch.randperm(n * 1024)
    mean, var = torch.zeros(64), torch.full((64,), 2.0)

    def kept(y, x):  # a copy in x's memory format
        return y.contiguous(memory_format=torch.channels_last if x.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format)

    def norm(x, g, b):
        return F.batch_norm(x, None, None, g, b, True)

    def frozen(x, g, b):
        return F.batch_norm(x, mean, var, g, b, False)

    def relu(y):
        return F.relu(y, inplace=True)

    x, two, scaled, normed = [image], [image, image], [image, channel], [image, channel, channel]
    return [
        ("relu", x, F.relu),
        ("leaky_relu", x, F.leaky_relu),
        ("sigmoid", x, torch.sigmoid),
        ("tanh", x, torch.tanh),
        ("softplus", x, F.softplus),
        ("gelu", x, F.gelu),
        ("silu", x, F.silu),
        ("normal_cdf", x, torch.special.ndtr),
        ("exp", x, torch.exp),
        ("log", x, torch.log),
        ("sqrt", x, torch.sqrt),
        ("rsqrt", x, torch.rsqrt),
        ("reciprocal", x, torch.reciprocal),
        ("square", x, torch.square),
        ("abs", x, torch.abs),
        ("clamp", x, lambda x: torch.clamp(x, -1, 1)),
        ("add", two, torch.add),
        ("subtract", two, torch.sub),
        ("multiply", two, torch.mul),
        ("divide", two, torch.div),
        ("multiply by a number", x, lambda x: x * 1.5),
        ("add_per_channel", scaled, lambda x, b: x + b.view(1, -1, 1, 1)),
        ("scale_per_channel", scaled, lambda x, s: x * s.view(1, -1, 1, 1)),
        ("sum", x, torch.sum),
        ("sum_rows", x, lambda x: x.sum((0, 2, 3))),
        ("sum_channels", x, lambda x: x.sum(1)),
        ("sum_positions", x, lambda x: x.sum((2, 3))),
        ("mean_rows", x, lambda x: x.mean((0, 2, 3))),
        ("dot", two, lambda a, b: torch.dot(a.flatten(), b.flatten()) if a.is_contiguous() else (a * b).sum()),
        ("mean_squared_error", two, F.mse_loss),
        ("max_pool 2x2", x, lambda x: F.max_pool2d(x, 2)),
        ("max_pool 3x3 stride 2", x, lambda x: F.max_pool2d(x, 3, 2, 1)),
        ("avg_pool 2x2", x, lambda x: F.avg_pool2d(x, 2)),
        ("global_avg_pool", x, lambda x: F.adaptive_avg_pool2d(x, 1)),
        ("pad", x, lambda x: F.pad(x, (1, 1, 1, 1))),
        ("crop", x, lambda x: kept(x[:, :, 1:-1, 1:-1], x)),
        ("concat_channels", [half, half], lambda a, b: torch.cat([a, b], 1)),
        ("slice_channels", x, lambda x: kept(x[:, 16:48], x)),
        ("embed_channels", [half], lambda x: F.pad(x, (0, 0, 0, 0, 16, 16))),
        ("transpose", [(n * 64, 1024)], lambda x: x.t().contiguous()),
        ("to_channels_first", [(n, 32, 32, 64)], lambda x: x.permute(0, 3, 1, 2).contiguous()),
        ("to_channels_last", x, lambda x: x.permute(0, 2, 3, 1).contiguous()),
        ("gather_rows", [(n * 1024, 64)], lambda x: x[rows]),
        ("scatter_rows", [(n * 1024, 64)], lambda x: torch.zeros_like(x).index_add(0, rows, x)),
        ("dropout", x, F.dropout),
        ("softmax 10", [ten], lambda x: F.softmax(x, 1)),
        ("softmax 1000", [thousand], lambda x: F.softmax(x, 1)),
        ("log_softmax 10", [ten], lambda x: F.log_softmax(x, 1)),
        ("log_softmax 1000", [thousand], lambda x: F.log_softmax(x, 1)),
        ("cross_entropy 10", [ten], lambda x: F.cross_entropy(x, labels)),
        ("cross_entropy 1000", [thousand], lambda x: F.cross_entropy(x, labels)),
        ("cross_entropy 1000, smoothing", [thousand], lambda x: F.cross_entropy(x, labels, label_smoothing=0.1)),
        ("batch_norm", normed, norm),
        ("batch_norm + relu", normed, lambda x, g, b: relu(norm(x, g, b))),
        ("batch_norm_inference", normed, frozen),
        ("batch_norm_inference + relu", normed, lambda x, g, b: relu(frozen(x, g, b))),
        ("layer_norm", normed, lambda x, g, b: F.group_norm(x, 1, g, b)),
        ("layer_norm + relu", normed, lambda x, g, b: relu(F.group_norm(x, 1, g, b))),
        ("group_norm 8", normed, lambda x, g, b: F.group_norm(x, 8, g, b)),
        ("group_norm 8 + relu", normed, lambda x, g, b: relu(F.group_norm(x, 8, g, b))),
        ("instance norm", normed, lambda x, g, b: F.group_norm(x, 64, g, b)),
        ("instance norm + relu", normed, lambda x, g, b: relu(F.group_norm(x, 64, g, b))),
    ]


def updates(torch):
    """(name, function that makes the optimiser, its variants) of each update."""
    sgd = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
    kinds = [{"foreach": False}, {"foreach": True}]
    if int(torch.__version__.split(".")[0]) >= 2:
        kinds.append({"fused": True})
    return [("sgd with momentum", lambda p, kind: torch.optim.SGD([p], **sgd, **kind), kinds),
            ("adamw", lambda p, kind: torch.optim.AdamW([p], **kind), kinds)]


def median_ms(call, steps):
    """The medians of what call() returns, the seconds of its parts, as `evenkeel bench --ops` takes them."""
    for _ in range(2):
        call()
    times, begin = [], time.perf_counter()
    while len(times) < steps or time.perf_counter() - begin < 0.02:
        times.append(call())
    return [statistics.median(part) * 1e3 for part in zip(*times)]


def time_ops(n, steps, torch):
    def dense(d, x):  # a gradient laid out as x is: PyTorch may return a view
        return d if d.stride() == x.stride() else torch.empty_like(x).copy_(d)

    def inputs(name, shapes, memory_format):
        for shape in shapes:
            positive = name in ("log", "sqrt", "rsqrt", "reciprocal", "divide")
            x = torch.randn(shape)
            x = x.abs() + 0.5 if positive else x
            yield (x.contiguous(memory_format=memory_format) if x.dim() == 4 else x).requires_grad_()

    def op(name, shapes, f, memory_format):
        x = list(inputs(name, shapes, memory_format))
        y = f(*x)
        g = torch.randn_like(y)

        def call():
            begin = time.perf_counter()
            y = f(*x)
            middle = time.perf_counter()
            gradients = [dense(*a) for a in zip(torch.autograd.grad(y, x, g), x)]
            end = time.perf_counter()
            del gradients
            return middle - begin, end - middle
        return call

    def update(make, kind):
        p = torch.zeros(n, 32, 32, 64, requires_grad=True)
        p.grad = torch.randn_like(p)
        optimiser = make(p, kind)

        def call():
            begin = time.perf_counter()
            optimiser.step()
            return time.perf_counter() - begin,
        return call

    formats = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
    calls = [(name, {label: partial(op, name, shapes, f, form) for label, form in formats.items()
                     if label == "contiguous" or len(shapes[0]) == 4 and not name.startswith("to_channels")})
             for name, shapes, f in ops(n, torch)]
    calls += [(name, {str(kind): partial(update, make, kind) for kind in kinds}) for name, make, kinds in updates(torch)]
    for name, variants in calls:
        label, ms = min(((label, median_ms(build(), steps)) for label, build in variants.items()), key=lambda v: sum(v[1]))
        print(json.dumps({"op": name, "variant": label, **dict(zip(("forward_ms", "backward_ms"), ms))}), flush=True)


def main():
    a = arguments()
    best_environment(a.threads, a.plain)
    import torch
    from torch import nn

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    if a.ops:
        return time_ops(a.batch_size or 128, a.steps, torch)
    batch, shape, text = WORKLOADS[a.workload]
    batch, text = a.batch_size or batch, a.model or text
    activation = nn.Sigmoid if a.workload == "W1" else partial(nn.ReLU, inplace=True)
    labels = torch.randint(0, 10, (batch,))

    def made(memory_format):
        net = network(text, shape, a.norm == "batch", activation, nn, torch).to(memory_format=memory_format)
        x = torch.randn(batch, *shape).to(memory_format=memory_format)
        return torch.compile(net) if a.compile else net, x

    def precision():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.bf16)

    def training(memory_format, foreach):
        def build():
            net, x = made(memory_format)
            net.train()
            sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, foreach=foreach)
            loss = nn.CrossEntropyLoss()

            def step():
                sgd.zero_grad(set_to_none=True)
                with precision():
                    error = loss(net(x), labels)
                error.backward()
                sgd.step()
            return step
        return build

    def inference(memory_format, optimise):
        def build():
            net, x = made(memory_format)
            net.eval()
            if optimise:
                with torch.no_grad():
                    net = torch.jit.freeze(torch.jit.trace(net, x))
                    net = torch.jit.optimize_for_inference(net)

            def step():
                with torch.no_grad(), precision():
                    net(x)
            return step
        return build

    plain, last = torch.contiguous_format, torch.channels_last
    if a.workload == "W6":
        variants = [("default", inference(plain, False)), ("channels last", inference(last, False))]
        if not a.compile and not a.bf16:
            variants += [("optimised", inference(plain, True)), ("optimised, channels last", inference(last, True))]
    else:
        variants = [("default", training(plain, False)), ("foreach", training(plain, True))]
        if "conv" in text:
            variants = variants[:1] + [("channels last, foreach", training(last, True))]
    what = " compiled" * a.compile + " bf16" * a.bf16
    label, times = fastest(variants[:1] if a.plain else variants, batch, a.steps)
    print(json.dumps({
        "program": "PyTorch " + torch.__version__ + what, "workload": a.workload, "norm": a.norm, "batch": batch, "threads": a.threads,
        "model": text, "variant": label, "ms": round(statistics.median(times), 4), "ms_min": round(min(times), 4),
        "rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }))


if __name__ == "__main__":
    main()
