"""The text form of graphs: valid Python that reads back.

`show(graph)` prints, `parse(text)` reads; `show(parse(show(g))) == show(g)` for every graph.
`ast.parse` is the parser, so editors highlight dumps and nothing is ever executed.

    @dims(n=(1, 4096, 8), k=(0, None, 1, 'value'))   # min, max, multiple_of; k's value is a size
    def step(x: f32[n, 64], w: parameter(f32[64, 10])):
        v0: f32[n, 10] = matmul(x, w)
        v1: f32[64, 10] = add(w, w)
        return v0, (w := v1)                         # w's new value

A fused node's body is a nested `def`. Arrays are no part of it: parameters are bound inputs.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphc.core import atoms, dims
from graphc.core.declared import symbols_of
from graphc.core.dims import Dim, Symbol
from graphc.core.dtypes import BY_SHORT
from graphc.core.graphs import graph_of
from graphc.core.ir import OPS, Graph, Node, Op, Origin, at_origin
from graphc.core.origin import name_node
from graphc.core.spelling import identifier, is_counted, literal
from graphc.core.types import TensorType, TupleType, Type
from graphc.errors import GraphcError, ParseError

PLACEHOLDERS = ("input", "parameter", "constant")
# What a text may hold: axes of a shape, terms of a size, the magnitude of a number.
MAX_RANK, MAX_TERMS, MAX_INT = 64, 1024, (1 << 64) - 1


def show(graph: Any, *, origins: bool = False) -> str:
    """A graph as text.

    Args:
        graph: any graph; a program (its final one); a tensor of a graph, or a nested structure of
            them, with all that they need.
        origins: add each node's user line as a comment.

    Returns:
        Python source of one function definition.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> print(gc.text.show(gc.Graph.of("double", [x], [x + x])))
        def double(x: f32[3]):
            v0: f32[3] = add(x, x)
            return v0
        >>> print(gc.text.show(-x))
        def graph(x: f32[3]):
            v0: f32[3] = negative(x)
            return v0
    """
    graph = graph_of(graph, "show")
    facts = _declared_facts(graph)
    return facts + "\n".join(_Printer(graph, "", origins).lines()) + "\n"


def numbered(graph: Graph) -> tuple[str, dict[int, Node]]:
    """A graph as text, and the node that each line makes, by the line's number from 1."""
    facts = _declared_facts(graph)
    printer = _Printer(graph, "", False)
    lines = printer.lines()
    first = 1 + facts.count("\n")
    made = {first + k: node for k, node in enumerate(printer.made) if node is not None}
    return facts + "\n".join(lines) + "\n", made


def names(graph: Graph) -> dict[Node, str]:
    """What the text of a graph calls its nodes (those of nested graphs aside)."""
    printer = _Printer(graph, "", False)
    printer.lines()
    return printer.names


def _declared_facts(graph: Graph) -> str:
    found: dict[str, Symbol] = {}
    for node in graph.nodes:
        for symbol in symbols_of(node):
            found.setdefault(symbol.name, symbol)
    facts = [
        f"{s.name}={(s.min, s.max, s.multiple_of, *['value'][: s.is_value])}"
        for _, s in sorted(found.items())
        if (s.min, s.max, s.multiple_of, s.is_value) != (0, None, 1, False)
    ]
    return f"@dims({', '.join(facts)})\n" if facts else ""


class _Printer:
    """Prints one graph; nested bodies get a printer of their own, further indented."""

    def __init__(self, graph: Graph, indent: str, origins: bool) -> None:
        self.graph, self.indent, self.origins = graph, indent, origins
        self.names: dict[Node, str] = {}
        self.taken = {s.name for node in graph.nodes for s in symbols_of(node)}
        for node in graph.inputs:
            self.names[node] = _unique(node.name, self.taken)
        self.counter = 0
        self.made: list[Node | None] = []  # the node that each line makes

    def lines(self) -> list[str]:
        """The lines of the definition."""
        arguments = ", ".join(self._argument(node) for node in self.graph.inputs)
        lines = [f"{self.indent}def {self.graph.name}({arguments}):"]
        self.made = [None]
        for node in self.graph.nodes:
            if node not in self.names:
                lines += self._statement(node)
                self.made.append(node)
        self.made.append(None)
        return [*lines, f"{self.indent}    return {self._outputs()}"]

    def _argument(self, node: Node) -> str:
        name = self.names[node]
        if node.op.name == "input" and name == node.name:
            return f"{name}: {node.type}"
        original = "" if name == node.name else f', "{node.name}"'
        return f"{name}: {node.op.name}({node.type}{original})"

    def _statement(self, node: Node) -> list[str]:
        lines = []
        parts = [self.names[i] for i in node.inputs]
        for key, value in node.attrs:
            if isinstance(value, Graph):
                name = _unique(value.name, self.taken)
                inner = _Printer(value, self.indent + "    ", self.origins)
                head, *rest = inner.lines()
                self.made += inner.made
                lines += [head.replace(f"def {value.name}(", f"def {name}(", 1), *rest]
                parts.append(f"{key}={name}")
            else:
                parts.append(f"{key}={literal(value)}")
        self.names[node] = name = self._fresh(node.label)
        text = f"{self.indent}    {name}: {node.type} = {node.op.name}({', '.join(parts)})"
        if self.origins and node.origin:
            text += f"  # {' '.join(str(node.origin).splitlines())}"
        return [*lines, text]

    def _fresh(self, label: str) -> str:
        if label:
            return _unique(identifier(label), self.taken)
        while f"v{self.counter}" in self.taken:
            self.counter += 1
        self.counter += 1
        return f"v{self.counter - 1}"

    def _outputs(self) -> str:
        targets = dict(self.graph.aliases)
        parts = []
        for position, node in enumerate(self.graph.outputs):
            text = self.names[node]
            if position in targets:
                text = f"({self.names[self.graph.inputs[targets[position]]]} := {text})"
            parts.append(text)
        return ", ".join(parts) if parts else "()"


def _unique(name: str, taken: set[str]) -> str:
    candidate, k = name if atoms.is_kept(name) else "renamed", 1
    while candidate in taken or candidate in BY_SHORT or candidate in ("inf", "nan"):
        candidate, k = f"{name}_{k}", k + 1
    taken.add(candidate)
    return candidate


def parse(
    text: str,
    *,
    bind: Callable[[str, str, TensorType], Node] | None = None,
    origins: Mapping[int, Origin] | None = None,
    guard: Callable[[Op, Sequence[Node], Mapping[str, Any]], None] | None = None,
) -> Graph:
    """The graph that a text describes; every type is inferred again and compared.

    Args:
        text: what `show` prints. Nothing in it is executed, and no text, whoever wrote it, takes
            more time or memory than its length explains.
        bind: gives the node of each argument, in order, from its op, name and type; placeholders
            without a value unless given.
        origins: the user's lines that made nodes, by the text's lines (see `numbered`).
        guard: called with each op, its operands and attributes before the node is made; it may
            refuse them with an error.

    Returns:
        The graph; parameters and constants are unbound placeholders, unless given.

    Raises:
        ParseError: the text is no graph; the message has the line.

    Example:
        >>> import graphc as gc
        >>> x = gc.input("x", (3,))
        >>> text = gc.text.show(gc.Graph.of("double", [x], [x + x]))
        >>> gc.text.parse(text).outputs, gc.text.show(gc.text.parse(text)) == text
        ((<add: f32[3]>,), True)
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ParseError(f"the text is not Python: {error!s:.100}") from None
    if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef):
        raise ParseError("the text must be one function definition")
    definition = module.body[0]
    try:
        reader = _Reader(_read_facts(definition), origins or {}, guard)
        return reader.graph(definition, bind)
    except RecursionError:
        raise ParseError("the text is nested too deep") from None


def _read_facts(definition: ast.FunctionDef) -> dict[str, Symbol]:
    facts: dict[str, Symbol] = {}
    for call in definition.decorator_list:
        if not isinstance(call, ast.Call) or _name(call.func) != "dims" or call.args:
            raise _fault(call, "the only decorator is @dims(name=(min, max, multiple_of))")
        for keyword in call.keywords:
            try:
                low, high, multiple, *kind = ast.literal_eval(keyword.value)
                dim = dims.dim(keyword.arg or "", min=low, max=high, multiple_of=multiple)
                if kind not in ([], ["value"]):
                    raise ValueError(f"{kind} is not a value")
            except (ValueError, TypeError, GraphcError) as error:
                raise _fault(call, f"facts of {keyword.arg}: {error}") from None
            (symbol,) = dims.symbols(dim)
            facts[keyword.arg or ""] = replace(symbol, is_value=bool(kind))
    return facts


def _fault(tree: ast.AST, what: str) -> ParseError:
    return ParseError(f"line {getattr(tree, 'lineno', '?')}: {what}")


def shown(tree: ast.AST) -> str:
    """The beginning of what a piece of text says."""
    try:
        return ast.unparse(tree)[:40]
    except RecursionError:
        return "what stands there"


def _name(tree: ast.AST) -> str:
    if not isinstance(tree, ast.Name):
        raise _fault(tree, f"expected a name, found {shown(tree)}")
    return tree.id


class _Reader:
    """Reads one definition; nested ones share the dimension symbols."""

    def __init__(self, symbols: dict[str, Symbol], origins: Mapping[int, Origin], guard: Any):
        self.symbols = symbols
        self.origins = origins
        self.guard = guard
        self.env: dict[str, Node] = {}
        self.bodies: dict[str, Graph] = {}

    def graph(self, definition: ast.FunctionDef, bind: object = None) -> Graph:
        """The graph of a definition; `bind` gives its arguments."""
        a = definition.args
        if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults:
            raise _fault(definition, "a graph has plain arguments only")
        inputs = [self._placeholder(argument, bind) for argument in a.args]
        nodes = list(inputs)
        if not definition.body or not isinstance(definition.body[-1], ast.Return):
            raise _fault(definition, "a graph ends with return")
        for statement in definition.body[:-1]:
            if isinstance(statement, ast.FunctionDef):
                inner = _Reader(self.symbols, self.origins, self.guard)
                self.bodies[statement.name] = inner.graph(statement)
            else:
                nodes.append(self._statement(statement))
        outputs, aliases = self._returned(definition.body[-1], inputs)
        return Graph(definition.name, tuple(inputs), tuple(nodes), outputs, aliases)

    def _placeholder(self, argument: ast.arg, bind: Any) -> Node:
        tree, op, name = argument.annotation, "input", argument.arg
        if isinstance(tree, ast.Call):
            op = _name(tree.func)
            if op not in PLACEHOLDERS or not 1 <= len(tree.args) <= 2 or tree.keywords:
                raise _fault(tree, f"{shown(tree)} is no placeholder")
            if len(tree.args) == 2:
                name = self._value(tree.args[1])
            tree = tree.args[0]
        if tree is None:
            raise _fault(argument, f"argument {name!r} has no type")
        if not isinstance(name, str):
            raise _fault(argument, f"{name!r:.40} is no name")
        type_ = self._type(tree)
        node = bind(op, name, type_) if bind else OPS[op](name=name, type=type_)
        self._define(argument, argument.arg, node)
        return node

    def _define(self, tree: ast.AST, name: str, node: Node) -> None:
        if name in self.env:
            raise _fault(tree, f"{name} is defined twice")
        self.env[name] = node

    def _statement(self, statement: ast.stmt) -> Node:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.value, ast.Call):
            raise _fault(statement, "expected `name: type = op(operands, attributes)`")
        call = statement.value
        op = OPS.get(_name(call.func))
        if op is None or op.name in PLACEHOLDERS:
            what = f"{_name(call.func)!r} is not an op of graphc"
            raise _fault(statement, f"{what}; if it is yours, import what declares it first")
        operands = [self._node(argument) for argument in call.args]
        attrs = {k.arg or "": self._value(k.value) for k in call.keywords}
        try:
            if self.guard is not None:
                self.guard(op, operands, attrs)
            with at_origin(self.origins.get(statement.lineno)):
                node = Node.build(op, operands, attrs)
        except GraphcError as error:
            raise ParseError(
                f"line {statement.lineno}: {error.what}", error.details, hint=error.hint
            ) from None
        # What an inference does not expect of its attributes shows in any way.
        except Exception as error:
            what = f"{op.name}: {type(error).__name__}: {error!s:.100}"
            raise _fault(statement, what) from None
        declared = self._any_type(statement.annotation)
        if node.type != declared:
            raise _fault(statement, f"declared {declared}, inferred {node.type}")
        name = _name(statement.target)
        self._define(statement, name, node)
        if not is_counted(name):
            name_node(node, name)
        return node

    def _node(self, tree: ast.AST) -> Node:
        name = _name(tree)
        if name not in self.env:
            raise _fault(tree, f"{name} is not defined above")
        return self.env[name]

    def _returned(
        self, statement: ast.Return, inputs: list[Node]
    ) -> tuple[tuple[Node, ...], tuple[tuple[int, int], ...]]:
        value = statement.value
        trees = value.elts if isinstance(value, ast.Tuple) else [value]
        outputs, aliases = [], []
        for position, tree in enumerate(trees):
            if isinstance(tree, ast.NamedExpr):
                target = self._node(tree.target)
                places = [k for k, node in enumerate(inputs) if node is target]
                if not places:
                    raise _fault(tree, f"{shown(tree.target)} is not an argument")
                aliases.append((position, places[0]))
                tree = tree.value
            if tree is None:
                raise _fault(statement, "a graph returns values")
            outputs.append(self._node(tree))
        return tuple(outputs), tuple(aliases)

    def _any_type(self, tree: ast.AST) -> Type:
        if isinstance(tree, ast.Tuple):
            return TupleType(tuple(self._type(t) for t in tree.elts))
        return self._type(tree)

    def _type(self, tree: ast.AST) -> TensorType:
        if not isinstance(tree, ast.Subscript) or _name(tree.value) not in BY_SHORT:
            raise _fault(tree, f"{shown(tree)} is not a type such as f32[n, 64]")
        part = tree.slice
        sizes = part.elts if isinstance(part, ast.Tuple) else [part]
        shape = tuple(self._size(s) for s in sizes)
        if any(isinstance(size, int) and size < 0 for size in shape):
            raise _fault(tree, f"{shown(tree)} has a negative size")
        self._check_shape(tree, shape)
        return TensorType(BY_SHORT[_name(tree.value)], shape)

    def _check_shape(self, tree: ast.AST, sizes: tuple[Any, ...]) -> None:
        """Refuse shapes that NumPy does not have, or whose number of elements is a long sum."""
        terms = math.prod(len(s.terms) for s in sizes if isinstance(s, Dim))
        if len(sizes) > MAX_RANK or terms > MAX_TERMS:
            raise _fault(tree, f"a shape of {len(sizes)} axes and {terms} terms")

    def _size(self, tree: ast.AST) -> Any:
        size = self._value(tree)
        if not isinstance(size, bool) and isinstance(size, int | Dim):
            return size
        raise _fault(tree, f"{shown(tree)} is not a size")

    def _value(self, tree: ast.AST) -> Any:
        if isinstance(tree, ast.Constant):
            if isinstance(tree.value, int) and abs(tree.value) > MAX_INT:
                raise _fault(tree, "a number of more than 64 bits")
            return tree.value
        if isinstance(tree, ast.Tuple):
            items = tuple(self._value(t) for t in tree.elts)
            if any(isinstance(item, Dim) for item in items):
                self._check_shape(tree, items)
            return items
        if isinstance(tree, ast.Subscript):
            return self._type(tree)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            value = self._value(tree.operand)
            if isinstance(value, bool) or not isinstance(value, int | float | Dim):
                raise _fault(tree, f"{shown(tree)} is not a number")
            return -value
        if isinstance(tree, ast.BinOp) and type(tree.op) in BINARY:
            return self._computed(tree, BINARY[type(tree.op)], (tree.left, tree.right))
        if isinstance(tree, ast.Call) and len(tree.args) == 2 and not tree.keywords:
            function = dims.FUNCTIONS.get(_name(tree.func))
            if function is not None:
                return self._computed(tree, function, tree.args)
        if isinstance(tree, ast.Name):
            return self._named(tree.id)
        raise _fault(tree, f"{shown(tree)} is not a value")

    def _computed(self, tree: ast.AST, function: Any, operands: Sequence[ast.AST]) -> Any:
        """A size computed from two; sums that grow beyond all reason are refused."""
        x, y = (self._size(operand) for operand in operands)
        terms = math.prod(len(s.terms) for s in (x, y) if isinstance(s, Dim))
        try:
            size = function(x, y) if terms <= MAX_TERMS else None
        except (GraphcError, ArithmeticError) as error:
            raise _fault(tree, f"{shown(tree)}: {error!s:.80}") from None
        found = size.terms.items() if isinstance(size, Dim) else [((), size)]
        if size is None or any(abs(c) > MAX_INT or len(m) > MAX_RANK for m, c in found):  # type: ignore[arg-type]
            raise _fault(tree, f"the size {shown(tree)} is too large an expression")
        return size

    def _named(self, name: str) -> Any:
        # A body belongs to one node: two at each level would make 2**depth of the innermost.
        found = self.bodies.pop(name, None) or CONSTANTS.get(name)
        return found or dims.symbol(self.symbols.setdefault(name, Symbol(name)))


CONSTANTS = {**BY_SHORT, "inf": math.inf, "nan": math.nan}
BINARY = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


__all__ = ["parse", "show"]
