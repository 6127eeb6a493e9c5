"""Proposals for layers and blocks that only the target has."""
