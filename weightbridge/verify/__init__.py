"""weightbridge.verify."""
