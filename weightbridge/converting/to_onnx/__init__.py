"""Keras -> ONNX without a framework: one builder for each kind of layer, one file for each family."""

from weightbridge.converting.to_onnx.draw import drawn, output_names
from weightbridge.converting.to_onnx.values import Drawn, Settings

__all__ = ["Drawn", "Settings", "drawn", "output_names"]
