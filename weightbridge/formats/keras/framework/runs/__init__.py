"""Keras models run: as they are, in float64, rounded, by layers, by an older Keras."""
