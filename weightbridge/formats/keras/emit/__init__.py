"""Keras 3 files written without Keras: a configuration, and a place for every weight that it asks for."""
