"""TFLite: read as layers through the operators of ONNX that its own ones are, and run by its interpreter."""
