"""weightbridge.cli."""
