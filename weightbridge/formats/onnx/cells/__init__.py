"""Recurrent layers of ONNX: its own operators, loops and single steps."""
