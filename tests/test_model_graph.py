"""The layer graph: edges with ports and keywords, neighbours in order, a view for networkx."""

import networkx as nx
import pytest

from weightbridge.model.graph import Edge, Layer, LayerGraph

SEQUENCE, STATE = Edge("gru", "head", 0), Edge("gru", "head", 1, port=1, keyword="initial_state.0")


def graph(*edges: Edge) -> LayerGraph:
    names = dict.fromkeys(name for edge in edges for name in (edge.source, edge.target))
    layers = tuple(Layer(name, "Identity") for name in names)
    return LayerGraph("m", "keras-zip", "keras", layers=layers, edges=edges, has_flow=True)


def test_neighbours_stand_in_the_order_of_the_inputs() -> None:
    joined = graph(Edge("b", "sum", 1), Edge("a", "sum", 0), Edge("a", "end"))
    assert joined.parents["sum"] == ("a", "b")
    assert set(joined.children["a"]) == {"sum", "end"}


def test_dag_carries_position_port_and_keyword() -> None:
    dag = graph(Edge("x", "gru"), Edge("gru", "head", 2, port=1, keyword="mask")).dag
    assert dag.edges["gru", "head"] == {"position": 2, "port": 1, "keyword": "mask"}
    assert dag.nodes["gru"]["layer"].op == "Identity"
    assert list(nx.topological_sort(dag)) == ["x", "gru", "head"]


@pytest.mark.parametrize(
    ("edges", "is_multi"),
    [((SEQUENCE, STATE), True), ((SEQUENCE, Edge("gru", "end")), False)],
    ids=["two-edges-of-one-pair", "none-twice"],
)
def test_dag_keeps_every_edge(edges: tuple[Edge, ...], is_multi: bool) -> None:
    dag = graph(*edges).dag
    assert dag.is_multigraph() == is_multi
    assert dag.number_of_edges() == len(edges)


def test_dag_is_frozen() -> None:
    with pytest.raises(nx.NetworkXError):
        graph(SEQUENCE).dag.add_edge("head", "gru")
