"""A PyTorch module becomes a Keras model, in memory, and computes the same: nothing is written."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import torch
import torch_network

import weightbridge as wb
from weightbridge.commands.demo_digits import digits


def main() -> None:
    data = digits()
    module = torch_network.trained()
    model = wb.convert((module, torch.zeros(1, 1, 8, 8)))
    for layer in model.layers:
        if layer.weights:
            print(f"{layer.name:16} {type(layer).__name__:20} {layer.count_params():6,} parameters")
    with torch.no_grad():
        theirs = module(torch.from_numpy(data.x_test).permute(0, 3, 1, 2)).numpy()
    ours = keras.ops.convert_to_numpy(model(data.x_test))
    correct = float((ours.argmax(axis=-1) == data.y_test).mean())
    print(f"largest difference of a logit: {abs(ours - theirs).max():.1e}")
    print(f"accuracy: {correct:.3f}")


if __name__ == "__main__":
    main()
