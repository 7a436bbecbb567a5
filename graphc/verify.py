"""The verifier: what every graph must satisfy, checked after passes and in tests.

- inputs are placeholders, each once; every other placeholder is a fault
- an operand stands above its user; no node stands twice
- every op is in the table; inferring a node again gives its type
- outputs are in the graph; an alias pairs an output with a parameter of its type
- the body of a branch or a loop is a graph of its own, and carries keep their types
- a fused body is a graph of its own whose inputs have the operands' types
"""

from __future__ import annotations

from graphc.core.ir import OPS, Graph, Kind, Node, bodies
from graphc.core.results import written_over
from graphc.core.types import TupleType
from graphc.errors import GraphcError, VerifyError
from graphc.text import PLACEHOLDERS


def verify(graph: Graph) -> Graph:
    """Check every invariant of a graph.

    Returns:
        The graph itself.

    Raises:
        VerifyError: the first invariant that does not hold, with the node and its user line.
    """
    defined: set[Node] = set()
    inputs = set(graph.inputs)
    if len(inputs) != len(graph.inputs):
        raise _fault(graph, "an input is listed twice")
    for node in graph.nodes:
        if node in defined:
            raise _fault(graph, f"{node!r} stands twice", node)
        if (node.op.name in PLACEHOLDERS) != (node in inputs):
            what = "is no placeholder" if node in inputs else "is not among the inputs"
            raise _fault(graph, f"{node!r} {what}", node)
        _verify_node(graph, node, defined)
        defined.add(node)
    if missing := inputs - defined:
        raise _fault(graph, f"input {next(iter(missing))!r} is not among the nodes")
    for output in graph.outputs:
        if output not in defined:
            raise _fault(graph, f"output {output!r} is not in the graph", output)
        if isinstance(output.type, TupleType):
            raise _fault(graph, f"output {output!r} has several results", output)
    _verify_aliases(graph)
    return graph


def _fault(graph: Graph, what: str, node: Node | None = None) -> VerifyError:
    where = "" if node is None else node.origin
    return VerifyError(f"graph {graph.name!r}: {what}", where=where)


def _verify_node(graph: Graph, node: Node, defined: set[Node]) -> None:
    if OPS.get(node.op.name) is not node.op:
        raise _fault(graph, f"{node.op.name!r} is not the op of that name in the table", node)
    for operand in node.inputs:
        if operand not in defined:
            raise _fault(graph, f"{node!r} uses {operand!r}, which is not defined above it", node)
        if isinstance(operand.type, TupleType) and node.op.name != "item":
            raise _fault(graph, f"{node!r} uses {operand!r}, which has several results", node)
    if list(node.attrs) != sorted(node.attrs, key=lambda pair: pair[0]):
        raise _fault(graph, f"the attributes of {node!r} are not in order", node)
    try:
        inferred = node.op.infer(*(i.type for i in node.inputs), **dict(node.attrs))
    except (GraphcError, TypeError) as error:
        raise _fault(graph, f"{node!r} does not infer: {error}", node) from None
    if inferred != node.type:
        raise _fault(graph, f"{node!r} is annotated {node.type} but infers {inferred}", node)
    if node.op.kind is Kind.FUSED:
        _verify_body(graph, node)
    elif node.op.kind is Kind.CONTROL:
        for body in bodies(node).values():
            _verify_nested(graph, node, body)


def _verify_body(graph: Graph, node: Node) -> None:
    body = node.attr("body")
    types = [i.type for i in node.inputs]
    if [p.type for p in body.inputs] != types:
        raise _fault(graph, f"the body of {node!r} takes other types than its operands'", node)
    verify(body)
    for output, operand in written_over(node):
        pair = body.outputs[output].type, body.inputs[operand].type
        if pair[0] != pair[1]:
            raise _fault(graph, f"in place: {pair[0]} cannot be written over {pair[1]}", node)


def _verify_nested(graph: Graph, node: Node, body: Graph) -> None:
    """The body of a branch or a loop is a graph whose inputs are its operands, one each; that
    their types and those of carries fit was found when the node was inferred."""
    if body.aliases or any(i.op.name != "input" for i in body.inputs):
        raise _fault(graph, f"{body.name!r}, a body of {node!r}, has state of its own", node)
    verify(body)


def _verify_aliases(graph: Graph) -> None:
    seen = set()
    for output, place in graph.aliases:
        if not (0 <= output < len(graph.outputs) and 0 <= place < len(graph.inputs)):
            raise _fault(graph, f"alias ({output}, {place}) names no output and input")
        node, target = graph.outputs[output], graph.inputs[place]
        if target.op.name != "parameter" or node.type != target.type or place in seen:
            raise _fault(graph, f"{node!r} cannot be the new value of {target!r}", node)
        seen.add(place)
