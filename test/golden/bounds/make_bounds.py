"""The bounds by direct evaluation over explicit matrices: python3 make_bounds.py > bounds.json (NumPy 2.4)

Weights and inputs are formulas, so that only results are stored. Matrices are written out element by element.
"""
import json
import math

import numpy as np


def wave(count, phase):
    return np.sin(1.7 * np.arange(count) + phase) * 0.5 + 0.1 * np.cos(0.3 * np.arange(count) * phase)


def conv_matrix(kernel, height, width, stride=1, padding=0, dilation=1, groups=1, circular=False):
    out_channels, depth, kh, kw = kernel.shape
    channels = depth * groups
    out_h = (height + 2 * padding - dilation * (kh - 1) - 1) // stride + 1
    out_w = (width + 2 * padding - dilation * (kw - 1) - 1) // stride + 1
    matrix = np.zeros((out_channels, out_h, out_w, channels, height, width))
    for o in range(out_channels):
        first = o // (out_channels // groups) * depth
        for y in range(out_h):
            for x in range(out_w):
                for a in range(kh):
                    for b in range(kw):
                        i, j = y * stride - padding + a * dilation, x * stride - padding + b * dilation
                        if circular:
                            i, j = i % height, j % width
                        if 0 <= i < height and 0 <= j < width:
                            matrix[o, y, x, first : first + depth, i, j] += kernel[o, :, a, b]
    return matrix.reshape(out_channels * out_h * out_w, -1)


class Layer:
    def __init__(self, kernel, start, matrix, start_matrix):
        moved, matrix_moved = kernel - start, matrix - start_matrix
        self.n = matrix.shape[1]
        self.elements = matrix.size
        self.W = kernel.size
        self.B = np.abs(kernel).reshape(len(kernel), -1).sum(1).max()
        self.D = np.abs(moved).reshape(len(kernel), -1).sum(1).max()
        self.infinity = np.linalg.norm(matrix, np.inf)
        self.F, self.E = np.linalg.norm(matrix), np.linalg.norm(matrix_moved)
        self.s, self.ds = np.linalg.norm(matrix, 2), np.linalg.norm(matrix_moved, 2)
        self.b = np.linalg.norm(matrix_moved, axis=1).sum()
        self.k = np.sqrt((moved**2).sum(1)).sum()


def dense(out, inputs, phase, scale=1.0):
    w = scale * wave(out * inputs, phase).reshape(out, inputs)
    return w


def bounds(layers, x, classes, margin):
    m, d = x.shape
    L, c = len(layers), classes
    x_inf = np.abs(x).max()
    x_2 = math.sqrt((x**2).sum() / m)
    x_p = math.sqrt((x**2).sum(0).max() / m)
    B, D = np.array([l.B for l in layers]), np.array([l.D for l in layers])
    F, E = np.array([l.F for l in layers]), np.array([l.E for l in layers])
    s, b, k = (np.array([getattr(l, name) for l in layers]) for name in "sbk")
    W, n = np.array([l.W for l in layers]), np.array([l.n for l in layers])
    gouk = 2 ** (L + 1) * c * B.prod() * (D / B).sum() * x_inf / math.sqrt(m)
    roots = np.cumprod(np.sqrt(n))
    C = 4 / margin * x_2 * s.prod() * b / s
    G = 4 / margin * x_2 * s.prod() * k / s
    harmonic = sum(1 / i for i in range(1, m))
    return {
        "gouk-mars": gouk * math.log(d),
        "gouk-mars-sqrt": gouk * math.sqrt(math.log(2 * d)),
        "gouk-frobenius": 2 ** (L + 0.5) * c * x_2 * np.prod(np.sqrt(n) * F) * (E / (F * roots)).sum() / math.sqrt(m),
        "neyshabur-mars": 2**L * c * B.prod() * math.sqrt(math.log(2 * d)) * x_inf / math.sqrt(m),
        "neyshabur-frobenius": 2 ** (L - 1) * c * F.prod() * x_2 / math.sqrt(m),
        "golowich-mars": 2 * c * B.prod() * math.sqrt(L + 1 + math.log(d)) * x_p / math.sqrt(m),
        "golowich-frobenius": c * F.prod() * (1 + math.sqrt(2 * math.log(2) * L)) * x_2 / math.sqrt(m),
        "bartlett": 4 / m
        + 9 * math.log(m) / math.sqrt(m) * math.sqrt(math.log(2 * max(l.elements for l in layers))) * (C ** (2 / 3)).sum() ** 1.5,
        "graf-norms": 4 / m
        + 12 * harmonic / math.sqrt(m) * math.sqrt(math.log(2 * W.max())) * np.ceil(G ** (2 / 3)).sum() ** 1.5,
        "graf-parameters": 12
        / math.sqrt(m)
        * math.sqrt((2 * W * np.log(1 + np.ceil(L**2 * G**2)) + np.where(G > 0, 2.7, 0)).sum()),
    }


def facts(layers, x, classes, margin):
    norms = [
        {
            "inputs": l.n,
            "outputs": l.elements // l.n,
            "parameters": l.W,
            "mars": l.B,
            "marsDistance": l.D,
            "infinity": l.infinity,
            "frobenius": l.F,
            "frobeniusDistance": l.E,
            "spectral": l.s,
            "spectralDistance": l.ds,
            "rowSumDistance": l.b,
            "kernelSumDistance": l.k,
        }
        for l in layers
    ]
    return {"margin": margin, "bounds": bounds(layers, x, classes, margin), "layers": norms}


def dense_net():
    shapes = [(7, 12), (6, 7), (4, 6)]
    layers = []
    for j, (out, inputs) in enumerate(shapes):
        now, start = dense(out, inputs, 1 + j), dense(out, inputs, 1.2 + j)
        if j == 2:
            start = 0 * start  # the classifier is tied to zero
        layers.append(Layer(now, start, now, start))
    return facts(layers, wave(50 * 12, 5).reshape(50, 12), 4, 0.5)


def conv_net():
    """conv 2→4 3×3 pad 1, BatchNorm | grouped 4→6 3×3 stride 2 pad 1 | 6→4 2×2 dilation 2 | 4·2·1 → 3, on 7×6 images."""
    layers = []

    def add(now, start, height, width, **geometry):
        layers.append(Layer(now, start, conv_matrix(now, height, width, **geometry), conv_matrix(start, height, width, **geometry)))

    def folded(phase, gamma_phase):
        kernel = wave(4 * 2 * 9, phase).reshape(4, 2, 3, 3)
        scale = (1 + 0.5 * wave(4, gamma_phase)) / np.sqrt(1.5 + wave(4, gamma_phase + 1) + 1e-5)
        return kernel * scale[:, None, None, None]

    add(folded(1, 7), folded(1.3, 7.5), 7, 6, padding=1)
    grouped = lambda phase: wave(6 * 2 * 9, phase).reshape(6, 2, 3, 3)
    add(grouped(2), grouped(2.1), 7, 6, stride=2, padding=1, groups=2)
    dilated = lambda phase: wave(4 * 6 * 4, phase).reshape(4, 6, 2, 2)
    add(dilated(3), dilated(3.05), 4, 3, dilation=2)
    head = dense(3, 8, 4)
    layers.append(Layer(head, 0 * head, head, 0 * head))
    return facts(layers, wave(20 * 84, 6).reshape(20, 84), 3, 2.0)


def circular():
    """Singular values of a convolution that wraps around, two ways: of the explicit matrix, and by Fourier transform."""
    kernel = wave(3 * 2 * 9, 8).reshape(3, 2, 3, 3)
    matrix = conv_matrix(kernel, 6, 5, padding=1, circular=True)
    transforms = np.fft.fft2(kernel, (6, 5), axes=(2, 3)).transpose(2, 3, 0, 1)
    return {
        "matrix": np.linalg.norm(matrix, 2),
        "fourier": np.linalg.svd(transforms, compute_uv=False).max(),
        "frobenius": np.linalg.norm(matrix),
        "zeroPadded": np.linalg.norm(conv_matrix(kernel, 6, 5, padding=1), 2),
    }


print(json.dumps({"dense": dense_net(), "convolutional": conv_net(), "circular": circular()}, indent=1))
