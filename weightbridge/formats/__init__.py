"""The table of formats, and how a model is recognised: by content, never by suffix alone."""
