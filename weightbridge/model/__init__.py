"""The data model: graphs, tensors, axes."""
