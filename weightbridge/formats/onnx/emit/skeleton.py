"""An `.onnx` file with all initializers in their places, and zeros where values are still to come."""

from pathlib import Path

from weightbridge.errors import OutputError, Unsupported
from weightbridge.formats.onnx.emit.messages import Zeros, model_pieces
from weightbridge.formats.onnx.emit.values import Drawing
from weightbridge.formats.onnx.write import LIMIT


def write_skeleton(path: Path, drawing: Drawing) -> None:
    """The same graph gives the same bytes.

    Raises OutputError where the file cannot be written, Unsupported beyond protobuf's 2 GB.
    """
    pieces = list(model_pieces(drawing))
    size = sum(int(piece) if isinstance(piece, Zeros) else len(piece) for piece in pieces)
    if size > LIMIT:
        message = "the model is larger than 2 GB, too large for one ONNX file"
        raise Unsupported(message, fix="convert it to .keras, which has no such limit")
    try:
        with path.open("wb") as file:
            for piece in pieces:
                if isinstance(piece, Zeros):
                    file.seek(int(piece), 1)
                else:
                    file.write(piece)
            file.truncate(size)
    except OSError as error:
        fix = "Check space and permissions"
        raise OutputError(
            f"the file cannot be written: {error.strerror}", where=str(path), fix=fix
        ) from error
