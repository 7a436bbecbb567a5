"""The step of `gc.print`: copies the tensor, then calls Python, which shows it.

The one step that leaves native code. It runs on the thread that called the program, like all
steps that cannot be split, and does nothing where an error has been recorded.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Iterator

import numpy as np

from graphc.core import dims
from graphc.core.ir import Node, tensor_type
from graphc.ops.printing import caught, write
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.base.step import Argument, Number, Site, StatusBlock, Step, Value

PRINT = Kernel(
    "print_values",
    '''
def print_values(args, lo, hi):
    """Copy the first value to the result and let Python show all.

    args: status, site, address of the C function, the node's number, result, bytes; then of each
    value its address and its shape.
    """
    copy_bytes(args[4], args[6], args[5])
    if pointer(args[0])[0] == 0:
        call_c(args[2], address_of(args), 0)
''',
    "machine",
)
HEAD = 6

# The nodes that steps of programs show, by identity: programs hold them.
_shown: weakref.WeakValueDictionary[int, Node] = weakref.WeakValueDictionary()


def printed(node: Node) -> list[Step]:
    """The step that shows the node's operands."""
    _shown[id(node)] = node
    args: list[Argument] = [StatusBlock(), Site(node), Number(_entry()[0]), Number(id(node))]
    args += [Value(node), Number(tensor_type(node).nbytes)]
    for operand in node.inputs:
        args += [Value(operand), *map(Number, tensor_type(operand).shape)]
    return [Step(PRINT, tuple(args), 1, node, grain=0)]


@functools.cache
def _entry() -> tuple[int, object]:
    """The address of the C function that shows values, and what must be kept for it to stay."""
    function = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_int64, ctypes.c_int64)(_show)
    return ctypes.cast(function, ctypes.c_void_p).value or 0, function


def _show(address: int, _: int) -> int:
    words = ctypes.cast(address, ctypes.POINTER(ctypes.c_int64))
    node = _shown[words[3]]
    failed = caught(lambda: write(*_values(node, words), message=node.attr("message")))
    if failed:
        status = ctypes.cast(words[0], ctypes.POINTER(ctypes.c_int64))
        status[0], status[1] = words[1], failed
    return 0


def _values(node: Node, words: ctypes._Pointer[ctypes.c_int64]) -> Iterator[np.ndarray]:
    """Copies of what a step's args point at."""
    at = HEAD
    for operand in node.inputs:
        type_ = tensor_type(operand)
        shape = tuple(words[at + 1 + k] for k in range(type_.rank))
        nbytes = int(dims.product(shape)) * type_.dtype.itemsize
        memory = ctypes.string_at(words[at], nbytes)
        yield np.frombuffer(memory, type_.dtype.numpy).reshape(shape)
        at += 1 + type_.rank
