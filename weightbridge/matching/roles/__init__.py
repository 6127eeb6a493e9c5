"""Matching of state dicts: no graph, so layers are found by what their names say they are for, block by
block.
"""
