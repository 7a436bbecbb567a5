"""The plan of a contraction: its kernel calls, before they are steps of a program.

`matmul_kernel.lower_matmul` and `conv_kernel.lower_conv` make plans from sizes and strides alone;
`ContractionPlan.steps` says which values of a graph stand for its operands.

    plan = lower_matmul(MatmulSpec("f32", (), n, 10, 64))
    steps = plan.steps(node, {"x": Value(x), "y": Value(w), "out": Value(node)})
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from graphc.core import dims
from graphc.core.ir import Node
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Sized, Step, Workspace


@dataclass(frozen=True, slots=True)
class Operand:
    """The address of an operand or the result, by its name in the plan."""

    name: str


@dataclass(frozen=True, slots=True)
class Scratch:
    """The address of memory that the calls of one plan share, by key."""

    key: str
    nbytes: Sized


CallArgument: TypeAlias = Operand | Scratch | Number


@dataclass(frozen=True, slots=True)
class KernelCall:
    """One launch: a kernel, its arguments, and its parallel range 0..extent in units of `grain`."""

    kernel: Kernel
    args: tuple[CallArgument, ...]
    extent: Sized
    grain: int = 1


@dataclass(frozen=True, slots=True)
class ContractionPlan:
    """Kernel calls in order; each sees what the ones before it wrote."""

    calls: tuple[KernelCall, ...]

    def steps(self, node: Node, operands: Mapping[str, Argument]) -> list[Step]:
        """The plan as steps of `node`.

        Args:
            node: what is computed; scratch memory belongs to it.
            operands: for each operand's name its argument, usually a `Value`.
        """
        return [
            Step(
                call.kernel,
                tuple(_argument(argument, node, operands) for argument in call.args),
                call.extent,
                node,
                call.grain,
            )
            for call in self.calls
        ]


def _argument(
    argument: Operand | Scratch | Number, node: Node, operands: Mapping[str, Argument]
) -> Argument:
    if isinstance(argument, Operand):
        return operands[argument.name]
    if isinstance(argument, Scratch):
        return Workspace(node, argument.key, argument.nbytes)
    return argument


def sized(function: Callable[..., int], *sizes: Sized) -> Sized:
    """`function(*sizes)`: now if every size is an int, else when sizes are bound."""
    if all(isinstance(size, int) for size in sizes):
        return function(*sizes)

    def bound(names: Mapping[str, int]) -> int:
        return function(*(s(names) if callable(s) else dims.evaluate(s, names) for s in sizes))

    return bound
