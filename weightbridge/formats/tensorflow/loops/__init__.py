"""Loops of TensorFlow and TFLite whose bodies are recurrent cells: one node of ONNX for each."""
