"""Attention as exporters write it, in pieces: found, followed, and written as one layer of Keras."""
