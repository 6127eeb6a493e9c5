"""A plan carried out: values computed, written beside OUTPUT, read back, renamed."""
