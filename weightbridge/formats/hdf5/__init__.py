"""HDF5: headers read in place and checked, arrays replaced in a copy, alone or inside a zip archive."""
