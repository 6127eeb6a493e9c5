"""Views of one model's graph, made from the JSON object of an inspect report: a layer listing, Graphviz DOT,
an SVG picture.
"""
