"""TensorFlow's checkpoints and SavedModels: bundles of tensors, object graphs, and Keras metadata where it is
kept.
"""
