"""Conversion: what a model is, said in another format's terms. Pure data: a tree in, a configuration out."""

from weightbridge.converting.lower import lowered
from weightbridge.converting.values import Lowered

__all__ = ["Lowered", "lowered"]
