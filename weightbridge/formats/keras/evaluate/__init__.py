"""Keras models of any age computed by numpy, as they were when they were saved: no framework runs."""
