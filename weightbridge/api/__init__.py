"""The public functions, with options by the command's names."""

from weightbridge.api.functions import check, inspect, plan, read, transfer, verify

__all__ = ["check", "inspect", "plan", "read", "transfer", "verify"]
