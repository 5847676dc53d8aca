"""PyTorch's and Keras's Adam as numbers: KERAS_BACKEND=tensorflow python3 make_adam.py > adam.json (Keras 3.15, PyTorch 2.13)"""
import json

import keras
import tensorflow as tf
import torch

START = [1.0, -2.0, 0.5, 3.0]
CURVATURE = [0.5, 1.0, 2.0, 0.1]
STEPS = 6


def with_torch(kind, **options):
    w = torch.nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = kind([w], **options)
    path = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = ((w**2) * torch.tensor(CURVATURE, dtype=torch.float64)).sum() + torch.sin(w + 3 * step).sum()
        loss.backward()
        optimizer.step()
        path.append(w.detach().tolist())
    return path


def with_keras(**options):
    keras.backend.set_floatx("float64")
    w = keras.Variable(START, dtype="float64")
    optimizer = keras.optimizers.Adam(**options)
    path = []
    for step in range(STEPS):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(w.value**2 * tf.constant(CURVATURE, tf.float64)) + tf.reduce_sum(tf.sin(w.value + 3.0 * step))
        optimizer.apply([tape.gradient(loss, w.value)], [w])
        path.append(keras.ops.convert_to_numpy(w).tolist())
    return path


adam, adamw = torch.optim.Adam, torch.optim.AdamW
print(json.dumps({
    "Adam": [
        {"options": {"learningRate": 0.1}, "path": with_torch(adam, lr=0.1)},
        {"options": {"learningRate": 0.1, "epsilon": 0.1, "weightDecay": 0.05, "betas": [0.8, 0.95]},
         "path": with_torch(adam, lr=0.1, eps=0.1, weight_decay=0.05, betas=(0.8, 0.95))},
        {"options": {"learningRate": 0.1, "amsgrad": True, "betas": [0.5, 0.6]},
         "path": with_torch(adam, lr=0.1, amsgrad=True, betas=(0.5, 0.6))},
        {"options": {"learningRate": 0.1, "semantics": "keras"}, "path": with_keras(learning_rate=0.1)},
        {"options": {"learningRate": 0.1, "semantics": "keras", "epsilon": 0.1},
         "path": with_keras(learning_rate=0.1, epsilon=0.1)},
        {"options": {"learningRate": 0.1, "semantics": "keras", "amsgrad": True, "epsilon": 0.01, "betas": [0.5, 0.6]},
         "path": with_keras(learning_rate=0.1, amsgrad=True, epsilon=0.01, beta_1=0.5, beta_2=0.6)},
    ],
    "AdamW": [
        {"options": {"learningRate": 0.1}, "path": with_torch(adamw, lr=0.1)},
        {"options": {"learningRate": 0.1, "weightDecay": 0.3, "amsgrad": True},
         "path": with_torch(adamw, lr=0.1, weight_decay=0.3, amsgrad=True)},
    ],
}, indent=1))
