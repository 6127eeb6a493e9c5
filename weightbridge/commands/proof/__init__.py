"""What is proven of a transfer or a conversion, whole or by layers, and what may be claimed."""
