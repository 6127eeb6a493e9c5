"""Inside a matched pair: which tensor gives which, and by which transform."""
