"""Penalties and their gradients as PyTorch gives them, in float64: python3 make_penalties.py > penalties.json

The network is that of test/regularizers/net.ts; parameter number k of it holds size*sin(1.3*i + k + shift), i counting its elements.
"""
import json
import torch
from torch import nn

torch.set_default_dtype(torch.float64)
ALPHA, BETA = 0.3, 0.07
ATTENTION = {"conv": [0.3, 0.1, 0.1, 0.2, 0.1, 0.2], "grouped": [0.1, 0.2, 0.3, 0.4]}


def wave(shape, size, shift):
    count = torch.Size(shape).numel()
    return (size * torch.sin(1.3 * torch.arange(count) + shift)).reshape(shape)


class Net(nn.Module):
    def __init__(self, shift):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.grouped = nn.Conv2d(6, 4, 3, groups=2, padding=1)
        self.depthwise = nn.Conv2d(4, 4, 3, groups=4, padding=1)
        self.head = nn.Linear(4, 3)
        for k, parameter in enumerate(self.parameters()):
            parameter.data = wave(parameter.shape, 0.5, k + shift)
        self.eval()

    def forward(self, x):
        self.maps = {"conv": self.conv(x)}
        self.maps["grouped"] = self.grouped(self.norm(self.maps["conv"]).relu())
        self.features = self.depthwise(self.maps["grouped"].relu()).mean((2, 3))
        return self.head(self.features)


SOURCE = Net(0.0)
IMAGES = wave((3, 4, 5, 5), 1.0, 0.5)
SOURCE(IMAGES)


def pairs(model, norm):
    layers = ["conv", "grouped", "depthwise"] + (["norm"] if norm else [])
    return [(getattr(model, name).weight, getattr(SOURCE, name).weight.detach()) for name in layers]


def l2sp(model):
    moved = sum(0.5 * torch.norm(w - w0) ** 2 for w, w0 in pairs(model, norm=False))
    return ALPHA * moved + BETA * 0.5 * torch.norm(model.head.weight) ** 2


def l2sp_authors(model):
    moved = sum(((w - w0) ** 2).sum() for w, w0 in pairs(model, norm=True))
    return ALPHA * moved + BETA * (model.head.weight ** 2).sum()


def rows(w):
    return w.reshape(len(w), -1).abs().sum(1)


def mars_sp(model):
    return ALPHA * sum(rows(w - w0).amax() for w, w0 in pairs(model, norm=True)) + BETA * rows(model.head.weight).amax()


def mars_sp_sum(model):
    moved = sum(rows(w - w0).amax() for w, w0 in pairs(model, norm=False))
    moved = moved + (model.norm.weight - SOURCE.norm.weight.detach()).abs().sum()
    return ALPHA * moved + BETA * rows(model.head.weight).amax()


def delta(model):
    """As the method's published code has it: squared norms of the channels' differences, C/(HW), summed over the batch; the head's bias counts."""
    total = 0
    for name, attention in ATTENTION.items():
        f, f0 = model.maps[name].flatten(2), SOURCE.maps[name].detach().flatten(2)
        distance = torch.linalg.vector_norm(f - f0, dim=2) ** 2 * torch.tensor(attention)
        total = total + 0.5 * (f.shape[1] * distance / f.shape[2]).sum()
    head = sum(0.5 * torch.norm(parameter) ** 2 for parameter in model.head.parameters())
    return ALPHA * total + BETA * head


def delta_authors(model):
    difference = SOURCE.maps["grouped"].detach() - model.maps["grouped"]
    return ALPHA * (difference.square() * torch.tensor(ATTENTION["grouped"]).reshape(1, -1, 1, 1)).mean()


def bss(k):
    return lambda model: ALPHA * torch.linalg.svdvals(model.features)[-k:].square().sum()


def case(penalty):
    model = Net(0.4)
    model(IMAGES)
    value = penalty(model)
    value.backward()
    gradients = {
        name: [float(f"{g:.10g}") for g in parameter.grad.flatten()]
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    return {"value": value.item(), "gradients": gradients}


print(json.dumps({
    "l2sp": case(l2sp), "l2sp, authors": case(l2sp_authors),
    "marsSp": case(mars_sp), "marsSp, sum": case(mars_sp_sum),
    "delta": case(delta), "delta, authors": case(delta_authors),
    "bss, 1": case(bss(1)), "bss, 2": case(bss(2)),
}))
