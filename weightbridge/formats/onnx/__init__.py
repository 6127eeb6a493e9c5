"""ONNX: read as layers from headers, written as a patched copy, run by onnxruntime."""
