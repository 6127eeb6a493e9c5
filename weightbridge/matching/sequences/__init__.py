"""Alignment of ordered lists, and assignment."""
