"""ONNX files written by others' converters."""
