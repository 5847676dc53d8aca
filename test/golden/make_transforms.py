"""Makes transforms.json: what torchvision and Pillow make of one small image, for test/data/transforms.test.ts.

    python3 test/golden/make_transforms.py

Bytes are base64; floats are base64 of little-endian float32.
"""
import base64
import json
import pathlib

import numpy
import PIL
import torch
import torchvision
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def encode(array):
    return base64.b64encode(numpy.ascontiguousarray(array).tobytes()).decode()


def image_case(image):
    array = numpy.asarray(image)
    return {"height": array.shape[0], "width": array.shape[1], "data": encode(array)}


def make_image(height, width, seed):
    """Waves under noise, with saturated pixels at both ends."""
    random = numpy.random.default_rng(seed)
    y, x, c = numpy.mgrid[0:height, 0:width, 0:3]
    waves = 128 + 100 * numpy.sin(x / 5 + c) * numpy.cos(y / 7 - c)
    return Image.fromarray(numpy.clip(waves + random.normal(0, 50, waves.shape), 0, 255).astype(numpy.uint8))


def main():
    image = make_image(37, 53, seed=1)
    bilinear = lambda size: F.resize(image, size, InterpolationMode.BILINEAR, antialias=True)
    nearest = lambda size: F.resize(image, size, InterpolationMode.NEAREST)
    square = F.resize(image, [9, 9])
    cases = {
        "resize bilinear 20x31": bilinear([20, 31]),
        "resize bilinear 5x53": bilinear([5, 53]),
        "resize bilinear 37x7": bilinear([37, 7]),
        "resize bilinear 64x80": bilinear([64, 80]),
        "resize bilinear 1x1": bilinear([1, 1]),
        "resize bilinear shorter 24": bilinear(24),
        "resize nearest 20x31": nearest([20, 31]),
        "resize nearest 64x80": nearest([64, 80]),
        "centerCrop 20x20": F.center_crop(image, [20, 20]),
        "centerCrop 21x30": F.center_crop(image, [21, 30]),
        "centerCrop 40x25": F.center_crop(image, [40, 25]),
        "pad 4 crop 1 6 37x53": F.crop(F.pad(image, 4), 1, 6, 37, 53),
        "pad 4 fill 7 crop 8 0 20x20": F.crop(F.pad(image, 4, fill=7), 8, 0, 20, 20),
        "flip": F.hflip(image),
        "resizedCrop 3 5 17x29 to 16x12": F.resized_crop(image, 3, 5, 17, 29, [16, 12], InterpolationMode.BILINEAR),
    }
    result = {
        "madeWith": {"torch": torch.__version__, "torchvision": torchvision.__version__, "pillow": PIL.__version__},
        "image": image_case(image),
        "cases": {name: image_case(value) for name, value in cases.items()},
        "mean": MEAN,
        "std": STD,
        "square": image_case(square),
        "toTensor": encode(F.to_tensor(square).numpy()),
        "normalized": encode(F.normalize(F.to_tensor(square), MEAN, STD).numpy()),
    }
    path = pathlib.Path(__file__).with_name("transforms.json")
    path.write_text(json.dumps(result, indent=1) + "\n")


main()
