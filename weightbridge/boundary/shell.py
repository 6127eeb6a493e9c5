"""Options as they are printed for a shell."""

from shlex import quote


def option(name: str, value: str) -> str:
    """`--map 'a=b'`: in quotes, whatever signs the value has."""
    return f"{name} {quote(value)}" if "'" in value else f"{name} '{value}'"
