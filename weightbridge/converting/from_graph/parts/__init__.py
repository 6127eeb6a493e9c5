"""Builders of what takes parts of values, repeats them, or joins them with constants."""
