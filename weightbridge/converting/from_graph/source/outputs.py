"""The outputs of a model: images with channels last where its inputs are, all else as the source has it."""

from collections.abc import Callable, Iterable, Sequence

from weightbridge.converting.from_graph.arrange import in_order
from weightbridge.converting.from_graph.layout import Groups, Layout
from weightbridge.converting.from_graph.values import Settings, Value
from weightbridge.converting.from_graph.writer import Writer

IMAGE = 4  # axes


def images_among(inputs: Iterable[Value], settings: Settings) -> Callable[[Value], bool]:
    """Whether an output is an image whose channels come last, as those of inputs that were turned do.

    Of inputs without an image (a generator's) every image is.
    """
    layouts = [value.layout for value in inputs if value.layout.rank > 2]
    turned = {one.rank for one in layouts if one.order != tuple(range(one.rank))}
    has_turned = max(turned, default=0) >= IMAGE

    def is_image(value: Value) -> bool:
        rank = value.layout.rank
        if settings.input_layout != "nhwc" or rank < 3:
            return False
        return rank in turned or (rank >= IMAGE and (has_turned or not layouts))

    return is_image


def as_output(writer: Writer, value: Value, name: str, *, is_image: bool) -> Value:
    """Each axis by itself, in the order in which the user sees it."""
    layout = value.layout
    last = (0, *range(2, layout.rank), 1)
    if is_image and layout.order == last:
        return value
    if (
        is_image
        and layout.order is None
        and layout.rank >= IMAGE
        and _is_spread(layout.keras, layout.source, last)
    ):
        return in_order(writer, value, last, name)
    return in_order(writer, value, _batch_first(layout), name)


def _batch_first(layout: Layout) -> list[int]:
    """The source's axes as they are, but for the batch where that is another than the first one."""
    axes = [*range(layout.rank)]
    if (layout.batch,) in layout.source[:2]:
        axes.insert(0, axes.pop(layout.source.index((layout.batch,))))
    return axes


def _is_spread(keras: Groups, source: Groups, order: Sequence[int]) -> bool:
    """Whether Keras has the axes in this order but for some of length one."""
    return [group for group in keras if group] == [source[axis] for axis in order if source[axis]]
