# Writes norm_golden.json: what PyTorch computes, in double, for normalisations, losses and twenty steps of SGD on a small network.
# Inputs are not stored: wave(shape, t) holds sin(0.7 i + t) at its flat index i, images in (N, H, W, C) order, filters in (K, R, S, C).
import json
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def wave(shape, t):
    n = 1
    for d in shape:
        n *= d
    return torch.sin(0.7 * torch.arange(n, dtype=torch.float64) + t).reshape(shape)


def numbers(t):
    return [float("%.13g" % v) for v in t.detach().reshape(-1).tolist()]


def first(t):  # channels last -> channels first
    return t.permute(0, 3, 1, 2).contiguous()


def last(t):
    return t.permute(0, 2, 3, 1)


golden = {}

# Batch norm: four batches in training, with the running averages after each, then one in evaluation.
bn = torch.nn.BatchNorm2d(3, eps=1e-5, momentum=0.1)
with torch.no_grad():
    bn.weight.copy_(1 + wave((3,), 5))
    bn.bias.copy_(wave((3,), 6))
steps = []
for t in range(4):
    x = first(3 * wave((2, 2, 3, 3), t) + t).requires_grad_()
    bn.zero_grad()
    y = bn(x)
    y.backward(first(wave((2, 2, 3, 3), 10 + t)))
    steps.append(dict(y=numbers(last(y)), dx=numbers(last(x.grad)), dgamma=numbers(bn.weight.grad), dbeta=numbers(bn.bias.grad),
                      mean=numbers(x.mean((0, 2, 3))), var=numbers(x.var((0, 2, 3), unbiased=False)),
                      running_mean=numbers(bn.running_mean), running_var=numbers(bn.running_var)))
bn.eval()
x = first(wave((2, 2, 3, 3), 20)).requires_grad_()
bn.zero_grad()
y = bn(x)
y.backward(first(wave((2, 2, 3, 3), 21)))
golden["batch_norm"] = dict(train=steps, eval=dict(y=numbers(last(y)), dx=numbers(last(x.grad)), dgamma=numbers(bn.weight.grad),
                                                   dbeta=numbers(bn.bias.grad)))

golden["group_norm"] = []
for groups in [1, 2, 6]:
    x = first(wave((2, 2, 2, 6), 0)).requires_grad_()
    gamma, beta = (1 + wave((6,), 5)).requires_grad_(), wave((6,), 6).requires_grad_()
    y = F.group_norm(x, groups, gamma, beta)
    y.backward(first(wave((2, 2, 2, 6), 1)))
    golden["group_norm"].append(dict(groups=groups, y=numbers(last(y)), dx=numbers(last(x.grad)), dgamma=numbers(gamma.grad),
                                     dbeta=numbers(beta.grad)))
x, gamma, beta = wave((3, 5), 0).requires_grad_(), (1 + wave((5,), 5)).requires_grad_(), wave((5,), 6).requires_grad_()
y = F.layer_norm(x, (5,), gamma, beta)
y.backward(wave((3, 5), 1))
golden["layer_norm"] = dict(y=numbers(y), dx=numbers(x.grad), dgamma=numbers(gamma.grad), dbeta=numbers(beta.grad))

x = (5 * wave((3, 4), 0)).requires_grad_()
y = F.log_softmax(x, 1)
y.backward(wave((3, 4), 1))
golden["log_softmax"] = dict(y=numbers(y), dx=numbers(x.grad))
golden["cross_entropy"] = []
for smoothing in [0.0, 0.1]:
    x = (5 * wave((3, 4), 0)).requires_grad_()
    y = F.cross_entropy(x, torch.tensor([3, 0, 1]), label_smoothing=smoothing)
    y.backward()
    golden["cross_entropy"].append(dict(smoothing=smoothing, y=numbers(y), dx=numbers(x.grad)))

# Conv 3x3 (3 -> 4), batch norm, relu, max pooling, flatten (channels last), dense (36 -> 5); another batch at every step.
golden["sgd"] = []
for nesterov in [False, True]:
    w = first(0.5 * wave((4, 3, 3, 3), 1)).requires_grad_()
    gamma, beta = torch.ones(4).requires_grad_(), torch.zeros(4).requires_grad_()
    v = (0.2 * wave((36, 5), 2)).requires_grad_()
    b = torch.zeros(5).requires_grad_()
    sgd = torch.optim.SGD([dict(params=[w, v], weight_decay=0.01), dict(params=[gamma, beta, b])], lr=0.05, momentum=0.9, nesterov=nesterov)
    labels = torch.arange(8) % 5
    losses = []
    for t in range(20):
        h = F.conv2d(first(wave((8, 6, 6, 3), t)), w, padding=1)
        h = F.max_pool2d(F.relu(F.batch_norm(h, None, None, gamma, beta, training=True)), 2)
        loss = F.cross_entropy(last(h).reshape(8, 36) @ v + b, labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        losses.append(float("%.13g" % loss.item()))
    golden["sgd"].append(dict(nesterov=nesterov, losses=losses, w=numbers(last(w)), gamma=numbers(gamma), beta=numbers(beta), v=numbers(v),
                              b=numbers(b)))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "norm_golden.json"), "w") as f:
    f.write(json.dumps(golden, indent=None, separators=(",", ":")).replace("},{", "},\n{").replace("],\"", "],\n\"") + "\n")
