"""Which unit is which: one matcher a file, and the evidence that they share."""
