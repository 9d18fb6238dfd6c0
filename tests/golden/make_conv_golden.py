# Writes conv_golden.json: what PyTorch computes, in double, for convolutions and pooling (value and gradients), channels last.
# Inputs are not stored: tensor number t of a case holds sin(0.7 i + t) at its flat index i, in (N, H, W, C) and (K, R, S, C) order.
import json
import os

import torch
import torch.nn.functional as F


def wave(shape, t):
    n = 1
    for d in shape:
        n *= d
    return torch.sin(0.7 * torch.arange(n, dtype=torch.float64) + t).reshape(shape)


def flat(t):  # (N, C, H, W) -> channels last
    return [float("%.13g" % v) for v in t.permute(0, 2, 3, 1).reshape(-1).tolist()]


def first(t):
    return t.permute(0, 3, 1, 2).contiguous().requires_grad_()


cases = []
for x_shape, w_shape, stride, padding, *groups in [
    ((1, 5, 5, 2), (2, 3, 3, 2), 1, 1), ((2, 5, 4, 1), (2, 3, 3, 1), 2, 1), ((1, 7, 6, 2), (1, 5, 5, 2), 1, 2),
    ((1, 7, 5, 3), (2, 2, 3, 3), 2, 0), ((2, 3, 3, 3), (2, 1, 1, 3), 1, 0), ((1, 5, 5, 2), (3, 1, 1, 2), 2, 0),
    ((1, 8, 7, 1), (2, 4, 2, 1), 3, 1), ((1, 2, 3, 1), (1, 3, 3, 1), 1, 2),
    ((1, 5, 4, 4), (6, 3, 3, 2), 1, 1, 2), ((1, 6, 5, 3), (3, 3, 3, 1), 2, 1, 3), ((1, 4, 4, 2), (4, 3, 2, 1), 1, 1, 2)]:
    x, w = first(wave(x_shape, 0)), first(wave(w_shape, 1))
    y = F.conv2d(x, w, stride=stride, padding=padding, groups=groups[0] if groups else 1)
    g = wave((y.shape[0], y.shape[2], y.shape[3], y.shape[1]), 2).permute(0, 3, 1, 2)
    y.backward(g)
    cases.append(dict(op="conv2d", x=x_shape, w=w_shape, stride=stride, padding=padding, groups=groups[0] if groups else 1, y=flat(y), dx=flat(x.grad),
                      dw=flat(w.grad)))
for x_shape, size, stride, padding in [
    ((1, 4, 6, 2), 2, 2, 0), ((1, 5, 7, 1), 3, 2, 1), ((1, 5, 5, 2), 2, 1, 1), ((2, 3, 4, 1), 3, 3, 0)]:
    for op, f in [("max_pool", F.max_pool2d), ("avg_pool", lambda *a, **k: F.avg_pool2d(*a, **k, count_include_pad=False))]:
        x = first(wave(x_shape, 0))
        y = f(x, size, stride=stride, padding=padding)
        y.backward(wave((y.shape[0], y.shape[2], y.shape[3], y.shape[1]), 2).permute(0, 3, 1, 2))
        cases.append(dict(op=op, x=x_shape, size=size, stride=stride, padding=padding, y=flat(y), dx=flat(x.grad)))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv_golden.json"), "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
