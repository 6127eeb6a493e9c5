"""weightbridge.adapters."""
