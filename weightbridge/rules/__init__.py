"""Rule files: where they are, how each kind is read, and what each says."""
