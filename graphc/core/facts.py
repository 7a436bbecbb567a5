"""What an op declares for others: how it is lowered, why it has no gradient, what tests draw.

Scalar("exp({0})")                              an elementwise op in the kernel language
Reduction("{acc} + {0}", identity)              a sum
IndexMap(pieces, injective=True)                a movement op: where elements come from
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphc.core import dtypes
from graphc.core.dims import Size
from graphc.errors import ArgumentError, GraphcError

if TYPE_CHECKING:
    from graphc.core.ir import Node


@dataclass(frozen=True, slots=True)
class NoGradient:
    """The deliberate absence of a gradient; `why` is what the user reads."""

    why: str


@dataclass(frozen=True, slots=True)
class Scalar:
    """Lowering fact of an elementwise op: its expression in the kernel language.

    `template` has `{0}`, `{1}`... for operands, or is a function of the operand dtypes and the
    attributes (as keywords) that returns such a template. Its value is cast to the result dtype.

    A checked op (`Op.checked`) also has `check`: a condition, a template likewise, that holds
    when the element fails. Then `value` and `limit`, templates of int64, go to the status block,
    and `failure(node, value)` makes the error from the recorded value. With an empty `value` a
    failure is a flag that a kernel reports at its end: that costs loops nothing.
    """

    template: str | Callable[..., str]
    check: str | Callable[..., str] | None = None
    value: str = "i64({0})"
    limit: str = "i64(0)"
    failure: Callable[[Node, int], GraphcError] | None = None


@dataclass(frozen=True, slots=True)
class Reduction:
    """Lowering fact of a reduction.

    `combine` is a kernel-language expression in `{acc}` and `{0}`; `identity` gives its neutral
    element for a dtype as kernel-language text. With `arg` set, the op yields the index of the
    first element for which `combine`, a condition, held last (argmax). `of_numbers` is a step that
    may stand for `combine` where no element is nan, if the result is nan where one is. With `adds`
    set, floats are added up: each step rounds the total, so loops over many elements run in blocks.
    """

    combine: str | Callable[..., str]
    identity: Callable[[Any], str]
    arg: bool = False
    of_numbers: str = ""
    adds: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Where an output element comes from: `index` into input `operand`, when all guards hold.

    A guard (x, low, high) means low <= x < high. With `operand` None the element is `value`.
    """

    operand: int | None
    index: tuple[Size, ...] = ()
    guards: tuple[tuple[Size, Size, Size], ...] = ()
    value: float | int | bool = 0


@dataclass(frozen=True, slots=True)
class IndexMap:
    """Lowering fact of a movement op.

    `pieces(node, index, read)` returns the `Piece`s of the output element at `index` (a tuple of
    `Size`s whose symbols are loop variables); the first whose guards hold is it, the last has no
    guards. `read(operand, index)` returns, as a `Size`, the run-time value of an integer operand
    (checked to lie in `0..limit-1` after the wrap of negatives: see `ops/indexing`).
    `injective`: no input element is read by two output elements. `flat`: the elements of the one
    input in their row-major order, so that the result's memory could be the operand's. `joins`: the
    inputs one after the other along the attribute `axis`.
    """

    pieces: Callable[..., Sequence[Piece]]
    injective: bool = False
    flat: bool = False
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Library:
    """Lowering fact of an op with a loop nest of its own: its name in the runtime's table.

    `strided`: its kernel reads operands whose elements are evenly spaced, whatever the strides.
    `over`: the operand that the result differs from in some places only, whose memory it may take
    (the attribute `inplace` says so). `checked_apart(node)` is the same node after one that does
    its checks. `failure(node, value)` makes the error from what a failing one recorded.
    """

    name: str
    strided: bool = False
    over: int | None = None
    checked_apart: Callable[[Node], Node] | None = None
    failure: Callable[[Node, int], BaseException] | None = None


Lowering = Scalar | Reduction | IndexMap | Library | None


@dataclass(frozen=True, slots=True)
class Cost:
    """What NumPy takes for an op's definition, in nanoseconds, where it is not what its kind takes.

    `element`: for each element of the largest of result and operands; `call`: once; `pair`: for
    each element of the result with each of the largest operand but the first.
    """

    element: float
    call: float = 400.0
    pair: float = 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One test case of an op: operands (shape, dtype name, domain) and attributes."""

    operands: tuple[tuple[tuple[Any, ...], str, str], ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


def template(node: Node, fact: Any) -> str:
    """A fact of an elementwise op as a template: it may depend on dtypes and attributes."""
    if not callable(fact):
        return fact
    return fact(*(i.dtype for i in node.inputs), **dict(node.attrs))


def filled(node: Node, fact: object, operands: Sequence[str]) -> str:
    """The expression of an elementwise op on operands, which are kernel-language text.

    Raises:
        ArgumentError: the template of the op asks for what is no operand.
    """
    text = template(node, fact)
    try:
        return text.format(*operands)
    except (IndexError, KeyError, ValueError) as error:
        raise ArgumentError(
            f"op {node.op.name}: its kernel template {text!r:.100} does not fit "
            f"{len(operands)} operands: {error}",
            where=node.origin or "",
            hint="operands are {0}, {1} ...; a brace itself is {{ or }}",
        ) from None


# Functions of the kernel language that are one instruction or two.
CHEAP = frozenset(
    {
        *dtypes.BY_SHORT,
        *("select", "maximum", "minimum", "absolute", "sqrt", "floor", "ceil", "trunc", "rint"),
        *("sign", "copysign", "isnan", "isinf", "isfinite", "signbit", "add_any_order"),
        *("larger_number", "smaller_number"),
    }
)


def costly_calls(text: str) -> int:
    """How many functions that take long an expression of the kernel language calls."""
    return sum(name not in CHEAP for name in re.findall(r"([a-z_0-9]+)\(", text))
