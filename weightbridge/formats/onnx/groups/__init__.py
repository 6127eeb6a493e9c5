"""Several ONNX nodes that are one canonical layer."""
