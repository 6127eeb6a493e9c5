"""Across architectures: what each layer takes from one of the same stage of another network."""
