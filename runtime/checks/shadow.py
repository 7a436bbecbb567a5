"""Shadow memory: buffers of kernels run as Python, in which every element knows who wrote it.

    memory = Memory(nbytes, "result 0 of exp")
    exec(source, names := quick(cells, slice_number, effort))     its names' meaning
    cells[memory].flush()                         after a step: its memory remembers

Two ways to run a kernel. `quick` keeps buffers as lists and computes with Python's numbers: values
are about right, which elements are touched is exact. `plain` means what the kernel language says
(`language`), for tiles and for functions of scalars that have a dtype.

Not here: which steps are run, on which values (`coverage`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.core import dtypes
from graphc.runtime.language import language

INPUT, NOBODY = 0, -1
# What memory holds that nobody wrote, in a first run and in a second one.
GARBAGE, OTHER = 0xA5, 0x7F
# Slices of a step that are told apart.
SLICES = 4
SEVERAL = -2
EMPTY = np.zeros(0, np.uint8)


class Memory:
    """The memory of a value: its bytes, and which slice wrote each."""

    def __init__(
        self, nbytes: int, what: str, is_scratch: bool = False, is_local: bool = False
    ) -> None:
        self.is_scratch, self.is_local = is_scratch, is_local
        # The step whose operand it is: what that step writes here, it must not read.
        self.operand_of = 0
        self.data = np.full(nbytes, GARBAGE, np.uint8)
        self.writer = np.full(nbytes, NOBODY, np.int64)
        self.what = what


class Fault(Exception):
    """An access that should not be."""


class TooLong(Exception):
    """A kernel touches more elements than are looked at."""


class Effort:
    """What may still be spent, in elements touched one at a time; whether tiles have `gaps`:
    elements that nobody wrote."""

    def __init__(self, left: int) -> None:
        self.left, self.gaps = left, False

    def spend(self, count: int) -> None:
        """Note that some elements are touched."""
        self.left -= count
        if self.left < 0:
            raise TooLong("it touches more elements than are looked at")


def _unwritten(index: Any, memory: Memory) -> Fault:
    return Fault(f"reads element {index} of {memory.what} before anything writes it")


def _raced(index: Any, memory: Memory) -> Fault:
    return Fault(
        f"touches element {index} of {memory.what}, which another slice of its parallel range "
        "writes"
    )


def _overwritten(index: Any, memory: Memory) -> Fault:
    return Fault(f"reads element {index} of {memory.what} after it has overwritten it")


class Shadow(language.Buffer):
    """A buffer of a kernel in shadow memory, an array.

    Args:
        memory: what it is the address of.
        dtype: of its elements.
        slice_number: which slice of which step is running.
        effort: what may be spent.
    """

    def __init__(self, memory: Memory, dtype: Any, slice_number: int, effort: Effort) -> None:
        self.itemsize = np.dtype(dtype).itemsize
        count = memory.data.size // self.itemsize
        super().__init__(memory.data[: count * self.itemsize].view(dtype))
        self.writers = memory.writer[: count * self.itemsize : self.itemsize]
        self.memory, self.slice_number, self.effort = memory, slice_number, effort

    def note(self, index: Any, is_store: bool) -> None:
        """Look at an access to some elements, and remember it."""
        self.effort.spend(8 + np.size(index) // 16)
        if is_store:
            self._race(self.writers[index], index)
            start = np.asarray(index)[..., None] * self.itemsize + np.arange(self.itemsize)
            self.memory.writer[start] = self.slice_number
            return
        found = self.writers[index]
        if np.any(found == NOBODY):
            self._unwritten(np.asarray(index).reshape(-1), np.reshape(found, -1) == NOBODY)
        self._race(found, index)
        if self.memory.operand_of == self.slice_number // SLICES:
            late = np.asarray(index).reshape(-1)[np.reshape(found, -1) == self.slice_number]
            if late.size:
                raise _overwritten(late[0], self.memory)

    def _unwritten(self, index: Any, is_missing: Any) -> None:
        """Refuse elements that nobody wrote, but for those behind scratch memory's content: a tile
        is as wide as a vector, and what it has of them isn't used."""
        if index.size > 1 and (self.memory.is_local or self.memory.is_scratch):
            self.effort.gaps = True
        if self.memory.is_local and index.size > 1:
            return  # what was packed leaves gaps
        if self.memory.is_scratch and index.size > 1:
            end = np.flatnonzero(self.writers != NOBODY).max(initial=-1)
            is_missing = is_missing & ((index < end) | (end < 0))
        if np.any(is_missing):
            raise _unwritten(index[is_missing][0], self.memory)

    def _race(self, found: Any, index: Any) -> None:
        step = self.slice_number // SLICES
        if np.any((found // SLICES == step) & (found != self.slice_number)):
            raise _raced(np.asarray(index).reshape(-1)[0], self.memory)

    def __getitem__(self, index: int) -> Any:
        value = super().__getitem__(index)
        self.note(int(index), False)
        return value

    def __setitem__(self, index: int, value: Any) -> None:
        super().__setitem__(index, value)
        self.note(int(index), True)


class Cells:
    """The elements of a memory during one step, as lists: values, last writers, readers."""

    def __init__(self, memory: Memory, dtype: Any) -> None:
        self.memory, self.dtype = memory, np.dtype(dtype)
        size = self.dtype.itemsize
        self.count = memory.data.size // size
        array = memory.data[: self.count * size].view(dtype)
        is_float = dtypes.is_float(self.dtype)
        self.values: list[Any] = list(array.astype(np.float64)) if is_float else array.tolist()
        self.writers: list[int] = memory.writer[: self.count * size : size].tolist()
        self.readers: list[int] = [INPUT] * self.count

    def flush(self) -> None:
        """Let the memory remember what the step did."""
        size = self.dtype.itemsize
        self.memory.writer[: self.count * size] = np.repeat(self.writers, size)
        with np.errstate(all="ignore"):
            try:
                array = np.array(self.values, self.dtype)
            except OverflowError:
                wrapped = [v & 0xFFFFFFFFFFFFFFFF for v in self.values]
                array = np.array(wrapped, np.uint64).astype(self.dtype)
        self.memory.data[: self.count * size] = array.view(np.uint8)


class Quick:
    """A buffer of a kernel that is run quickly: cells, seen by one slice of a step."""

    __slots__ = ("cells", "effort", "first", "is_operand", "readers", "slice", "values", "writers")

    def __init__(self, cells: Cells, slice_number: int, effort: Effort) -> None:
        self.cells, self.slice, self.effort = cells, slice_number, effort
        self.values, self.writers, self.readers = cells.values, cells.writers, cells.readers
        self.first = slice_number // SLICES * SLICES
        self.is_operand = cells.memory.operand_of == slice_number // SLICES

    def __getitem__(self, index: int) -> Any:
        cells = self.cells
        if index < 0 or index >= cells.count:
            raise IndexError(f"kernel reads index {index} of a buffer of {cells.count}")
        self.effort.spend(1)
        writer = self.writers[index]
        if writer == NOBODY:
            raise _unwritten(index, cells.memory)
        if writer >= self.first:
            if writer != self.slice:
                raise _raced(index, cells.memory)
            if self.is_operand:
                raise _overwritten(index, cells.memory)
        reader = self.readers[index]
        if reader != self.slice:
            self.readers[index] = self.slice if reader == INPUT else SEVERAL
        return self.values[index]

    def __setitem__(self, index: int, value: Any) -> None:
        cells = self.cells
        if index < 0 or index >= cells.count:
            raise IndexError(f"kernel writes index {index} of a buffer of {cells.count}")
        self.effort.spend(1)
        writer = self.writers[index]
        if writer >= self.first and writer != self.slice:
            raise _raced(index, cells.memory)
        if self.readers[index] not in (INPUT, self.slice):
            raise _raced(index, cells.memory)
        self.writers[index] = self.slice
        self.values[index] = value


def _integer(dtype: Any) -> Callable[[Any], int]:
    info = np.iinfo(dtype)
    low, high, span = int(info.min), int(info.max), 1 << info.bits

    def cast(value: Any) -> int:
        if type(value) is not int:
            try:
                value = int(value)
            except (OverflowError, ValueError):
                value = low
        return value if low <= value <= high else (value - low) % span + low

    return cast


def _float(value: Any) -> Any:
    return np.float64(value)


def _cast(dtype: dtypes.DType) -> Callable[[Any], Any]:
    if dtype.is_float:
        return functools.partial(_float)  # one object for each dtype: buffers tell it by that
    return functools.partial(bool) if dtype.name == "bool" else _integer(dtype.numpy)


_CASTS = {d.short: _cast(d) for d in dtypes.ALL}
_STORAGE = {cast: dtypes.BY_SHORT[short].numpy for short, cast in _CASTS.items()}


def is_quick(source: str) -> bool:
    """Whether a kernel may be run quickly: tiles want arrays."""
    return "tile_" not in source


def quick(cells: dict[Memory, Cells], slice_number: int, effort: Effort) -> dict[str, Any]:
    """What the names of a kernel mean where it is run quickly.

    Args:
        cells: of the memory that this step has met; added to.
        slice_number: which slice of which step is running.
        effort: what may be spent.
    """

    def view(memory: Any, dtype: Any) -> Any:
        if not isinstance(memory, Memory):
            return language.Buffer(memory if isinstance(memory, np.ndarray) else EMPTY)
        if memory not in cells:
            cells[memory] = Cells(memory, _STORAGE[dtype])
        if cells[memory].dtype != _STORAGE[dtype]:
            raise TypeError("one memory is seen as two dtypes")
        return Quick(cells[memory], slice_number, effort)

    def buffer(args: Sequence[Any], index: int, dtype: Any, scope: int = 0) -> Any:
        return view(args[index], dtype)

    def local(count: int, dtype: Any) -> Any:
        return view(Memory(count * _STORAGE[dtype].itemsize, "local memory"), dtype)

    names = {**language.namespace(), **_CASTS, "buffer": buffer, "buffer_at": buffer}
    names |= {"local": local, "lost": lambda total, value: 0 * value}
    return names


def plain(slice_number: int, effort: Effort, garbage: int = GARBAGE) -> dict[str, Any]:
    """What the names of a kernel mean where it is run as the language says; see `quick`.

    Args:
        garbage: what the bytes of local memory hold before they are written.
    """

    def buffer(args: Sequence[Any], index: int, dtype: Any, scope: int = 0) -> language.Buffer:
        memory = args[index]
        if not isinstance(memory, Memory):
            return language.Buffer(memory if isinstance(memory, np.ndarray) else EMPTY)
        return Shadow(memory, language.STORAGE[dtype], slice_number, effort)

    def local(count: int, dtype: Any) -> language.Buffer:
        storage = language.STORAGE[dtype]
        memory = Memory(count * storage.itemsize, "local memory", is_local=True)
        memory.data[:] = garbage
        return Shadow(memory, storage, slice_number, effort)

    return {**language.namespace(), "buffer": buffer, "buffer_at": buffer, "local": local}
