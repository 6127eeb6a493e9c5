"""Keras configs of every age as canonical layers in the order of their calls."""
