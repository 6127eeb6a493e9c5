"""Builders of recurrent layers, of what is done for every step, and of masks."""
