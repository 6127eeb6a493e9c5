"""Stored variables of Keras files, whatever the layout."""
