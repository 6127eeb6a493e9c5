"""TensorFlow's checkpoints and SavedModels: bundles of tensors, object graphs, Keras metadata."""
