"""What to do where shapes or architectures differ: decided without values, carried out at transfer time."""
