"""Small networks in torch as people write them, whose ONNX files are converted."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

UNITS, CLASSES = 16, 10


def block(inputs: int, outputs: int, stride: int = 1, groups: int = 1, size: int = 3) -> nn.Sequential:
    kernel = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(kernel, nn.BatchNorm2d(outputs), nn.ReLU6() if groups > 1 else nn.ReLU())


class Residual(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = block(inputs, outputs, stride)
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


class Inverted(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        wide = 4 * inputs
        narrow = nn.Sequential(nn.Conv2d(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.body = nn.Sequential(block(inputs, wide, size=1), block(wide, wide, stride, wide), narrow)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_residual else y


class Classifier(nn.Module):
    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.pool, self.head = body, nn.AdaptiveAvgPool2d(1), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(torch.flatten(self.pool(self.body(x)), 1))
        return y


def resnet() -> nn.Module:
    stem = nn.Sequential(block(3, 16, 2, size=7), nn.MaxPool2d(3, 2, 1))
    return Classifier(nn.Sequential(stem, Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 32, 1)), 32)


def mobilenet() -> nn.Module:
    body = nn.Sequential(block(3, 16, 2), Inverted(16, 16, 1), Inverted(16, 24, 2), Inverted(24, 24, 1))
    return Classifier(body, 24)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.bottom = block(3, 16), nn.Sequential(nn.MaxPool2d(2), block(16, 32))
        self.up, self.joined = nn.ConvTranspose2d(32, 16, 2, 2), block(32, 16)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        fine = self.down(x)
        coarse = self.up(self.bottom(fine))
        y: Tensor = self.head(self.joined(torch.cat([fine, coarse], 1)))
        return torch.sigmoid(y)


class Transformer(nn.Module):
    """Encoder layers as torch has them, the feed-forward part by exact GELU."""

    def __init__(self) -> None:
        super().__init__()
        one = nn.TransformerEncoderLayer(UNITS, 2, 4 * UNITS, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(one, 2, enable_nested_tensor=False)
        self.head = nn.Linear(UNITS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.encoder(x).mean(1))
        return y


class BiLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(UNITS, UNITS, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * UNITS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.recurrent(x)[0])
        return y


# By name: how it is made, and whether it reads images.
NETS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "resnet": (resnet, True),
    "mobilenet": (mobilenet, True),
    "unet": (UNet, True),
    "transformer": (Transformer, False),
    "bilstm": (BiLSTM, False),
}
