"""Live torch modules: exported as ONNX, and run as a conversion's reference."""
