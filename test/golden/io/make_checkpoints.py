"""Makes the training checkpoints beside it and checkpoints.json, for test/io/checkpoints.test.ts: files laid out as the training
scripts of timm and torchvision lay them out, with every tensor's true name and shape, and what the networks hold once they are loaded.

    pip install torch torchvision timm && python3 test/golden/io/make_checkpoints.py

Every tensor is one number, repeated: a view with strides of 0, so that a file holds the numbers alone. The numbers count up
in the order of the state dict, from `first` in steps of 2^-12 (exact in float32).

checkpoints.json holds sha256 over the lines "name [shape]" (names), and "name [shape] value" (files), sorted:

    names   what the networks of torchvision and timm are made of
    files   what timm's or torchvision's own network holds after a strict load_state_dict of the weights that the file is to give
"""
import argparse
import hashlib
import json
import pathlib

import torch
from torch.optim.swa_utils import AveragedModel

# Only torchvision's model definitions are used; its compiled operators need not match the installed torch.
register_fake, torch.library.register_fake = torch.library.register_fake, lambda *_, **__: lambda function: function
import torchvision.models  # noqa: E402

torch.library.register_fake = register_fake
import timm  # noqa: E402

FOLDER = pathlib.Path(__file__).parent
STEP = 2.0**-12


def kept(state):
    """Without the counters of batches, which old files have not."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def digest(lines):
    return hashlib.sha256("".join(f"{line}\n" for line in sorted(lines)).encode()).hexdigest()


def names(network):
    return digest(f"{name} {list(tensor.shape)}".replace(", ", ",") for name, tensor in kept(network.state_dict()).items())


def contents(network):
    def line(name, tensor):
        value = tensor.flatten()[0].item()
        assert (tensor == value).all()
        return f"{name} {list(tensor.shape)}".replace(", ", ",") + f" {round(value / STEP)}"

    return digest(line(name, tensor) for name, tensor in kept(network.state_dict()).items())


def counting(network, first):
    """A state dict of the network's names and shapes; the k-th floating-point tensor is first + k * STEP throughout."""
    shapes = network.state_dict()
    values = first + STEP * torch.arange(len(shapes), dtype=torch.float32)
    batches = torch.tensor(17)
    return {
        name: values[k].expand(tensor.shape) if tensor.is_floating_point() else batches
        for k, (name, tensor) in enumerate(shapes.items())
    }


def constant(network):
    """The same, all of one number: tensors of one shape are then read into one array."""
    batches, one = torch.tensor(17), torch.ones(1)
    return {
        name: one.expand(tensor.shape) if tensor.is_floating_point() else batches
        for name, tensor in network.state_dict().items()
    }


def optimizer_state():
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.sum().backward()
    optimizer.step()
    return optimizer.state_dict()


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


def timm_resnet18():
    """timm/utils/checkpoint_saver.py: weights, their running average, and the script's arguments."""
    network = timm.create_model("resnet18", num_classes=5)
    average = counting(network, first=2.0)
    network.load_state_dict(average)
    args = argparse.Namespace(
        data_dir="images", model="resnet18", lr=0.1, decay_milestones=[90, 180, 270], mean=None, amp=False, scale=[0.08, 1.0]
    )
    checkpoint = {
        "epoch": 11, "arch": "resnet18", "state_dict": constant(network), "optimizer": optimizer_state(),
        "version": 2, "args": args, "state_dict_ema": prefixed("module._orig_mod.", average), "metric": 71.25,
    }
    return checkpoint, network


def torchvision_efficientnet_b0():
    """torchvision's references/classification/train.py with --model-ema. What is compared is timm's network, tensor for tensor in order."""
    ours, theirs = timm.create_model("efficientnet_b0", num_classes=4), torchvision.models.efficientnet_b0(num_classes=4)
    averaged = AveragedModel(theirs)
    renamed = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(renamed)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        difference = (ours.eval()(images) - theirs.eval()(images)).abs().max().item()
    assert difference < 1e-6, difference
    state = counting(theirs, first=1.0)
    ours.load_state_dict(dict(zip(ours.state_dict(), state.values(), strict=True)))
    average = prefixed("module.", state)
    assert ["n_averaged", *average] == list(averaged.state_dict())
    checkpoint = {
        "model": constant(theirs), "optimizer": optimizer_state(),
        "lr_scheduler": {"step_size": 30, "last_epoch": 2, "_last_lr": [0.1]}, "epoch": 2,
        "args": argparse.Namespace(data_path="images", model="efficientnet_b0", device="cuda", lr=0.1, norm_weight_decay=None),
        "model_ema": {"n_averaged": averaged.n_averaged, **average},
    }
    return checkpoint, ours


NETWORKS = {
    **{f"resnet{depth}": getattr(torchvision.models, f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    "efficientnet_b0": lambda: timm.create_model("efficientnet_b0"),
    "tf_efficientnet_b0": lambda: timm.create_model("tf_efficientnet_b0"),
}
FILES = {
    "timm-resnet18.pth.tar": timm_resnet18,
    "torchvision-efficientnet_b0.pth": torchvision_efficientnet_b0,
}

if __name__ == "__main__":
    for depth in (18, 34, 50, 101, 152):
        assert names(timm.create_model(f"resnet{depth}")) == names(getattr(torchvision.models, f"resnet{depth}")())
    results = {"names": {name: names(make()) for name, make in NETWORKS.items()}, "files": {}}
    for file, make in FILES.items():
        checkpoint, network = make()
        torch.save(checkpoint, FOLDER / file)
        results["files"][file] = contents(network)
        print(file, (FOLDER / file).stat().st_size, "bytes")
    (FOLDER / "checkpoints.json").write_text(json.dumps(results, indent=1) + "\n")
    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, timm {timm.__version__}")
