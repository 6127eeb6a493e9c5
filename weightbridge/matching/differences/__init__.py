"""What matched pairs do not have in common, as findings."""
