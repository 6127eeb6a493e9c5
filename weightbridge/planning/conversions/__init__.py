"""The plans of conversions: the writer of the target knows what gives each weight."""
