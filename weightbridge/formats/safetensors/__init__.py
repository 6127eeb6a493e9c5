"""safetensors: one file or several, read and written."""
