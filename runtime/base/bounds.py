"""GRAPHC_CHECK=bounds: every access of a kernel to a buffer is tested, and the first outside named.

Kernels compiled for it find more words before their args, and tell what went wrong through the
status block, as checked ops do; so a program whose kernel reached outside writes no state.

    ... bytes of args[1], bytes of args[0], code, address of the status block | args[0], args[1] ...
    status: code | number of the argument << 1 | is it a store,   index,   elements there are

Not here: how the tests are compiled (`numba_bounds`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from graphc.core.ir import Node
from graphc.core.results import value_of
from graphc.errors import InternalError
from graphc.runtime.base.homes import COPY, Copy, nbytes
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Sized, StatusBlock, Step, Value, Workspace

# Words before a step's args.
STATUS, CODE, NBYTES_OF_FIRST = -1, -2, -3
# A code: this bit, the number of the step, the number of the argument, whether it is a store.
OUTSIDE = 1 << 62
_STEP_BIT = 16
LOCAL = (1 << 15) - 1
STATUS_NBYTES = 64


def checked(kernel: Kernel, words: frozenset[str]) -> Kernel:
    """The kernel as the settings want it compiled.

    Args:
        kernel: from the lowering.
        words: of GRAPHC_CHECK.
    """
    if kernel.language != "kernel":
        return kernel
    wanted = words & {"bounds"}
    if "local(" in kernel.source:
        wanted |= words & {"poison"}
    return replace(kernel, checks=",".join(sorted(wanted))) if wanted else kernel


def sizes_of(step: Step | Copy) -> list[Sized]:
    """The bytes behind each argument of a step that is an address; 0 for the others."""
    if isinstance(step, Copy):
        return [nbytes(step.node, step.index)] * 2
    return [_nbytes(argument) for argument in step.args]


def _nbytes(argument: object) -> Sized:
    if isinstance(argument, Value):
        return nbytes(*value_of(argument.node, argument.index))
    if isinstance(argument, Workspace):
        return argument.nbytes
    return STATUS_NBYTES if isinstance(argument, StatusBlock) else 0


@dataclass(frozen=True, slots=True, eq=False)
class Access:
    """A step whose accesses are tested; its number in a program's sites is part of the code."""

    step: Step | Copy

    @staticmethod
    def code(number: int) -> int:
        """The word that a kernel of the step with this number finds."""
        return OUTSIDE | number << _STEP_BIT

    @staticmethod
    def number(code: int) -> int:
        """The number of the step in what a kernel recorded."""
        return (code & ~OUTSIDE) >> _STEP_BIT

    def failed(self, code: int, index: int, count: int) -> InternalError:
        """The error for what a kernel recorded."""
        position, is_store = (code & ((1 << _STEP_BIT) - 1)) >> 1, code & 1
        step = self.step
        kernel = COPY if isinstance(step, Copy) else step.kernel
        details = []
        argument = None if isinstance(step, Copy) or position == LOCAL else step.args[position]
        if isinstance(argument, Value):
            details.append(argument.node.describe())
        node: Node = step.node
        return InternalError(
            f"kernel {kernel.name} {'writes' if is_store else 'reads'} "
            f"{_variable(kernel, position)}[{index}], which has {count} elements",
            [*details, f"computes {node.describe()}"],
            where=node.origin or "",
        )


def _variable(kernel: Kernel, position: int) -> str:
    """What a kernel calls an argument."""
    if position == LOCAL:
        return "a local buffer"
    found = re.search(rf"(\w+) = .*buffer\(args, {position},", kernel.source)
    return found[1] if found else f"args[{position}]"
