"""What a source says of its inputs, outputs, constants and tied tensors."""
