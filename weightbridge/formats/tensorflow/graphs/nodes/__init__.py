"""TensorFlow's operations as ONNX's: one family a file, each with a table of what it knows."""
