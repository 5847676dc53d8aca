"""Makes test/golden/io: small weight files of every kind, and expected.json with what PyTorch says they hold.

    pip install torch numpy safetensors && python3 test/golden/make_weight_files.py

Made with torch 2.13.0 and safetensors 0.8.0. Nothing of the malicious files is ever run, neither here nor by the tests.
"""

import hashlib
import json
import os
import pickle
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

FOLDER = Path(__file__).parent / "io"
FOLDER.mkdir(exist_ok=True)
expected = {}


def held(tensor):
    """A tensor as the reader holds it: its widened dtype, shape and values (integers as decimal strings)."""
    dtype = {
        torch.float16: "f32", torch.bfloat16: "f32", torch.float32: "f32", torch.float64: "f64",
        torch.int8: "i32", torch.int16: "i32", torch.uint16: "i32", torch.int32: "i32",
        torch.uint32: "i64", torch.int64: "i64", torch.uint8: "u8", torch.bool: "bool",
    }[tensor.dtype]
    values = tensor.detach().contiguous().double() if dtype[0] == "f" else tensor.contiguous().to(torch.int64)
    return {"shape": list(tensor.shape), "dtype": dtype, "values": [str(v) for v in values.flatten().tolist()]}


def expect(name, state):
    expected[name] = {key: held(tensor) for key, tensor in state.items()}


def typed(integers):
    """One tensor of each dtype, with the values at the edges of its range."""
    state = OrderedDict()
    state["f64"] = torch.tensor([0.1, -1e300, 5e-324], dtype=torch.float64)
    state["f32"] = torch.tensor([[0.1, -3.4e38], [1e-45, float("inf")]])
    state["f16"] = torch.tensor([0.1, -65504.0, 6e-8, -0.0, 6.1e-5, float("-inf")], dtype=torch.float16)
    state["bf16"] = torch.tensor([0.1, -3.3e38, 1e-40, 1.0], dtype=torch.bfloat16)
    state["bool"] = torch.tensor([True, False, True])
    state["scalar"] = torch.tensor(7, dtype=torch.int64)
    state["empty"] = torch.zeros(2, 0, 3)
    for dtype in integers:
        limits = torch.iinfo(dtype)
        state[str(dtype).removeprefix("torch.")] = torch.tensor([limits.min, limits.max, 3], dtype=dtype)
    return state


SIGNED = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


def save(name, value, **options):
    torch.save(value, FOLDER / name, **options)


def make_pytorch():
    state = typed(SIGNED)
    save("dtypes.pt", state)
    save("dtypes-legacy.pt", state, _use_new_zipfile_serialization=False)
    expect("dtypes", state)
    save("unsigned.pt", typed([torch.uint16, torch.uint32]))
    expect("unsigned", typed([torch.uint16, torch.uint32]))

    base = torch.arange(24.0).reshape(4, 6)
    views = OrderedDict(
        base=base,
        transposed=base.t(),
        column=base[:, 2],
        window=base[1:3, 1:5:2],
        tail=base.flatten()[20:],
        expanded=base[0, :1].expand(3, 2),
        permuted=torch.arange(120, dtype=torch.int64).reshape(2, 3, 4, 5).permute(3, 1, 0, 2),
        channels_last=torch.arange(24.0).reshape(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
        flags=torch.tensor([[True, False], [True, True]]).t(),
    )
    save("views.pt", views)
    save("views-legacy.pt", views, _use_new_zipfile_serialization=False)
    expect("views", views)

    weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0], [0.5, 4.0]]))
    model = OrderedDict({"module.fc.weight": weight, "module.fc.bias": torch.tensor([1.0, 2.0])})
    model._metadata = OrderedDict({"": {"version": 1}})
    weight_with_attribute = torch.tensor([3.0])
    weight_with_attribute.origin = "here"
    checkpoint = {
        "epoch": 12, "best_prec1": 91.78, "state_dict": model, "arch": "résnet\n20", "done": True, "nothing": None,
        "large": 2**70, "negative": -(2**40), "small": -5, "bytes": b"a\xff\x00", "raw": bytearray(b"\x01\xfe"),
        "set": {3}, "nested": {"list": [1, (2, [3.5])], 7: "seven"}, "size": torch.Size([1, 2]),
        "device": torch.device("cuda:1"), "cpu": torch.device("cpu"), "dtype": torch.float16,
        "milestones": Counter({30: 1}), "attribute": weight_with_attribute,
    }
    save("checkpoint.pt", checkpoint)
    for protocol in (1, 2, 3, 4, 5):
        save(f"checkpoint-legacy-{protocol}.pt", checkpoint, _use_new_zipfile_serialization=False, pickle_protocol=protocol)
        if protocol > 2:
            save(f"checkpoint-{protocol}.pt", checkpoint, pickle_protocol=protocol)
    expect("checkpoint", {key.removeprefix("module."): tensor for key, tensor in model.items()})

    shared = torch.arange(3.0)
    save("tied.pt", {"a": shared, "b": shared.view(3), "c": shared.view(3, 1), "d": torch.arange(3.0)})

    save("module.pt", torch.nn.Linear(2, 1))
    save("none.pt", {"epoch": 3, "lr": 0.1})
    save("mixed.pt", {"state_dict": {"weight": torch.ones(1), "epoch": 3}})


class Malicious:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def rewrite_zip(source, target, change):
    with zipfile.ZipFile(FOLDER / source) as old, zipfile.ZipFile(FOLDER / target, "w") as new:
        for name in old.namelist():
            content, compression = change(name, old.read(name))
            if content is not None:
                new.writestr(zipfile.ZipInfo(name), content, compress_type=compression)


def make_altered():
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(FOLDER / "full.pt"))
    # The debug records hold paths of the machine.
    keep = lambda n, c: (None if n.endswith("debug_pkl") else c, zipfile.ZIP_DEFLATED if "/code/" in n else zipfile.ZIP_STORED)
    rewrite_zip("full.pt", "script.pt", keep)
    (FOLDER / "full.pt").unlink()

    save("malicious.pt", {"state_dict": Malicious()})
    save("malicious-legacy.pt", {"state_dict": Malicious()}, _use_new_zipfile_serialization=False)
    (FOLDER / "malicious-plain.pt").write_bytes(pickle.dumps(Malicious()))
    (FOLDER / "malicious-protocol0.pt").write_bytes(b"cos\nsystem\n(S'echo this must never run'\ntR.")
    (FOLDER / "plain.pt").write_bytes(pickle.dumps({"weight": [1.0]}))

    stored = zipfile.ZIP_STORED
    source = "views.pt"
    rewrite_zip(source, "big-endian.pt", lambda n, c: (b"big" if n.endswith("byteorder") else c, stored))
    rewrite_zip(source, "compressed.pt", lambda n, c: (c, zipfile.ZIP_DEFLATED))
    rewrite_zip(source, "lacking.pt", lambda n, c: (None if n.endswith("data/0") else c, stored))
    rewrite_zip(source, "short-storage.pt", lambda n, c: (c[:-4] if n.endswith("data/0") else c, stored))
    # Every size and offset in the 64-bit fields that archives above 4 GiB need.
    limit, zipfile.ZIP64_LIMIT = zipfile.ZIP64_LIMIT, 0
    rewrite_zip(source, "zip64.pt", lambda n, c: (c, stored))
    zipfile.ZIP64_LIMIT = limit
    # The stride (6, 1) of the first tensor becomes (7, 1), which reaches beyond its storage.
    rewrite_zip(source, "outside.pt", lambda n, c: (c.replace(b"K\x06K\x01\x86", b"K\x07K\x01\x86", 1), stored))
    # The tensor expanded to 3 × 2 by strides of 0 claims 2³⁰ × 2 values.
    rewrite_zip(source, "expanded.pt", lambda n, c: (c.replace(b"K\x03K\x02\x86", b"J\x00\x00\x00\x40K\x02\x86", 1), stored))
    legacy = (FOLDER / "views-legacy.pt").read_bytes()
    at = legacy.index(b"little_endian")
    (FOLDER / "big-endian-legacy.pt").write_bytes(legacy[:at] + legacy[at:].replace(b"\x88", b"\x89", 1))


def make_safetensors():
    state = typed([*SIGNED, torch.uint16, torch.uint32])
    save_file(dict(state), str(FOLDER / "dtypes.safetensors"), metadata={"format": "pt"})
    expect("dtypes.safetensors", state)
    plain = {
        "b.weight": torch.arange(6.0).reshape(2, 3), "a.weight": torch.tensor([0.5]), "a.bias": torch.tensor([1, 2]),
        "c": torch.tensor([1, 2], dtype=torch.int32), "d": torch.tensor([True]), "ü": torch.tensor(2.0, dtype=torch.float64),
        "10": torch.tensor([9], dtype=torch.uint8),
    }
    save_file(plain, str(FOLDER / "plain.safetensors"), metadata={"note": 'a "quoted" line\nand a second'})
    expect("plain.safetensors", plain)


def digest_published():
    """sha256 over names and little-endian float32 values of published weights that are too large to keep here."""
    folder = Path(__file__).parents[2] / ".." / "shared" / "data" / "resnet-cifar10"
    digests = {}
    for path in sorted(folder.glob("*.th")):
        hasher = hashlib.sha256()
        for name, tensor in torch.load(path, map_location="cpu", weights_only=True)["state_dict"].items():
            hasher.update(f"{name.removeprefix('module.')} {list(tensor.shape)}\n".replace(" ", "").encode())
            hasher.update(tensor.float().contiguous().numpy().tobytes())
        digests[path.name] = hasher.hexdigest()
    (FOLDER / "published.json").write_text(json.dumps(digests, indent=1) + "\n")


make_pytorch()
make_altered()
digest_published()
make_safetensors()
(FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
