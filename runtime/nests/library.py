"""Steps that call a library of C functions: a batch's matrices, one after the other.

    Step(solve_f64, (a, b, x, scratch ..., address of dgesv, n, k, count), 1, node, grain=0)

The functions are LAPACK's and BLAS's, at the addresses that SciPy has for Cython: no Python runs
between them. Such a step runs on the thread that called the program, as LAPACK has threads of its
own.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphc.core import dims, shield
from graphc.core.dims import Size
from graphc.core.ir import Node, is_checked, tensor_type
from graphc.errors import InternalError
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import (
    Argument,
    Number,
    Site,
    Sized,
    StatusBlock,
    Step,
    Value,
    Workspace,
    evaluate,
)

_LETTERS = {"f32": "s", "f64": "d"}
_NBYTES = {"f32": 4, "f64": 8, "i32": 4, "i8": 1}


@dataclass(frozen=True)
class Scratch:
    """Memory for a step: the product of some sizes, in elements of a dtype."""

    sizes: tuple[Sized, ...]
    dtype: str

    def nbytes(self, bound: Mapping[str, int]) -> int:
        """Its bytes, once the sizes are bound; some, be a size 0."""
        found = _NBYTES[self.dtype]
        for size in self.sizes:
            found *= max(1, evaluate(size, bound))
        return found


@functools.cache
def address(name: str) -> int:
    """Where a function of LAPACK or BLAS is in this process, by SciPy's tables for Cython.

    Raises:
        InternalError: SciPy has none of this name.
    """
    for library in ("lapack", "blas"):
        table = shield.whole(f"scipy.linalg.cython_{library}").__pyx_capi__
        if name in table:
            label = ctypes.pythonapi.PyCapsule_GetName
            label.restype, label.argtypes = ctypes.c_char_p, [ctypes.py_object]
            pointer = ctypes.pythonapi.PyCapsule_GetPointer
            pointer.restype = ctypes.c_void_p
            pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
            return int(pointer(table[name], label(table[name])) or 0)
    raise InternalError(f"SciPy has no function {name}")


def largest(*sizes: Size) -> Callable[[Mapping[str, int]], int]:
    """The greatest of some sizes and 1, once they are bound."""
    return lambda bound: max(1, *(evaluate(size, bound) for size in sizes))


class Routine:
    """The kernel of an op that calls a library, written step by step.

    Its `text` may use `x` and `y`, the operands, `out`, the result, and `p`, the matrix' number;
    what is given by name here; and `name_at`, the address of memory. Setting `error` to what is
    not 0 says that a matrix has no result. FLOAT is the dtype of what is given as memory.

    Args:
        node: of the op.
        dtype: the short name of the dtype that is computed in; the operands' own unless given.
    """

    def __init__(self, node: Node, dtype: str = "") -> None:
        self.node, self.dtype = node, dtype or tensor_type(node).dtype.short
        self.args: list[Argument] = []
        self._lines: list[str] = []
        for name, operand in zip(("x", "y"), node.inputs):
            self._memory(name, Value(operand), tensor_type(operand).dtype.short)
        self._memory("out", Value(node), tensor_type(node).dtype.short)

    def _memory(self, name: str, argument: Argument, dtype: str) -> None:
        self._lines += [
            f"{name} = buffer(args, {len(self.args)}, {dtype})",
            f"{name}_at = args[{len(self.args)}]",
        ]
        self.args.append(argument)

    def numbers(self, **given: Sized) -> None:
        """Numbers that the kernel reads from its arguments."""
        for name, size in given.items():
            self._lines.append(f"{name} = args[{len(self.args)}]")
            self.args.append(Number(size))

    def scratch(self, dtype: str = "", **given: tuple[Sized, ...]) -> None:
        """Memory by name, each of the product of some sizes."""
        for name, sizes in given.items():
            what = Scratch(sizes, dtype or self.dtype)
            self._memory(name, Workspace(self.node, name, what.nbytes), what.dtype)

    def integers(self, **given: str) -> None:
        """LAPACK's integers: names for the addresses of values, written before all else."""
        self.scratch("i32", ints=(len(given) + 1,))
        self._lines.append("info = ints_at")
        for k, (name, value) in enumerate(given.items(), 1):
            self._lines += [f"ints[{k}] = i32({value})", f"{name} = ints_at + {4 * k}"]

    def letters(self, **given: str) -> None:
        """LAPACK's letters, likewise."""
        self.scratch("i8", letters=(len(given),))
        for k, (name, letter) in enumerate(given.items()):
            self._lines += [f"letters[{k}] = i8({ord(letter)})", f"{name} = letters_at + {k}"]

    def calls(self, *names: str) -> None:
        """The functions that are called, without the letter for the dtype."""
        for name in names:
            self.numbers(**{name: address(_LETTERS[self.dtype] + name)})

    def steps(self, text: str) -> list[Step]:
        """The step that does what `text` says with each matrix."""
        node = self.node
        self.numbers(count=dims.product(tensor_type(node.inputs[0]).shape[:-2]))
        lines = [*self._lines, "for p in range(count):", "    error = i64(0)"]
        body = text.replace("FLOAT", self.dtype).strip("\n")
        lines += [f"    {line}" for line in body.splitlines()]
        if is_checked(node):
            site = len(self.args)
            self.args += [Site(node), StatusBlock()]
            failing = f"fail(buffer(args, {site + 1}, i64), args[{site}], {{}}, 0)"
            code = f"p * {1 << 32} + max(error, i64(0))"
            lines += ["    if error != 0:", f"        {failing.format(code)}"]
        name = f"{node.op.name}_{tensor_type(node).dtype.short}{'_checked' * is_checked(node)}"
        source = "\n".join([f"def {name}(args, lo, hi):", *(f"    {line}" for line in lines), ""])
        return [Step(Kernel(name, source, "library"), tuple(self.args), 1, node, grain=0)]
