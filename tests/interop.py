#!/usr/bin/env python3
"""Weights between evenkeel, PyTorch, NumPy and ONNX, both ways: the same logits, the same number of right answers.

    python3 tests/interop.py build/release/evenkeel [--samples N] [--models mlp,lenet] [--data fashion-mnist]

Without --data on noise, which needs no file. Needs numpy and torch; OpenCV (cv2) and onnx are used where they are there. Exits with
77 where something is missing; where the environment has CI nothing may be missing, and it fails. ONNX Runtime is used where it is there.
"""
import argparse
import copy
import gzip
import importlib
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile


def skip(*reason):
    print("skipped:", *reason)
    sys.exit(1 if os.environ.get("CI") else 77)


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("CI"):
            raise
        print("  not compared:", error)
        return None


try:
    import numpy as np
    import torch
    from torch import nn
except ImportError as error:
    skip(error)

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8"}


def read_safetensors(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        data = f.read()
    metadata = header.pop("__metadata__", {})
    return {name: np.frombuffer(data[slice(*t["data_offsets"])], DTYPES[t["dtype"]]).reshape(t["shape"]) for name, t in header.items()}, metadata


def write_safetensors(path, arrays):
    header, data = {}, b""
    for name, a in arrays.items():
        dtype = {"<" + a.dtype.str[1:]: k for k, v in DTYPES.items() if v == "<" + a.dtype.str[1:]}["<" + a.dtype.str[1:]]
        header[name] = {"dtype": dtype, "shape": list(a.shape), "data_offsets": [len(data), len(data) + a.nbytes]}
        data += a.tobytes()
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + data)


class Residual(nn.Module):
    """body(x) + x; where the body takes strides or adds channels, every stride-th pixel and channels of zeros on both sides."""

    def __init__(self, channels_in, channels, stride, *body):
        super().__init__()
        self.body, self.stride, self.padding = nn.Sequential(*body), stride, (channels - channels_in) // 2

    def forward(self, x):
        return self.body(x) + nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.padding, self.padding))


def torch_model(name, norm, height, width, channels, classes, bias=False):
    """The named models of layers/model/spec.cpp in PyTorch: a convolution has a bias where no batch normalisation follows it, or with bias."""
    bn = norm == "batch"
    bias |= not bn

    def conv(i, o, size, stride=1):
        layers = [nn.Conv2d(i, o, size, stride, size // 2, bias=bias)]
        return layers + [nn.BatchNorm2d(o)] if bn else layers

    def dense(i, o):
        layers = [nn.Linear(i, o, bias=bias)]
        return (layers + [nn.BatchNorm1d(o)] if bn else layers) + [nn.ReLU()]

    if name == "mlp":
        return nn.Sequential(nn.Flatten(), *dense(height * width * channels, 512), *dense(512, 512), nn.Linear(512, classes))
    if name == "lenet":
        return nn.Sequential(*conv(channels, 32, 5), nn.ReLU(), nn.MaxPool2d(2), *conv(32, 64, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             # this dense layer has no normalisation behind it
                             nn.Linear(64 * (height // 4) * (width // 4), 512), nn.ReLU(), nn.Linear(512, classes))
    end = [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())]  # one layer of evenkeel's
    if name == "vgg":
        layers, before = [], channels
        for filters in (64, 128, 256):
            layers += [*conv(before, filters, 3), nn.ReLU(), *conv(filters, filters, 3), nn.ReLU(), nn.MaxPool2d(2)]
            before = filters
        return nn.Sequential(*layers, *end, nn.Linear(256, classes))
    assert name == "resnet20"
    layers, before = [*conv(channels, 16, 3), nn.ReLU()], 16
    for filters in (16, 32, 64):
        for block in range(3):
            stride = 2 if block == 0 and filters > 16 else 1
            layers += [Residual(before, filters, stride, *conv(before, filters, 3, stride), nn.ReLU(), *conv(filters, filters, 3)), nn.ReLU()]
            before = filters
    return nn.Sequential(*layers, *end, nn.Linear(64, classes))


# The normalisations and GELU in networks of a few layers: the layers' text, and what PyTorch has at `norm` for C channels.
CONVOLUTIONS = "conv:8:3 norm act maxpool:2 residual(conv:8:3:groups=8 norm conv:8:1:groups=2 norm) act global_avgpool dense:16 act dense:classes"
WITH_DENSE = "conv:8:3 norm act maxpool:2 flatten dense:16 norm act dense:classes"
NORMS = {
    "layer": (WITH_DENSE, lambda c: nn.GroupNorm(1, c)),
    "group:4": (WITH_DENSE, lambda c: nn.GroupNorm(4, c)),
    "instance": (CONVOLUTIONS, lambda c: nn.GroupNorm(c, c)),
    "renorm": (WITH_DENSE, None),  # PyTorch's: a batch norm in inference, of the variance sigma^2 and an eps of 0
    "batch:eps=0.01": (CONVOLUTIONS, lambda c: nn.BatchNorm2d(c, eps=0.01)),
}


def torch_small(text, make, kind, arrays, height, width, classes):
    bias = kind.partition(":")[0] in ("layer", "group")
    if make is None:
        renamed = {}
        for name, a in arrays.items():
            renamed[name.replace("running_sigma", "running_var")] = a.astype(np.float64) ** 2 if "running_sigma" in name else a
        arrays = renamed
    norm2 = make or (lambda c: nn.BatchNorm2d(c, eps=0))
    norm1 = make or (lambda c: nn.BatchNorm1d(c, eps=0))
    layers = [nn.Conv2d(1, 8, 3, 1, 1, bias=bias), norm2(8), nn.GELU(), nn.MaxPool2d(2)]
    if text == WITH_DENSE:
        layers += [nn.Flatten(), nn.Linear(8 * (height // 2) * (width // 2), 16, bias=bias), norm1(16), nn.GELU(), nn.Linear(16, classes)]
    else:
        depthwise, grouped = nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=bias), nn.Conv2d(8, 8, 1, groups=2, bias=bias)
        layers += [Residual(8, 8, 1, depthwise, norm2(8), grouped, norm2(8)), nn.GELU()]
        layers += [nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, classes)]
    model = nn.Sequential(*layers)
    if make is None:
        model.double()
    model.load_state_dict({k: torch.tensor(v) for k, v in arrays.items()}, strict=True)
    return model


def onnx_logits(onnx, file, x):
    """What the operators in an ONNX file compute by the words of the standard, in double."""
    model, f = onnx.load(file), nn.functional
    to_array = importlib.import_module("onnx.numpy_helper").to_array
    values = {t.name: torch.tensor(to_array(t).copy()).double() for t in model.graph.initializer}
    values["input"] = x.double()

    def group_norm(x, scale, bias, a):
        groups = x.reshape(len(x), a["num_groups"], -1)
        normalised = (groups - groups.mean(2, keepdim=True)) / (groups.var(2, unbiased=False, keepdim=True) + a["epsilon"]).sqrt()
        by_channel = (-1,) + (1,) * (x.dim() - 2)
        return normalised.reshape(x.shape) * scale.reshape(by_channel) + bias.reshape(by_channel)

    def layer_norm(x, scale, bias, a):
        axes = list(range(a["axis"], x.dim()))
        assert list(scale.shape) == list(bias.shape) == list(x.shape[a["axis"] :]), "the standard's definition needs whole tensors"
        centred = x - x.mean(axes, keepdim=True)
        return centred / ((centred**2).mean(axes, keepdim=True) + a["epsilon"]).sqrt() * scale + bias

    def conv(x, w, *bias, **a):
        assert a["pads"][:2] == a["pads"][2:]
        return f.conv2d(x, w, *bias, stride=a["strides"], padding=a["pads"][:2], groups=a.get("group", 1))

    operators = {
        "Conv": lambda x, w, *b, a: conv(x, w, *b, **{"pads": [0] * 4, **a}),
        "Gemm": lambda x, w, *b, a: f.linear(x, w, *b),
        "BatchNormalization": lambda x, s, b, m, v, a: f.batch_norm(x, m, v, s, b, eps=a["epsilon"]),
        "LayerNormalization": lambda x, s, b, a: layer_norm(x, s, b, a),
        "InstanceNormalization": lambda x, s, b, a: group_norm(x, s, b, {**a, "num_groups": x.shape[1]}),
        "GroupNormalization": lambda x, s, b, a: group_norm(x, s, b, a),
        "MaxPool": lambda x, a: f.max_pool2d(x, a["kernel_shape"], a["strides"]),
        "GlobalAveragePool": lambda x, a: x.mean((2, 3), keepdim=True),
        "Flatten": lambda x, a: x.flatten(1),
        "Identity": lambda x, a: x,
        "Add": lambda x, y, a: x + y,
        "Mul": lambda x, y, a: x * y,
        "Erf": lambda x, a: torch.erf(x),
    }
    for node in model.graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = operators[node.op_type](*(values[i] for i in node.input), a=attributes)
    return values["logits"].numpy(), model.opset_import[0].version


def find_idx(data, name):
    roots = [os.environ.get("EVENKEEL_DATA", ""), os.path.expanduser("~/.cache/evenkeel"), "/usr/share/datasets", "/usr/share"]
    for root in filter(None, roots):
        for folder, _, files in os.walk(os.path.join(root, data)):
            for file in (name, name + ".gz"):
                if file in files:
                    return os.path.join(folder, file)
    skip("there is no", name, "of", data)


def write_noise(folder):
    """MNIST's four files, of noise, and squares that depend on the label."""
    random = np.random.default_rng(1)
    squares = (np.arange(28)[:, None] // 7 * 4 + np.arange(28) // 7) % 10
    os.makedirs(os.path.join(folder, "mnist"))
    for part, count in (("train", 512), ("t10k", 300)):
        labels = random.integers(0, 10, count, dtype=np.uint8)
        images = random.integers(60, 100, (count, 28, 28)) + 100 * (squares == labels[:, None, None])
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            with open(os.path.join(folder, "mnist", f"{part}-{kind}-ubyte"), "wb") as f:
                f.write(bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes())
                f.write(array.astype(np.uint8).tobytes())


def read_idx(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        content = f.read()
    shape = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def torch_logits(model, x, batch=250):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(x[i : i + batch]) for i in range(0, len(x), batch)]).numpy()


def exact_logits(model, x):
    return torch_logits(copy.deepcopy(model).double(), x.double())  # the same weights, in double


class Checker:
    def __init__(self, labels):
        self.labels, self.failures = labels, 0

    def __call__(self, what, ours, theirs, exact):
        """Both within 1e-5 of PyTorch's logits in double, and as many right answers. How far they are apart is shown, and not judged:
        over 10,000 images PyTorch's own floats are up to 9e-6 off where the logits are up to 11."""
        difference = float(np.abs(ours - theirs).max())
        off = [float(np.abs(logits - exact).max()) for logits in (ours, theirs)]
        right = [int((logits.argmax(1) == self.labels).sum()) for logits in (ours, theirs)]
        good = right[0] == right[1] and max(off) <= 1e-5
        self.failures += not good
        print(f"  {what:<16} logits up to {np.abs(ours).max():6.2f} differ by {difference:.1e}, from double's by {off[0]:.1e}, {off[1]:.1e}; "
              f"right {right[0]}, {right[1]} of {len(ours)}" + ("" if good else "   FAILED"), flush=True)


def run_onnx(check, file, x, ours, exact):
    if importlib.util.find_spec("onnxruntime"):
        session = importlib.import_module("onnxruntime").InferenceSession(file)
        check("ONNX Runtime", ours, session.run(["logits"], {"input": x.numpy()})[0], exact)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("program")
    arguments.add_argument("--samples", type=int, default=200, help="test images to compare on")
    arguments.add_argument("--models", default="mlp,lenet,vgg,resnet20")
    arguments.add_argument("--data", default="", help="noise where none is named")
    o = arguments.parse_args()
    with tempfile.TemporaryDirectory() as noise:
        if not o.data:
            write_noise(noise)
            os.environ["EVENKEEL_DATA"], o.data = noise, "mnist"
            # Noise is learned soon; smaller steps keep the logits, and so float's errors, as small as on real images.
            return compare(o, {"batch": "0.004", "none": "0.0002"})
        return compare(o, {"batch": "0.02", "none": "0.001"})


def compare(o, lr):
    images, labels = (read_idx(find_idx(o.data, n)) for n in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"))
    images, labels = images[: o.samples], labels[: o.samples]
    check = Checker(labels)

    def run(*words):
        subprocess.run([o.program, *words], check=True, capture_output=True)

    def logits_of(*words):
        run("eval", *words, "--data-dir", os.path.join(folder, "data"), "--logits", os.path.join(folder, "logits.npz"))
        return np.load(os.path.join(folder, "logits.npz"))["logits"]

    with tempfile.TemporaryDirectory() as folder:
        few = os.path.join(folder, "data", o.data)  # the set with the first test images alone
        os.makedirs(few)
        for n in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
            os.symlink(find_idx(o.data, n), os.path.join(few, os.path.basename(find_idx(o.data, n))))
        for n, a in (("t10k-images-idx3-ubyte", images), ("t10k-labels-idx1-ubyte", labels)):
            with open(os.path.join(few, n), "wb") as file:
                file.write(struct.pack(f">{1 + a.ndim}I", 0x800 + a.ndim, *a.shape) + a.tobytes())
        for name in o.models.split(","):
            for norm in ("none", "batch"):
                print(name, "norm", norm, flush=True)
                out = os.path.join(folder, "run")
                run("train", "--data", o.data, "--samples", "512", "--epochs", "1", "--lr", lr[norm], "--model", name,
                    "--norm", norm, "--out", out, "--overwrite")
                file = os.path.join(out, "last.safetensors")
                ours = logits_of(file)

                # evenkeel -> PyTorch
                exported = os.path.join(out, "last.export.safetensors")
                run("export", file, "--format", "safetensors")
                arrays, metadata = read_safetensors(exported)
                mean, deviation = (np.array(metadata[k].split(","), np.float32) for k in ("mean", "deviation"))
                x = torch.tensor((images[:, None].astype(np.float32) - mean) / deviation)
                model = torch_model(name, norm, *images.shape[1:], 1, 10)
                model.load_state_dict({k: torch.tensor(v) for k, v in arrays.items()}, strict=True)
                exact = exact_logits(model, x)
                check("PyTorch", ours, torch_logits(model, x), exact)

                # the checkpoint itself: what has a name of evenkeel's own left out
                arrays, _ = read_safetensors(file)
                model.load_state_dict({k: torch.tensor(v) for k, v in arrays.items() if not k.startswith("evenkeel.")}, strict=True)

                # PyTorch -> evenkeel: a model that PyTorch trained for a step
                torch.manual_seed(1)
                model = torch_model(name, norm, *images.shape[1:], 1, 10)
                step = torch.optim.SGD(model.parameters(), 0.05)
                nn.functional.cross_entropy(model(x[:64]), torch.tensor(labels[:64].astype(np.int64))).backward()
                step.step()
                from_torch = os.path.join(folder, "torch.safetensors")
                write_safetensors(from_torch, {k: v.numpy() for k, v in model.state_dict().items()})
                theirs = logits_of(from_torch, "--model", name, "--norm", norm, "--data", o.data)
                whole = read_idx(find_idx(o.data, "train-images-idx3-ubyte")).astype(np.float64)  # --data: normalised by its training images
                x_whole = torch.tensor(((images[:, None] - whole.mean()) / whole.std()).astype(np.float32))
                check("from PyTorch", theirs, torch_logits(model, x_whole), exact_logits(model, x_whole))

                # the same in half precision, with biases everywhere and a wrapper's prefix
                model = torch_model(name, norm, *images.shape[1:], 1, 10, bias=True)
                for p in (p for n, p in model.named_parameters() if n.endswith("bias")):
                    nn.init.normal_(p, std=0.1)
                model(x_whole[:64])  # moves the running averages
                model = model.half().float()
                state = nn.DataParallel(model).half().state_dict()
                write_safetensors(from_torch, {k: v.numpy() for k, v in state.items()})
                model.float()
                theirs = logits_of(from_torch, "--model", name, "--norm", norm, "--data", o.data)
                check("halves, wrapped", theirs, torch_logits(model, x_whole), exact_logits(model, x_whole))

                run("export", file, "--format", "npz")
                with np.load(os.path.join(out, "last.npz")) as npz:
                    exported_arrays, _ = read_safetensors(exported)
                    same = set(npz.files) == set(exported_arrays) and all((npz[k] == exported_arrays[k]).all() for k in npz.files)
                    print("  NumPy's npz", "is the same" if same else "differs   FAILED")
                    check.failures += not same

                for fold in ([], ["--fold"]) if norm == "batch" else ([],):
                    onnx_file = os.path.join(out, "last.onnx")
                    run("export", file, "--format", "onnx", *fold)
                    if onnx := optional("onnx"):
                        onnx.checker.check_model(onnx.load(onnx_file), full_check=True)
                        print("  ONNX's checker accepts it", *fold)
                    if cv2 := optional("cv2"):
                        net = cv2.dnn.readNetFromONNX(onnx_file)
                        outputs = []
                        for i in range(0, len(x), 100):
                            net.setInput(x[i : i + 100].numpy())
                            outputs.append(net.forward().copy())
                        check(" ".join(["OpenCV", *fold]), ours, np.concatenate(outputs), exact)
                    run_onnx(check, onnx_file, x, ours, exact)
        for norm, (text, make) in NORMS.items():
            print(text, "norm", norm, flush=True)
            run("train", "--data", o.data, "--samples", "512", "--epochs", "1", "--lr", lr["batch"], "--model", text,
                "--norm", norm, "--activation", "gelu", "--out", out, "--overwrite")
            ours = logits_of(file)
            run("export", file, "--format", "safetensors")
            arrays, _ = read_safetensors(exported)
            model = torch_small(text, make, norm, arrays, *images.shape[1:], 10)
            exact = exact_logits(model, x)
            check("PyTorch", ours, torch_logits(model, x.to(model[0].weight.dtype)), exact)
            run("export", file, "--format", "onnx")
            if onnx := optional("onnx"):
                theirs, opset = onnx_logits(onnx, onnx_file, x)
                check(f"ONNX, opset {opset}", ours, theirs, exact)
                if opset <= onnx.defs.onnx_opset_version():
                    onnx.checker.check_model(onnx.load(onnx_file), full_check=True)
                    print("  ONNX's checker accepts it")
            run_onnx(check, onnx_file, x, ours, exact)
    print("FAILED" if check.failures else "all agree")
    return int(check.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
