"""What was drawn of a graph so far: the value that each of its layers gives."""

from collections.abc import Mapping, Sequence

from weightbridge.converting.from_graph.attention.find import attentions
from weightbridge.converting.from_graph.call import Builder, Call, Made
from weightbridge.converting.from_graph.layers.activations import is_fusible, is_own
from weightbridge.converting.from_graph.layout import Length
from weightbridge.converting.from_graph.sequences.directions import pairs
from weightbridge.converting.from_graph.source.carried import refuse_dropped, refuse_fixed_outputs
from weightbridge.converting.from_graph.source.inputs import told_batch
from weightbridge.converting.from_graph.source.outputs import as_output, images_among
from weightbridge.converting.from_graph.source.sharing import Sharing
from weightbridge.converting.from_graph.source.used import used_layers
from weightbridge.converting.from_graph.table import by_class, by_op, of_slice
from weightbridge.converting.from_graph.timesteps.find import Region, inner_graph, region_of
from weightbridge.converting.from_graph.timesteps.lifted import made_by
from weightbridge.converting.from_graph.values import Settings, Value
from weightbridge.converting.from_graph.writer import Writer
from weightbridge.errors import Unsupported
from weightbridge.model.graph import Edge, Layer, LayerGraph
from weightbridge.model.vocabulary import ACTIVATED, ELEMENTWISE_MERGES, RESHAPES

SHOWN = 10
DISAGREEING = (ValueError, IndexError, KeyError, TypeError, ArithmeticError)


class Drawing:
    """The values made so far, by layer and output."""

    def __init__(
        self,
        graph: LayerGraph,
        settings: Settings,
        writer: Writer,
        inputs: Mapping[str, Value],
        sharing: Sharing,
        batch: tuple[Length, ...],
    ) -> None:
        self.graph, self.settings, self.writer = graph, settings, writer
        self.sharing = sharing
        again = self.sharing.called_again
        self.shared = frozenset({*again, *again.values()})
        self.inputs = inputs
        self.batch = batch
        self.values: dict[tuple[str, int], Value] = {(name, 0): v for name, v in self.inputs.items()}
        self.fused: set[str] = set()
        self.lost: set[str] = set()  # what follows from a layer that was refused
        self.used = used_layers(graph)
        self.attentions = {found.out: found for found in attentions(graph, self.used)}
        self.waiting = {name for found in self.attentions.values() for name in found.inner}
        self.directions = pairs(graph)
        self.waiting |= {layer.name for pair in self.directions.values() for layer in pair}

    def draw_all(self) -> None:
        for layer in self.graph.layers:
            self.draw(layer)

    def draw(self, layer: Layer) -> None:
        is_idle = layer.op == "Input" or layer.name not in self.used or layer.name in self.waiting
        if is_idle or self._is_attention(layer):
            return
        edges = self.graph.edges_into[layer.name]
        if any(edge.source in self.lost for edge in edges):
            self.lost.add(layer.name)
            return
        try:
            made = self._made(layer, edges)
        except Unsupported as error:
            self._lose(layer, error.message)
            return
        except DISAGREEING as error:  # numbers of a file that contradict each other
            self._lose(layer, f"says what does not fit together ({type(error).__name__}: {error})")
            return
        self._keep(layer, made if isinstance(made, tuple) else (made,))

    def _keep(self, layer: Layer, values: tuple[Value, ...]) -> None:
        self.values |= {(layer.name, port): value for port, value in enumerate(values)}
        region = region_of(self.graph, layer, values[0].layout)
        if region is not None and self.sharing.is_apart(region.names):
            self._draw_steps(region, values[0])

    def _draw_steps(self, region: Region, value: Value) -> None:
        """What is done for each step: a model inside this one."""
        from weightbridge.converting.from_graph.timesteps.write import apart, one_step, whole, wrapped

        first, last = region.first.name, region.last
        fed, inside = apart(self.writer, value, first), Writer()
        start = one_step(inside, fed, first)
        graph = inner_graph(self.graph, region, value)
        sharing = self.sharing.within(region.names)
        drawing = Drawing(
            graph, self.settings, inside, {first: start}, sharing, told_batch(graph, {first: 0})
        )
        drawing.draw_all()
        end = drawing.values.get((last.source, last.port))
        if end is None:
            self.waiting |= region.names
            self.lost |= region.names
            self.writer.refuse_with(inside)
            return
        end = whole(inside, end, last.source)
        if end.layer != start.layer:
            self.waiting |= region.names
            self.values[last.source, last.port] = wrapped(self.writer, inside, fed, (start, end), last.target)

    def _lose(self, layer: Layer, reason: str) -> None:
        self.lost.add(layer.name)
        self.writer.refused(f"{_kind(layer)} {reason}", layer.name)

    def _is_attention(self, layer: Layer) -> bool:
        """Whether it ends one, which is written whole; where that cannot be, its pieces are drawn."""
        found = self.attentions.get(layer.name)
        if found is None:
            return False
        from weightbridge.converting.from_graph.attention.write import written

        try:
            value = written(self._call(layer, (), (), None), found, self._value)
        except Unsupported:
            self.waiting -= found.inner
            for name in self.graph.by_name:
                if name in found.inner:
                    self.draw(self.graph.by_name[name])
            return False
        self.values[layer.name, 0] = value
        return True

    def _made(self, layer: Layer, edges: Sequence[Edge]) -> Made:
        pair = self.directions.get(layer.name)
        if pair is not None:
            from weightbridge.converting.from_graph.sequences.recurrent import joined

            refuse_dropped(pair[0])  # one node says it of both
            value = self._value(self.graph.edges_into[pair[0].name][0])
            return joined(self._call(layer, (), (), None), *pair, value)
        inputs = tuple(self._value(edge) for edge in edges)
        if layer.name in self.fused:
            return inputs[0]
        builder = _builder(layer, len(inputs))
        if builder is None or not inputs:
            raise Unsupported("has no counterpart in Keras here")
        refuse_dropped(layer, inputs)
        fused, before = self._fused(layer), len(self.writer.entries)
        made = made_by(builder, self._call(layer, inputs, tuple(edge.keyword for edge in edges), fused))
        if fused is not None and self.writer.has_activation(before):
            self.fused.add(fused.name)
        return made

    def _call(
        self, layer: Layer, inputs: tuple[Value, ...], keywords: tuple[str, ...], fused: Layer | None
    ) -> Call:
        return Call(
            writer=self.writer,
            source=self.graph,
            layer=layer,
            inputs=inputs,
            keywords=keywords,
            sharing=self.sharing,
            settings_of=self.settings,
            batch=self.batch,
            fused=fused,
            flattened=self._is_flattened(layer),
        )

    def _value(self, edge: Edge) -> Value:
        value = self.values.get((edge.source, edge.port))
        if value is None:
            raise Unsupported(f"reads output {edge.port} of {edge.source}, which Keras's layer does not give")
        return value

    def _fused(self, layer: Layer) -> Layer | None:
        """The activation of a layer's own scope that alone reads it; of a shared one each call has it."""
        found = self._own_activation(layer)
        if found is None or layer.name not in self.shared:
            return found
        again = self.sharing.called_again
        first = again.get(layer.name, layer.name)
        calls = [first, *(name for name, called in again.items() if called == first)]
        others = [self._own_activation(self.graph.by_name[name]) for name in calls]
        told = found.attributes["activation"]
        are_alike = all(one is not None and one.attributes["activation"] == told for one in others)
        return found if are_alike else None

    def _own_activation(self, layer: Layer) -> Layer | None:
        if layer.op not in ACTIVATED or self._is_output(layer):
            return None
        behind = self._behind(layer)
        if behind is None or behind.op != "Activation" or behind.tensors:
            return None
        is_fit = is_fusible(behind, layer)
        return behind if is_fit and is_own(layer, behind) else None

    def _behind(self, layer: Layer) -> Layer | None:
        """The one layer that reads it, straight or through views alone."""
        while True:
            readers = self.graph.children[layer.name]
            if len(readers) != 1 or self._is_output(layer):
                return None
            layer = self.graph.by_name[readers[0]]
            if layer.op not in RESHAPES:
                return layer

    def _is_output(self, layer: Layer) -> bool:
        return any(port.layer == layer.name for port in self.graph.output_ports)

    def _is_flattened(self, layer: Layer) -> bool:
        """Whether axes of length one are gone in all that reads the layer."""
        readers = [self.graph.by_name[name] for name in self.graph.children[layer.name]]
        return bool(readers) and not self._is_output(layer) and all(map(_flattens, readers))

    def outputs(self) -> tuple[Value, ...]:
        refuse_fixed_outputs(self.graph)
        if not self.graph.output_ports:
            raise Unsupported("the model has no outputs", where=self.graph.path)
        is_image = images_among(self.inputs.values(), self.settings)
        made = []
        for port in self.graph.output_ports:
            value = self.values.get((port.layer, port.index))
            if value is None:
                raise Unsupported(f"the output {port.layer} has no counterpart", where=self.graph.path)
            try:
                made.append(as_output(self.writer, value, port.layer, is_image=is_image(value)))
            except Unsupported as error:
                message = f"the output {port.layer} {error.message}"
                raise Unsupported(message, where=self.graph.path) from error
        return tuple(made)

    def refuse(self) -> None:
        """Raises Unsupported with everything that was refused."""
        refused = self.writer.said.refused
        if not refused:
            return
        sentences = [f"{sentence}: {', '.join(names[:SHOWN])}" for sentence, names in refused.items()]
        fix = "Give the model as py:package.module:callable, or export it again without these steps"
        raise Unsupported("; ".join(sentences), where=self.graph.path, fix=fix)


def _builder(layer: Layer, count: int) -> Builder | None:
    """By op and class, by op alone, or by the class that a node has which is no layer."""
    found = of_slice(layer.class_name) if layer.op == "Slice" else None
    if found is None and not (layer.op in ELEMENTWISE_MERGES and count < 2):
        found = by_op(layer.op)
    return found or by_class(layer.class_name)


def _flattens(layer: Layer) -> bool:
    if layer.op == "Flatten":
        return True
    if layer.class_name == "Squeeze":
        return True
    shape = layer.output_shape
    return layer.op == "Reshape" and shape is not None and len(shape) == 1


def _kind(layer: Layer) -> str:
    """What the source calls it, with the canonical op where that says more."""
    return layer.class_name or layer.op
