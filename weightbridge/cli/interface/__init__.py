"""What click shows of a command: help with groups and an example, near misses, completion."""
