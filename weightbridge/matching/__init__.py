"""Matching: which source tensors give each target tensor, by ordered evidence; ambiguity is reported, never guessed."""
