"""Batches from a worker to its loader: arrays through anonymous shared memory, the rest as bytes.

The worker puts the arrays of a batch into one memory file without a name and hands its descriptor
over; the loader maps it. The memory is gone when the last array over it is, whoever is killed
first: nothing is left behind in /dev/shm. Without such files arrays go as bytes.
"""

from __future__ import annotations

import mmap
import os
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

import numpy as np

from graphc.eager.engine.tensor import Tensor, wrap

_ALIGN = 64
HAS_MEMORY_FILES = hasattr(os, "memfd_create")


class Packed:
    """Stands for an array in a structure: where it lies in the memory file."""

    __slots__ = ("as_tensor", "dtype", "offset", "requires_grad", "shape")

    def __init__(self, offset: int, dtype: str, shape: tuple[int, ...], as_tensor: bool) -> None:
        self.offset, self.dtype, self.shape, self.as_tensor = offset, dtype, shape, as_tensor

    def __reduce__(self) -> Any:
        return Packed, (self.offset, self.dtype, self.shape, self.as_tensor)


def _packed(value: Any, arrays: list[tuple[int, np.ndarray]], size: list[int]) -> Any:
    """A structure with its arrays replaced by their places."""
    array = value._array if isinstance(value, Tensor) else value
    if isinstance(array, np.ndarray) and array.dtype != object:
        offset = -(-size[0] // _ALIGN) * _ALIGN
        size[0] = offset + array.nbytes
        arrays.append((offset, array))
        return Packed(offset, array.dtype.str, array.shape, isinstance(value, Tensor))
    if type(value) is dict:
        return {key: _packed(v, arrays, size) for key, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_packed(v, arrays, size) for v in value))
    if type(value) in (list, tuple):
        return type(value)(_packed(v, arrays, size) for v in value)
    return value


def _unpacked(value: Any, memory: Any) -> Any:
    if isinstance(value, Packed):
        dtype = np.dtype(value.dtype)
        count = int(np.prod(value.shape, dtype=np.int64))
        array = np.frombuffer(memory, dtype, count, value.offset).reshape(value.shape)
        return wrap(array) if value.as_tensor else array
    if type(value) is dict:
        return {key: _unpacked(v, memory) for key, v in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_unpacked(v, memory) for v in value))
    if type(value) in (list, tuple):
        return type(value)(_unpacked(v, memory) for v in value)
    return value


def send(connection: Connection, key: int, batch: Any, receiver: int) -> None:
    """Send a batch under a key.

    Args:
        connection: to the loader.
        key: what it is told apart by.
        batch: a structure of tensors, arrays and anything that pickles.
        receiver: the loader's process.
    """
    arrays: list[tuple[int, np.ndarray]] = []
    size = [0]
    form = _packed(batch, arrays, size)
    if not HAS_MEMORY_FILES or size[0] == 0:
        memory = bytearray(max(size[0], 1))
        _fill(memory, arrays)
        connection.send((key, form, bytes(memory), False))
        return
    file = os.memfd_create("graphc-batch", os.MFD_CLOEXEC)
    try:
        os.ftruncate(file, size[0])
        with mmap.mmap(file, size[0]) as shared:
            _fill(shared, arrays)
        connection.send((key, form, size[0], True))
        send_handle(connection, file, receiver)
    finally:
        os.close(file)


def _fill(memory: Any, arrays: list[tuple[int, np.ndarray]]) -> None:
    for offset, array in arrays:
        target = np.frombuffer(memory, array.dtype, array.size, offset)
        target.reshape(array.shape)[...] = array
        del target


def receive(connection: Connection) -> tuple[Any, Any]:
    """The next batch of a worker: its key, and the batch over shared memory."""
    key, form, content, is_file = connection.recv()
    if not is_file:
        return key, _unpacked(form, bytearray(content))
    file = recv_handle(connection)
    try:
        memory = mmap.mmap(file, content)
    finally:
        os.close(file)
    return key, _unpacked(form, memory)


__all__ = ["receive", "send"]
