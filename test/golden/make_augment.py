"""Pillow's pixels for the operations of RandAugment: python3 make_augment.py > augment.json"""
import json
import math

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageOps

HEIGHT, WIDTH = 14, 11
pixels = np.fromfunction(lambda y, x, c: (37 * y + 23 * x + 71 * c + y * x * (c + 2)) % 200 + 20, (HEIGHT, WIDTH, 3))
image = Image.fromarray(pixels.astype(np.uint8))


def affine(*matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(0, 0, 0))


cases = []
for amount in (-0.9, -0.27, 0.27, 0.9):
    for name, kind in (("brightness", ImageEnhance.Brightness), ("color", ImageEnhance.Color),
                       ("contrast", ImageEnhance.Contrast), ("sharpness", ImageEnhance.Sharpness)):
        cases.append((name, amount, kind(image).enhance(1 + amount)))
for bits in (8, 7, 4):
    cases.append(("posterize", bits, ImageOps.posterize(image, bits)))
for threshold in (255, 178.5, 0):
    cases.append(("solarize", threshold, ImageOps.solarize(image, threshold)))
cases.append(("autoContrast", 0, ImageOps.autocontrast(image)))
cases.append(("equalize", 0, ImageOps.equalize(image)))
for amount in (-0.3, 0.09, 0.3):
    cases.append(("shearX", amount, affine(1, amount, 0, 0, 1, 0)))
    cases.append(("shearY", amount, affine(1, 0, 0, amount, 1, 0)))
for amount in (-3.7, 2.2):
    cases.append(("translateX", amount, affine(1, 0, -math.trunc(amount), 0, 1, 0)))
    cases.append(("translateY", amount, affine(1, 0, 0, 0, 1, -math.trunc(amount))))
for degrees in (-30, 9, 30):
    cases.append(("rotate", degrees, image.rotate(degrees, Image.Resampling.NEAREST)))

print(json.dumps({
    "pillow": PIL.__version__,
    "height": HEIGHT,
    "width": WIDTH,
    "image": np.asarray(image).reshape(-1).tolist(),
    "cases": [{"operation": name, "amount": amount, "pixels": np.asarray(out).reshape(-1).tolist()} for name, amount, out in cases],
}, separators=(",", ":")))
