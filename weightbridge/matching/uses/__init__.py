"""State dicts, which have no graph: layers are matched by what their names say they are for."""
