#!/usr/bin/python3
"""Times PyTorch on the workloads of `evenkeel bench`, each at the settings that suit it best.

Needs python3-torch. Prints one line of JSON with at least "ms", the median step:

    apps/bench/torch_bench.py --workload W4 --norm batch --threads 2
    evenkeel bench --workload W4 --against -- apps/bench/torch_bench.py --workload W4

It starts itself again with what PyTorch needs to be at its best on a CPU: the OpenMP build of OpenBLAS where there is one (Debian:
libopenblas0-openmp), its threads on both libraries, and a malloc that keeps its pages.
"""
import argparse
import glob
import json
import os
import resource
import statistics
import sys
import time

WORKLOADS = {  # name: (batch, (channels, height, width))
    "W1": (60, (1, 28, 28)), "W2": (128, (1, 28, 28)), "W3": (64, (1, 28, 28)),
    "W4": (128, (3, 32, 32)), "W5": (128, (3, 32, 32)), "W6": (128, (3, 32, 32)),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", required=True, choices=sorted(WORKLOADS))
    parser.add_argument("--norm", default="batch", choices=["none", "batch"])
    parser.add_argument("--batch-size", type=int, default=0, help="0: the workload's own")
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


def network(name, norm, nn, torch):
    import torch.nn.functional as F

    def conv(i, o, size, stride=1):
        layers = [nn.Conv2d(i, o, size, stride, size // 2, bias=not norm)]
        return layers + ([nn.BatchNorm2d(o)] if norm else [])

    def dense(widths, activation):
        layers = [nn.Flatten()]
        for i, o in zip(widths[:-2], widths[1:-1]):
            layers += [nn.Linear(i, o, bias=not norm)] + ([nn.BatchNorm1d(o)] if norm else []) + [activation()]
        return layers + [nn.Linear(widths[-2], widths[-1])]

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.body = nn.Sequential(*conv(i, o, 3, stride), nn.ReLU(True), *conv(o, o, 3))
            self.stride, self.more = stride, (o - i) // 2

        def forward(self, x):
            short = x
            if self.more:
                short = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.more, self.more))
            return F.relu(self.body(x) + short, inplace=True)

    if name == "W1":
        return nn.Sequential(*dense([784, 100, 100, 100, 10], nn.Sigmoid))
    if name == "W2":
        return nn.Sequential(*dense([784, 512, 512, 10], nn.ReLU))
    if name == "W3":
        return nn.Sequential(*conv(1, 32, 5), nn.ReLU(True), nn.MaxPool2d(2), *conv(32, 64, 5), nn.ReLU(True), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(3136, 512), nn.ReLU(True), nn.Linear(512, 10))
    if name == "W5":
        blocks, i = [], 16
        for o in (16, 32, 64):
            for b in range(3):
                blocks.append(Block(i, o, 2 if b == 0 and o > 16 else 1))
                i = o
        return nn.Sequential(*conv(3, 16, 3), nn.ReLU(True), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    layers, i = [], 3
    for o in (64, 128, 256):
        layers += conv(i, o, 3) + [nn.ReLU(True)] + conv(o, o, 3) + [nn.ReLU(True), nn.MaxPool2d(2)]
        i = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


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


def main():
    a = arguments()
    best_environment(a.threads, a.plain)
    import torch
    from torch import nn

    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    batch, shape = WORKLOADS[a.workload]
    batch = a.batch_size or batch
    labels = torch.randint(0, 10, (batch,))

    def made(memory_format):
        net = network(a.workload, a.norm == "batch", nn, torch).to(memory_format=memory_format)
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
        if a.workload in ("W3", "W4", "W5"):
            variants = variants[:1] + [("channels last, foreach", training(last, True))]
    what = " compiled" * a.compile + " bf16" * a.bf16
    label, times = fastest(variants[:1] if a.plain else variants, batch, a.steps)
    print(json.dumps({
        "program": "PyTorch " + torch.__version__ + what, "workload": a.workload, "norm": a.norm, "batch": batch, "threads": a.threads,
        "variant": label, "ms": round(statistics.median(times), 4), "ms_min": round(min(times), 4),
        "rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }))


if __name__ == "__main__":
    main()
