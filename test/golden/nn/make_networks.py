"""Makes the safetensors files beside it, for test/nn/golden.test.ts and test/long/golden.test.ts: what PyTorch computes, in float64,
for networks whose weights follow a formula that test/nn/formula.ts computes too.

    python3 test/golden/nn/make_networks.py [NAME ...]

The values u(stream, i) are on [0, 1), multiples of 2^-24: i and stream through MurmurHash3's finalizer (`uniform` below).
Tensor k of the network (parameters and float buffers in state_dict order) takes stream k, images a stream of their own:

    images                   (2u - 1) * sqrt(3)
    labels                   (3i + 1) mod classes
    weights of >= 2 dims     (2u - 1) * sqrt(6 / fan_in)
    BatchNorm's weight       0.5 + u
    biases                   (2u - 1) * 0.2, plus `shift` for BatchNorm's
    running_mean             (2u - 1) * 0.3
    running_var              0.5 + u

each computed in float64 and rounded to float32.

A gradient jumps where the input of a ReLU crosses zero, and among a million of them some come within float32's error of it.
So that two correct programs agree, the images are those of the stream, out of the first few, that keeps all inputs of ReLUs
farthest from zero (`margin`), and a deep network gets a `shift` that leaves fewer of them near it.

Written are, in float64:

    logits_eval (N, classes)                           before anything else
    logits_train (N, classes), loss (1)                in training mode, mean cross-entropy
    gradient_sums, gradient_norms (P)                  one entry per parameter
    gradient_samples (P, 16)                           the elements floor(j * size / 16)
    statistics (B, 16)                                 likewise of every float buffer after the training forward

with the names of parameters and buffers in the metadata, in order. Printed is how far PyTorch's own float32 gradients are
from these: how well-conditioned the case is.
"""
import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Only torchvision's model definitions are used; its compiled operators need not match the installed torch.
register_fake, torch.library.register_fake = torch.library.register_fake, lambda *_, **__: lambda function: function
import torchvision.models  # noqa: E402

torch.library.register_fake = register_fake
import timm  # noqa: E402

SAMPLES = 16
FIRST_IMAGE_STREAM = 1000
IMAGE_STREAMS = 24


def uniform(stream, count):
    x = (np.arange(count, dtype=np.uint64) + stream * 0x9E3779B1) & 0xFFFFFFFF
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        x ^= x >> np.uint64(shift)
        x = (x * factor) & 0xFFFFFFFF
    return (x >> np.uint64(8)).astype(np.float64) * 2.0**-24


def formula(name, shape, stream, shift):
    u = uniform(stream, math.prod(shape))
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        values = 0.5 + u
    elif name.endswith("running_mean"):
        values = (2 * u - 1) * 0.3
    elif name.endswith("bias"):
        values = (2 * u - 1) * 0.2 + (shift if "fc" not in name and "linear" not in name else 0)
    else:
        values = (2 * u - 1) * math.sqrt(6 / math.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


class Shortcut(nn.Module):
    """Option A: every second pixel, and a quarter of the new channels as zeros on either side."""

    def __init__(self, planes):
        super().__init__()
        self.added = planes // 4

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))


class Block(nn.Module):
    def __init__(self, in_planes, planes, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU()
        self.shortcut = nn.Sequential() if stride == 1 and in_planes == planes else Shortcut(planes)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class CifarResNet20(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, num_classes)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def floating(state):
    return {name: value for name, value in state.items() if value.is_floating_point()}


def initialise(network, shift):
    for k, (name, value) in enumerate(floating(network.state_dict()).items()):
        value.copy_(formula(name, tuple(value.shape), k, shift))


def images_of(stream, batch, side):
    values = (2 * uniform(stream, batch * 3 * side * side) - 1) * math.sqrt(3)
    return torch.from_numpy(values.astype(np.float32).reshape(batch, 3, side, side))


def margin(network, images):
    """The smallest |input| of any ReLU in a training forward."""
    smallest = []
    hooks = [
        module.register_forward_pre_hook(lambda _, inputs: smallest.append(inputs[0].abs().min().item()))
        for module in network.modules()
        if isinstance(module, nn.ReLU)
    ]
    with torch.no_grad():
        network.train()(images)
    for hook in hooks:
        hook.remove()
    # A network without a ReLU has no kinks.
    return min(smallest, default=math.inf)


def sampled(tensor):
    flat = tensor.detach().reshape(-1)
    return flat[torch.arange(SAMPLES) * flat.numel() // SAMPLES].double()


def run(network, images, labels, shift):
    """Logits in evaluation mode, then one training forward and backward."""
    initialise(network, shift)
    with torch.no_grad():
        logits_eval = network.eval()(images)
    logits = network.train()(images)
    loss = F.cross_entropy(logits, labels)
    loss.backward()
    return logits_eval, logits.detach(), loss.detach()


def golden(make, side, batch, classes, shift=0):
    network = make(num_classes=classes).double()
    initialise(network, shift)
    streams = range(FIRST_IMAGE_STREAM, FIRST_IMAGE_STREAM + IMAGE_STREAMS)
    margins = {stream: margin(network, images_of(stream, batch, side).double()) for stream in streams}
    stream = max(margins, key=margins.get)
    images = images_of(stream, batch, side)
    labels = (3 * torch.arange(batch) + 1) % classes
    logits_eval, logits_train, loss = run(network, images.double(), labels, shift)
    single = make(num_classes=classes)
    run(single, images, labels, shift)
    parameters = dict(network.named_parameters())
    buffers = floating(dict(network.named_buffers()))
    gradients = [value.grad for value in parameters.values()]
    errors = [((o.grad - g).norm() / max(g.norm(), 1e-2)).item() for o, g in zip(single.parameters(), gradients)]
    print(f"margin {margins[stream]:.1e}; float32 gradients differ by up to {max(errors):.1e}")
    tensors = {
        "logits_eval": logits_eval,
        "logits_train": logits_train,
        "loss": loss.reshape(1),
        "gradient_sums": torch.stack([g.sum() for g in gradients]),
        "gradient_norms": torch.stack([g.norm() for g in gradients]),
        "gradient_samples": torch.stack([sampled(g) for g in gradients]),
        "statistics": torch.stack([sampled(b) for b in buffers.values()]),
    }
    metadata = {
        "parameters": ",".join(parameters),
        "buffers": ",".join(buffers),
        "input": f"{batch},3,{side},{side}",
        "classes": str(classes),
        "shift": str(shift),
        "image_stream": str(stream),
        "made_by": f"make_networks.py, torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}",
    }
    return tensors, metadata


def write(path, tensors, metadata):
    header, parts, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().numpy().astype("<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
    print(path.name, path.stat().st_size, "bytes; loss", float(tensors["loss"]))


def efficientnet_b0(num_classes):
    return timm.create_model("efficientnet_b0", num_classes=num_classes, drop_rate=0, drop_path_rate=0)


def tf_efficientnet_b0(num_classes):
    return timm.create_model("tf_efficientnet_b0", num_classes=num_classes, drop_rate=0, drop_path_rate=0)


CASES = {
    "cifar-resnet20": lambda: golden(CifarResNet20, side=16, batch=2, classes=10),
    "resnet18": lambda: golden(torchvision.models.resnet18, side=64, batch=2, classes=10, shift=1),
    "resnet50": lambda: golden(torchvision.models.resnet50, side=64, batch=2, classes=10, shift=3),
    "efficientnet_b0": lambda: golden(efficientnet_b0, side=64, batch=4, classes=10),
    "tf_efficientnet_b0": lambda: golden(tf_efficientnet_b0, side=64, batch=4, classes=10),
    "resnet101-224": lambda: golden(torchvision.models.resnet101, side=224, batch=2, classes=10, shift=3),
    "efficientnet_b0-224": lambda: golden(efficientnet_b0, side=224, batch=2, classes=10),
}

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    for name in sys.argv[1:] or CASES:
        write(folder / f"{name}.safetensors", *CASES[name]())
