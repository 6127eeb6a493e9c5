"""Adapters carried out: the target's values from the source's."""
