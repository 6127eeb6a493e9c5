"""State dicts, which have no graph: layers are found by what their names say they are for, block by block."""
