"""A graph evaluated node by node in float64, exactly or with every rounding drawn at random.

The spread of a few evaluations, each result of a rounding op (and each operand of a sum or product
of many) moved by a few units in the last place of its *declared* dtype, says how far a correct
program may be from the exact value: cancellation, conditioning and discontinuities included. An
element whose integer or boolean value changes between evaluations isn't determined by its inputs.
Evaluations come in pairs that move everything by the same amounts, forth and back, so that a value
that is 0 but for roundings has both signs; and once all elements of a result are moved alike.
Such a pair also gives nan, and a sum that is 0, either sign: neither is determined. The same op
of the same operands is moved alike every time: a gradient finds the least element of what it
computes again. What the declared dtype cannot hold is infinite in one evaluation of a pair.

Values that are drawn are never equal. Where those of a program are, by rounding, it may choose as
no drawn evaluation does (a gradient shared by three equal least elements): so that a difference is
also looked at with each result rounded to its declared dtype and nothing drawn.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.core import dims, dtypes
from graphc.core.ir import Graph, Kind, Node, bodies, map_sizes
from graphc.core.types import TupleType

EXACT = frozenset(
    """absolute argmax argmin ceil clip copysign equal floor fmax fmin greater greater_equal
    isfinite isinf isnan less less_equal logical_and logical_not logical_or logical_xor max maximum
    min minimum negative not_equal rint sign signbit trunc where all any argsort index_update
    index_maximum index_minimum bitwise_and bitwise_or bitwise_xor invert philox item nonempty
    check""".split()  # noqa: SIM905
)
CANCELLING = frozenset(("logaddexp",))  # close to 0 by the difference of rounded terms
EQUALITIES = frozenset(("equal", "not_equal"))  # what is drawn is never equal by rounding
GATHERING = (Kind.REDUCE, Kind.CONTRACT, Kind.LIBRARY)
ULPS = {"bfloat16": 2.0, "float16": 2.0, "float32": 4.0, "float64": 4.0}
# The seed of the roundings, their direction, whether all elements of a result are moved alike.
# Direction 0: results are rounded to their dtype instead.
WAYS = ((0, 1, False), (0, -1, False), (1, 1, False), (1, -1, False), (2, 1, True))
# Of few, all may leave in order what lies too close together: a difference is looked at with more.
MORE_WAYS = (
    *WAYS,
    (0, 0, False),
    *((seed, side, False) for seed in range(3, 33) for side in (1, -1)),
)


class Wide:
    """One evaluation.

    Args:
        sizes: of symbolic dimensions, by name.
        way: of `WAYS`: which roundings; None for none.
        fine: roundings as small as those of float64 for every dtype.
    """

    def __init__(
        self, sizes: Mapping[str, int], way: tuple[int, int, bool] | None = None, fine: bool = False
    ) -> None:
        self.sizes, self.fine = sizes, fine
        _, self.direction, self.alike = way or (0, 0, False)
        self.seed = None if way is None else way[0]
        self.rng = np.random.default_rng(self.seed)

    def run(self, graph: Graph, arrays: Sequence[Any]) -> list[Any]:
        """The outputs of a graph, floats as float64."""
        values: dict[Node, Any] = {n: widened(a) for n, a in zip(graph.inputs, arrays, strict=True)}
        for node in graph.nodes:
            if node not in values:
                values[node] = self._node(node, [values[i] for i in node.inputs])
        return [values[o] for o in graph.outputs]

    def _node(self, node: Node, operands: list[Any]) -> Any:
        if bodies(node):
            return self._nested(node, operands)
        attrs = {k: self._attribute(v) for k, v in node.attrs}
        gathers = node.op.kind in GATHERING or node.op.name in CANCELLING
        if self.seed is not None:
            self.rng = np.random.default_rng((self.seed, _hashed(node, operands)))
        if self.seed is not None and gathers and node.op.name not in EXACT:
            operands = [self._moved(x, i.type.dtype) for x, i in zip(operands, node.inputs)]  # type: ignore[union-attr]
        with np.errstate(all="ignore"):
            result = node.op.numpy(*operands, **attrs)
        if isinstance(node.type, TupleType):
            return result
        if node.op.name in EQUALITIES and self.direction > 0:
            return self._nearly(node, operands, result)
        if node.op.kind is Kind.SOURCE:
            return widened(np.asarray(result).astype(node.type.dtype.numpy))
        result = widened(result)
        if self.seed is None:
            return result
        if node.op.kind is Kind.MOVEMENT or node.op.name in EXACT:
            return self._signed(result, np.isnan)
        if gathers:
            result = self._signed(result, lambda x: x == 0)
        # What many terms lose: about the square root of their number, and more of equal ones.
        many = operands[0].size / max(1, result.size) if gathers and operands else 1.0
        moved = self._moved(result, node.type.dtype, max(1.0, many**0.5 / 4))
        return self._signed(moved, np.isnan)

    def _nearly(self, node: Node, operands: list[Any], result: Any) -> Any:
        """Whether two floats are equal, where they may be by rounding."""
        dtype, (x, y) = node.inputs[0].type.dtype, operands  # type: ignore[union-attr]
        if not dtype.is_float:
            return result
        with np.errstate(all="ignore"):
            reach = 2 * ULPS[dtype.name] * float(dtype.finfo.eps)
            near = np.abs(x - y) <= reach * np.maximum(np.abs(x), np.abs(y))
        return np.where(near, node.op.name == "equal", result)

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, dtypes.DType):
            return dtypes.float64 if value.is_float else value
        return map_sizes(value, lambda size: dims.evaluate(size, self.sizes))

    def _moved(self, x: Any, dtype: dtypes.DType, times: float = 1.0) -> Any:
        if x.dtype.kind != "f":
            return x
        kept = dtypes.float64 if self.fine else dtype
        if self.direction == 0:
            with np.errstate(all="ignore"):
                return widened(x.astype(kept.numpy))
        info = kept.finfo
        drawn = self.direction * self.rng.uniform(-1, 1, () if self.alike else x.shape)
        moved = x * (1 + times * ULPS[kept.name] * float(info.eps) * drawn)
        small = (np.abs(x) < info.tiny) & (x != 0)
        moved = np.where(small, x + float(info.tiny) * drawn, moved)
        # A kernel may keep more than the dtype holds, or store an infinity.
        is_lost = (np.abs(x) > 0.9 * float(info.max)) & (self.direction > 0)
        return np.where(is_lost, np.copysign(np.inf, x), moved)

    def _signed(self, x: Any, which: Callable[[Any], Any]) -> Any:
        """x, its elements that `which` names with the sign of this evaluation's direction."""
        if x.dtype.kind != "f" or self.direction == 0:
            return x
        return np.where(which(x), np.copysign(x, self.direction), x)

    def _nested(self, node: Node, operands: list[Any]) -> Any:
        graphs = bodies(node)
        if node.op.name == "cond":
            return self.run(graphs["true" if operands[0] else "false"], operands[1:])
        if node.op.kind is Kind.FUSED:
            found = self.run(graphs["body"], operands)
            return found if isinstance(node.type, TupleType) else found[0]
        count = node.attr("carries")
        state, rest = operands[:count], operands[count:]
        if node.op.name == "while_loop":
            most, turns = node.attr("max_steps"), 0
            while (most is None or turns < most) and self.run(graphs["cond"], [*state, *rest])[0]:
                state, turns = self.run(graphs["body"], [*state, *rest]), turns + 1
            return state
        return self._scan(node, state, rest)

    def _scan(self, node: Node, state: list[Any], rest: list[Any]) -> list[Any]:
        sequences, length = node.attr("sequences"), dims.evaluate(node.attr("length"), self.sizes)
        slices, fixed = rest[:sequences], rest[sequences:]
        stacks: list[dict[int, Any]] = [{} for _ in node.type.items[len(state) :]]  # type: ignore[union-attr]
        order = range(length)
        for t in reversed(order) if node.attr("reverse") else order:
            found = self.run(node.attr("body"), [*state, *(x[t] for x in slices), *fixed])
            for stack, result in zip(stacks, found[len(state) :]):
                stack[t] = result
            state = found[: len(state)]
        stacked = []
        for stack, type_ in zip(stacks, node.type.items[len(state) :]):  # type: ignore[union-attr]
            shape = [dims.evaluate(d, self.sizes) for d in type_.shape]
            rows = [stack[t] for t in order]
            stacked.append(np.stack(rows) if rows else np.zeros(shape, widest(type_.dtype)))
        return [*state, *stacked]


def _hashed(node: Node, operands: Sequence[Any]) -> int:
    """A number for an op of certain operands."""
    found = zlib.crc32(f"{node.op.name} {node.attrs}".encode())
    arrays = [a for x in operands for a in (x if isinstance(x, list | tuple) else [x])]
    for value in arrays:
        found = zlib.crc32(np.ascontiguousarray(value).tobytes(), found)
    return found


def widened(value: Any) -> Any:
    """An array, floats as float64."""
    array = np.asarray(value)
    return array.astype(np.float64) if dtypes.is_float(array.dtype) else array


def widest(dtype: dtypes.DType) -> Any:
    """The dtype in which values of `dtype` are kept here."""
    return np.float64 if dtype.is_float else dtype.numpy
