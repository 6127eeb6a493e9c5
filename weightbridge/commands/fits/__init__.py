"""--adapt fit: what it is made from, the fit itself, and what it is worth."""
