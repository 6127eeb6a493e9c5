"""Builders of keras.ops, and of TensorFlow's functions in older files."""
