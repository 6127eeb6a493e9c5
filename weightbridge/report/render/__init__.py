"""Renderers: each turns the report's JSON object into one format."""
