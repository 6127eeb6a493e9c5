"""Builders of layers that work on maps: convolutions, pools, borders, other sizes."""
