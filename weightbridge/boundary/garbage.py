"""How often Python searches for garbage in cycles: graphs of models have many objects, and none of it."""

import gc

SELDOM, USUAL = 2_000_000, 700  # new objects between two searches; the second is Python's own


def collect_seldom() -> None:
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])


def collect_as_usual() -> None:
    """From where a framework is used. Nothing is changed where it is not collect_seldom that was called."""
    if gc.get_threshold()[0] == SELDOM:
        gc.set_threshold(USUAL, *gc.get_threshold()[1:])
