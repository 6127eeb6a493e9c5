"""ONNX models run."""
