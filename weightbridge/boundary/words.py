"""Words that were probably meant: what messages say beside a name that does not exist."""

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'check'?`, or nothing where no name is close."""
    from difflib import SequenceMatcher, get_close_matches  # for those who mistype, not for each start

    by_lower = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    alike = [SequenceMatcher(None, word.lower(), name).ratio() for name in close]
    best = [by_lower[name] for name, ratio in zip(close, alike, strict=True) if ratio > max(alike) - 0.05]
    return f" Did you mean {' or '.join(map(repr, best))}?" if best else ""
