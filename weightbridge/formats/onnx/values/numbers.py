"""The known values of a graph: small ones, and larger ones as long as there is room."""

from weightbridge.formats.onnx.values.evaluate import SMALL
from weightbridge.model.tensors import Array

ROOM = 1 << 22  # elements of all that is computed and is not small


class Numbers(dict[str, Array]):
    """Known values by name: small ones, and larger ones as long as there is room."""

    room = ROOM

    def __setitem__(self, name: str, array: Array) -> None:
        if array.size > SMALL:
            if array.size > self.room:
                return
            self.room -= array.size
        super().__setitem__(name, array)
