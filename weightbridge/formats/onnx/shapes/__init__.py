"""Shapes of an ONNX graph's values."""
