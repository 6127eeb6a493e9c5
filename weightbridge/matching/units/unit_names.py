"""The name of a unit: its layer's name, and which part of the layer it is where it is not the whole.

As text, NUL stands between the two: no file has it in a name.
"""

from weightbridge.boundary.records import dataclass

SEPARATOR = "\0"
# What a unit may be of its layer
ATTENTION = "attention"  # what Keras's attention does before its output
DEPTHWISE = "depthwise"  # the first half of a separable convolution
FORWARD, BACKWARD, DIRECTIONS = (
    "forward",
    "backward",
    "directions",
)  # of a bidirectional layer, and their join
FUSED_PART = "part"  # of a fused layer, with its number


@dataclass(frozen=True, slots=True)
class UnitName:
    layer: str
    part: str = ""

    def __str__(self) -> str:
        return f"{self.layer}{SEPARATOR}{self.part}" if self.part else self.layer


def parse_unit_name(name: str) -> UnitName:
    layer, _, part = name.partition(SEPARATOR)
    return UnitName(layer, part)


def layer_of(name: str) -> str:
    """The name of a unit's layer, which its user knows."""
    return parse_unit_name(name).layer
