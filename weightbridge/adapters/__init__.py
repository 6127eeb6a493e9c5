"""What to do where shapes or architectures differ.

Decided without values, carried out at transfer time.
"""
