"""The network of examples/models/torch.safetensors in PyTorch."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

STATE = Path(__file__).parent / "models" / "torch.safetensors"


class Block(nn.Module):
    """A convolution as Keras pads it: with stride 2, by one more at the end than at the beginning."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d((0, 1, 0, 1) if stride == 2 else 1)
        self.conv = nn.Conv2d(channels, width, 3, stride, bias=False)
        self.norm = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.norm(self.conv(self.pad(x))))


class Network(nn.Module):
    """Images (batch, 1, 8, 8) to the logits of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(Block(1, 16, 1), Block(16, 32, 2), Block(32, 32, 1))
        self.classifier = nn.Linear(32, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.classifier(self.features(image).mean((2, 3)))
        return logits


def trained() -> Network:
    """The network with the file's weights, in evaluation mode."""
    network = Network()
    missing = network.load_state_dict(load_file(STATE), strict=False)
    assert not missing.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    return network.eval()
