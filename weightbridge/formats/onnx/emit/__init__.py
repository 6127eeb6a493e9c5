"""ONNX files written from nodes and initializers, without onnx's own package."""
