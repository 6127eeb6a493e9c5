"""Formats recognised by content."""
