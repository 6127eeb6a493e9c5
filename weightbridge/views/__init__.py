"""Views of one model's graph, from an inspect report's JSON.

A layer listing, Graphviz DOT, an SVG picture.
"""
