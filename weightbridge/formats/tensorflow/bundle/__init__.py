"""TensorFlow's tensor bundle, the V2 checkpoint: an index, its data files, and their checksums."""
