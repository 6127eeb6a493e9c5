"""Builders of single layers, one file for each family."""
