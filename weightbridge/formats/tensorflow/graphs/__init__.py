"""TensorFlow's graphs with data flow: functions inlined, variables found, operations written as ONNX's."""
