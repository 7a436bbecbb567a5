"""Memory of a GPU: blocks from a pool, pinned memory of the host, the device's copies of state.

    block = gpu.pool.allocate(nbytes)          # given back to the pool when nobody holds it
    staging = Pinned(gpu, nbytes)              # the host's end of asynchronous copies
    copy = copy_of(gpu, state)                 # `copy.push()`, and `state.array` pulls

Blocks that are given back are kept for the next of their size: the driver takes hundreds of
microseconds for what the pool does in one. Who gives a block back has waited for its work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphc.runtime.cuda.driver import OUT_OF_MEMORY, CudaError

if TYPE_CHECKING:
    from graphc.ops.state import State
    from graphc.runtime.cuda.device import Device

_SMALL, _LARGE = 512, 2 << 20


class DeviceMemoryError(MemoryError):
    """A block that the GPU has no room for; the message says how much there is."""


class Block:
    """Bytes of a GPU; the pool's again when nobody holds them.

    Attributes:
        address: where they are; a multiple of 256.
        nbytes: how many, at least what was asked for.
    """

    __slots__ = ("_pool", "address", "nbytes")

    def __init__(self, pool: Pool, address: int, nbytes: int) -> None:
        self._pool, self.address, self.nbytes = pool, address, nbytes

    def __del__(self) -> None:
        self._pool._give_back(self.address, self.nbytes)


def _rounded(nbytes: int) -> int:
    """Sizes that blocks have, so that the next of about this size fits."""
    unit = _SMALL if nbytes <= _LARGE // 2 else _LARGE
    return max(-(-nbytes // unit), 1) * unit


class Pool:
    """The memory of a GPU as this process uses it.

    Every change is one operation of a dict or a list, as an interrupt or the garbage collector
    may come between any two.

    Attributes:
        peak, peak_reserved: most bytes in use, and in use or kept, at one time.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._live: dict[int, int] = {}
        self._free: dict[int, list[int]] = {}
        self.peak = self.peak_reserved = 0

    @property
    def allocated(self) -> int:
        """Bytes in use."""
        return sum(list(self._live.values()))

    @property
    def reserved(self) -> int:
        """Bytes in use or kept."""
        return self.allocated + sum(n * len(kept) for n, kept in list(self._free.items()))

    def allocate(self, nbytes: int) -> Block:
        """A block of no particular contents.

        Raises:
            DeviceMemoryError: the GPU has no room, even when all that is kept is given back.
        """
        size = _rounded(nbytes)
        try:
            address = self._free.get(size, []).pop()
        except IndexError:
            address = self._new(size)
        self._live[address] = size
        self.peak = max(self.peak, self.allocated)
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return Block(self, address, size)

    def _new(self, size: int) -> int:
        self._device.use()
        call = self._device.driver.call
        try:
            return call("cuMemAlloc_v2", size)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
        self.empty()
        try:
            return call("cuMemAlloc_v2", size)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
        left, total = call("cuMemGetInfo_v2")
        raise DeviceMemoryError(
            f"{self._device!r} has {left:,} of {total:,} bytes left, {size:,} are wanted; "
            f"{self.allocated:,} are in use by graphc"
        )

    def _give_back(self, address: int, size: int) -> None:
        if self._live.pop(address, None) is not None:
            self._free.setdefault(size, []).append(address)

    def forget_peaks(self) -> None:
        """Let the peaks be what is there now."""
        self.peak, self.peak_reserved = self.allocated, self.reserved

    def empty(self) -> None:
        """Give what is kept back to the driver."""
        self._device.use()
        for kept in list(self._free.values()):
            while kept:
                self._device.driver.call("cuMemFree_v2", kept.pop())


class Pinned:
    """Memory of the host that stays where it is, so that the GPU copies it by itself.

    Attributes:
        address: where it is.
        nbytes: how much.
    """

    def __init__(self, device: Device, nbytes: int) -> None:
        self._device, self.nbytes = device, nbytes
        device.use()
        try:
            self.address = device.driver.call("cuMemHostAlloc", max(nbytes, 1), 0)
        except CudaError as error:
            if error.code != OUT_OF_MEMORY:
                raise
            raise DeviceMemoryError(
                f"the host has no {nbytes:,} bytes of pinned memory for {device!r}"
            ) from None
        device.end_with(self, "cuMemFreeHost", self.address)


class Copy:
    """The device's copy of a state; see `State.copies`.

    Attributes:
        is_current: whether it has the state's latest value.
    """

    def __init__(self, device: Device, state: State) -> None:
        self.device = device
        self._block = device.pool.allocate(state.nbytes)
        self.address = self._block.address
        self.is_current = False

    def pull(self, array: np.ndarray) -> None:
        """Copy its value to the host, when the work that makes it is done."""
        self.device.synchronize()
        if array.nbytes:
            self.device.driver.call(
                "cuMemcpyDtoH_v2", array.ctypes.data, self.address, array.nbytes
            )

    def push(self, array: np.ndarray) -> None:
        """Copy a value of the host to it, when the work that reads the last one is done."""
        self.device.synchronize()
        if array.nbytes:
            self.device.driver.call(
                "cuMemcpyHtoD_v2", self.address, array.ctypes.data, array.nbytes
            )
            self.device.synchronize()  # the call returns when the host's memory may change
        self.is_current = True


def copy_of(device: Device, state: State) -> Copy:
    """The device's copy of a state, made when it is first asked for."""
    for copy in state.copies:
        if copy.device is device:
            return copy
    made = Copy(device, state)
    state.add(made)
    return made


__all__ = ["Block", "Copy", "DeviceMemoryError", "Pinned", "Pool", "copy_of"]
