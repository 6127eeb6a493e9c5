"""Matching: which source tensors give each target tensor, by ordered evidence.

Ambiguity is reported, never guessed. A conversion needs the values alone, so nothing is imported here.
"""
