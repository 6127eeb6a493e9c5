"""Another architecture, the same knowledge: its layers fitted one after the other by least squares."""
