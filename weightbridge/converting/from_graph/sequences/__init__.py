"""Builders of recurrent layers, and of what says which steps count."""
