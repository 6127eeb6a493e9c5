"""The match of two models as a picture: blocks, what joins them, and where they stand."""
