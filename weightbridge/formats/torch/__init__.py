"""PyTorch's checkpoints: zip archives, the legacy form and TorchScript's parameters, read by a restricted
unpickler.
"""
