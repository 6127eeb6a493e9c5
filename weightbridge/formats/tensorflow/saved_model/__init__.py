"""TensorFlow's SavedModel folders: Keras's metadata, loose parts, frozen graphs."""
