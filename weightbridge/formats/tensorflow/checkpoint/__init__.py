"""TensorFlow's checkpoints (V2), by names or by objects, as layers."""
