"""The one place of the version number; hatchling reads it when the package is built."""

__version__ = "0.3.0"
