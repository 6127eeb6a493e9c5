"""What a pair of leaves gives for their tensors: one into one, fused, stacked, reshaped or tied."""
