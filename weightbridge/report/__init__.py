"""weightbridge.report."""
