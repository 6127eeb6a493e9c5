"""Keras of every age: archives, HDF5 files, weights alone, JSON, live models; read, written, run."""
