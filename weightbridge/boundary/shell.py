"""Options as they are printed for a shell."""

from shlex import quote


def option(name: str, value: str) -> str:
    """`--map 'a=b'`: in quotes, whatever signs the value has."""
    value = typeable(value)
    return f"{name} {quote(value)}" if "'" in value else f"{name} '{value}'"


def typeable(glob: str) -> str:
    """A glob that can be copied from a report: `?` for each sign that is shown as \\x1b or the like."""
    if glob.isprintable():
        return glob
    return "".join(sign if sign.isprintable() and sign not in "[]" else "?" for sign in glob)
