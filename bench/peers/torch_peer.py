"""PyTorch on the CPU as a peer: torch_peer.py THREADS; the protocol is told in serve.mjs."""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))


def tensor(path, shape):
    return torch.from_numpy(np.fromfile(path, dtype=np.float32).reshape(shape))


def prepare_matmul(task):
    a = tensor(task["inputs"]["a"], (task["m"], task["k"]))
    b = tensor(task["inputs"]["b"], (task["k"], task["n"]))
    return lambda: torch.matmul(a, b), lambda y: y.numpy()


def prepare_conv2d(task):
    shapes, inputs = task["shapes"], task["inputs"]
    x, w, dy = (tensor(inputs[i], shapes[s]) for i, s in (("x", "x"), ("w", "w"), ("dy", "y")))
    stride, padding = [task["stride"]] * 2, [task["padding"]] * 2

    def backward(wanted):
        mask = [wanted == 0, wanted == 1, False]
        return torch.ops.aten.convolution_backward(
            dy, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, mask
        )[wanted]

    passes = {
        "forward": lambda: F.conv2d(x, w, stride=stride, padding=padding),
        "inputGradient": lambda: backward(0),
        "weightGradient": lambda: backward(1),
    }
    return passes[task["pass"]], lambda y: y.numpy()


class Training:
    """A ResNet-20 training step: shortcuts without parameters, SGD with momentum."""

    def __init__(self, task):
        self.task = task
        inputs, side = task["inputs"], task["side"]
        values = np.fromfile(inputs["parameters"], dtype=np.float32)
        self.parameters, at = {}, 0
        for spec in task["parameters"]:
            size = int(np.prod(spec["shape"]))
            value = torch.from_numpy(values[at : at + size].reshape(spec["shape"]).copy())
            self.parameters[spec["name"]] = value.requires_grad_()
            at += size
        names = [n for n in self.parameters if n.endswith(".weight") and "bn" in n]
        self.running = {n[: -len(".weight")]: (torch.zeros(len(self.parameters[n])), torch.ones(len(self.parameters[n]))) for n in names}
        self.images = tensor(inputs["images"], (task["batch"], 3, side, side))
        self.labels = torch.from_numpy(np.fromfile(inputs["labels"], dtype=np.float32)).long()
        self.optimizer = torch.optim.SGD(
            self.parameters.values(), lr=task["learningRate"], momentum=task["momentum"]
        )

    def layer(self, x, conv, bn, stride):
        p = self.parameters
        x = F.conv2d(x, p[f"{conv}.weight"], stride=stride, padding=1)
        mean, variance = self.running[bn]
        return F.batch_norm(x, mean, variance, p[f"{bn}.weight"], p[f"{bn}.bias"], training=True)

    def forward(self, x):
        x = F.relu(self.layer(x, "conv1", "bn1", 1))
        for stage, channels, first_stride in (("layer1", 16, 1), ("layer2", 32, 2), ("layer3", 64, 2)):
            for i in range(3):
                block, stride = f"{stage}.{i}", first_stride if i == 0 else 1
                hidden = F.relu(self.layer(x, f"{block}.conv1", f"{block}.bn1", stride))
                residual = self.layer(hidden, f"{block}.conv2", f"{block}.bn2", 1)
                if x.shape[1] != channels:
                    added = channels - x.shape[1]
                    x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, added // 2, added - added // 2))
                x = F.relu(residual + x)
        return F.linear(x.mean((2, 3)), self.parameters["linear.weight"], self.parameters["linear.bias"])

    def compute(self):
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.forward(self.images), self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def read(self, loss):
        """The loss and all parameters, in the order of the task."""
        parts = [loss.detach().reshape(1)] + [p.detach().reshape(-1) for p in self.parameters.values()]
        return torch.cat(parts).numpy()


def prepare(task):
    if task["kind"] == "training":
        training = Training(task)
        return training.compute, training.read
    return {"matmul": prepare_matmul, "conv2d": prepare_conv2d}[task["kind"]](task)


def main():
    def answer(message):
        print(json.dumps(message), flush=True)

    answer({"version": torch.__version__, "threads": torch.get_num_threads()})
    compute = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                compute, read = prepare(request["prepare"])
                np.ascontiguousarray(read(compute()), dtype=np.float32).tofile(request["prepare"]["output"])
                answer({})
            else:
                begin = time.perf_counter()
                for _ in range(request["run"]):
                    compute()
                answer({"seconds": time.perf_counter() - begin})
        except Exception as error:  # whatever PyTorch throws belongs into the report
            answer({"error": f"{type(error).__name__}: {error}"})


if __name__ == "__main__":
    main()
