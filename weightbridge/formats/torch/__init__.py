"""PyTorch's checkpoints: zip archives, the legacy form, TorchScript; read, never executed."""
