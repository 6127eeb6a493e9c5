"""Plans: made from matches and adapters, kept as lockfiles, rehearsed, asked about."""
