"""TFLite's operators as ONNX's: one family a file, each with a table of what it knows."""
