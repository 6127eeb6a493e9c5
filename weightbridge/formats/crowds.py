"""How many nodes or layers a model may have: reading takes 0.5 ms and 10 KB for each."""

from weightbridge.errors import ResourceBomb

MOST = 200_000


def refuse_crowd(count: int, what: str, where: str = "") -> None:
    """ResourceBomb for more than MOST of `what`."""
    if count > MOST:
        fix = f"Give a part of the model: at most {MOST:,} {what} are read"
        raise ResourceBomb(f"it has {count:,} {what}", where=where, fix=fix)
