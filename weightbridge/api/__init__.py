"""The public functions, with options by the command's names.

On either side stands a path, `py:module:callable` or a live keras.Model.
"""

from weightbridge.api.moving import transfer, verify
from weightbridge.api.planning import check, plan
from weightbridge.api.reading import inspect, read

__all__ = ["check", "inspect", "plan", "read", "transfer", "verify"]
