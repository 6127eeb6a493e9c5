"""What several commands go through: models read and matched, live ones, what is reported."""
