"""ONNX operators, node by node, as canonical layers."""
