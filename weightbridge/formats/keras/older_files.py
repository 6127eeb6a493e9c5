"""What to do with a file of an older Keras that Keras 3 does not load as it was."""

from pathlib import Path
from shlex import quote

from weightbridge.boundary.shell import typeable
from weightbridge.errors import ModelError
from weightbridge.formats.keras.assembled import told


def written_anew(path: str) -> str:
    """The command that does it."""
    return f"weightbridge convert {quote(typeable(path))} NEW.keras writes it as Keras 3 has it"


def is_older(path: Path) -> bool:
    """Whether Keras 1, 2 or tf.keras has written it; False where it does not say so."""
    try:
        return told(path)[1] < (3,)
    except ModelError:
        return False
