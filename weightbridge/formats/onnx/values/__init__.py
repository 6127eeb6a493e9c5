"""The values of an ONNX graph: constants, views, and what follows from them."""
