"""Keras models cut at a layer, and joined again."""
