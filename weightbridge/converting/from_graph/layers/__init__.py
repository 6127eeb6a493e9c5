"""Builders of layers for any value: dense, norms, activations, sums and products."""
