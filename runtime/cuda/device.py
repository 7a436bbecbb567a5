"""GPUs: their properties, the current one, kernels loaded on them, streams and events.

gpu = current()                       # the device that this thread chose, or the first
gpu.use()                             # its context is this thread's
function = gpu.function("scale", ptx)
gpu.launch(function, blocks, threads, words, stream)
"""

from __future__ import annotations

import ctypes
import functools
import threading
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.errors import AttributeValueError, DeviceError
from graphc.runtime.cuda.driver import NO_DEVICE, CudaError, Driver, is_loaded, load
from graphc.runtime.cuda.memory import Pool

# cuda.h, CUdevice_attribute.
_ATTRIBUTES = {
    "max_threads_per_block": 1, "shared_memory_per_block": 8, "warp_size": 10, "clock_rate": 13,
    "multi_processor_count": 16, "memory_clock_rate": 36, "memory_bus_width": 37,
    "L2_cache_size": 38, "max_threads_per_multi_processor": 39, "major": 75, "minor": 76,
    "regs_per_multiprocessor": 82, "shared_memory_per_block_optin": 97,
}  # fmt: skip
_NON_BLOCKING, _UNTIMED = 1, 2
_POINTER = ctypes.c_void_p
# No grid is wider.
MOST_BLOCKS = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Properties:
    """What a GPU is; sizes in bytes, rates in kHz, the memory's bus in bits.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     print(gc.cuda.get_device_properties(0).multi_processor_count)
    """

    name: str
    total_memory: int
    major: int
    minor: int
    multi_processor_count: int
    warp_size: int
    max_threads_per_block: int
    max_threads_per_multi_processor: int
    regs_per_multiprocessor: int
    shared_memory_per_block: int
    shared_memory_per_block_optin: int
    L2_cache_size: int
    clock_rate: int
    memory_clock_rate: int
    memory_bus_width: int


class Device:
    """One GPU of a driver.

    Args:
        driver: of the machine.
        index: of the GPU, from 0.

    Attributes:
        arch: as compilers name it, such as "sm_90".
        pool: its memory.

    Raises:
        DeviceError: there is no such GPU.
    """

    def __init__(self, driver: Driver, index: int) -> None:
        self.driver, self.index = driver, index
        self._handle = driver.call("cuDeviceGet", index)
        self.context = driver.call("cuDevicePrimaryCtxRetain", self._handle)
        self.use()
        self.pool = Pool(self)
        self._functions: dict[tuple[str, bytes], int] = {}

    def __repr__(self) -> str:
        return f"cuda:{self.index} ({self.properties.name})"

    @functools.cached_property
    def properties(self) -> Properties:
        """See `Properties`."""
        call, name = self.driver.call, ctypes.create_string_buffer(256)
        call("cuDeviceGetName", ctypes.addressof(name), 256, self._handle)
        facts = {
            key: call("cuDeviceGetAttribute", code, self._handle)
            for key, code in _ATTRIBUTES.items()
        }
        return Properties(name.value.decode(), call("cuDeviceTotalMem_v2", self._handle), **facts)

    @property
    def arch(self) -> str:
        """As compilers name it."""
        return f"sm_{self.properties.major}{self.properties.minor}"

    def use(self) -> None:
        """Make its context this thread's."""
        self.driver.call("cuCtxSetCurrent", self.context)

    def synchronize(self) -> None:
        """Wait for all of its work."""
        self.use()
        self.driver.call("cuCtxSynchronize")

    def end_with(self, owner: object, function: str, *args: Any) -> None:
        """Call a function of the driver when an object is gone; a lost context has nothing left."""
        weakref.finalize(owner, self._end, function, args).atexit = False

    def _end(self, function: str, args: tuple[Any, ...]) -> None:
        try:
            self.use()
            self.driver.call(function, *args)
        except CudaError:
            return

    def function(self, name: str, image: bytes) -> int:
        """A kernel of an image, which is loaded once.

        Args:
            name: of the kernel's entry.
            image: PTX or machine code that has it.
        """
        key = name, image
        if key not in self._functions:
            self.use()
            module = self.driver.load_module(image)
            found = self.driver.call("cuModuleGetFunction", module, name.encode())
            self._functions[key] = found
        return self._functions[key]

    def launch(
        self, function: int, blocks: int, threads: int, words: np.ndarray, stream: int
    ) -> None:
        """Queue a kernel; none for 0 blocks, which the driver refuses.

        Args:
            function: from `function`.
            blocks: of the grid.
            threads: of a block.
            words: the kernel's parameters, int64 each; read before this returns.
            stream: to which queue.
        """
        if not blocks:
            return
        if blocks > MOST_BLOCKS:
            raise DeviceError(f"cuda: a grid of {blocks} blocks; {MOST_BLOCKS} are the most")
        base, count = words.ctypes.data, len(words)
        places = (_POINTER * max(count, 1))(*range(base, base + 8 * count, 8))
        at = ctypes.addressof(places)
        self.driver.call(
            "cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, 0, stream, at, None
        )


class Stream:
    """A queue of work on a GPU; what is in different queues may run at the same time.

    Args:
        device: the GPU: a `Device`, an index, or None for the current one.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     stream = gc.cuda.Stream()
        ...     stream.synchronize()
    """

    def __init__(self, device: Any = None) -> None:
        self.device = at(device)
        self.device.use()
        self.handle = self.device.driver.call("cuStreamCreate", _NON_BLOCKING)
        self.device.end_with(self, "cuStreamDestroy_v2", self.handle)

    @property
    def cuda_stream(self) -> int:
        """The driver's handle, for other libraries.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     assert stream.cuda_stream
        """
        return self.handle

    def synchronize(self) -> None:
        """Wait for all of its work so far.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     stream.synchronize()
        """
        self.device.use()
        self.device.driver.call("cuStreamSynchronize", self.handle)

    def query(self) -> bool:
        """Whether all of its work is done.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     assert stream.query()
        """
        self.device.use()
        return self.device.driver.is_done("cuStreamQuery", self.handle)

    def record_event(self, event: Event | None = None) -> Event:
        """Put an event, or a new one, behind the work so far.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     stream.record_event().synchronize()
        """
        event = event or Event(device=self.device)
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what follows wait for an event of any queue.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     stream.wait_event(gc.cuda.Stream().record_event())
        """
        self.device.use()
        self.device.driver.call("cuStreamWaitEvent", self.handle, event.handle, 0)

    def wait_stream(self, stream: Stream) -> None:
        """Let what follows wait for the work of another queue so far.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     stream = gc.cuda.Stream()
            ...     stream.wait_stream(gc.cuda.current_stream())
        """
        self.wait_event(stream.record_event())


class Event:
    """A mark in a queue of work, and when it was passed.

    Args:
        enable_timing: whether the time is wanted.
        device: the GPU: a `Device`, an index, or None for the current one.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     start, end = (gc.cuda.Event(enable_timing=True) for _ in range(2))
        ...     start.record()
        ...     end.record()
        ...     end.synchronize()
        ...     assert start.elapsed_time(end) >= 0  # milliseconds
    """

    def __init__(self, enable_timing: bool = False, *, device: Any = None) -> None:
        self.device = at(device)
        self.device.use()
        flags = 0 if enable_timing else _UNTIMED
        self.handle = self.device.driver.call("cuEventCreate", flags)
        self.device.end_with(self, "cuEventDestroy_v2", self.handle)

    def record(self, stream: Stream | None = None) -> None:
        """Put it behind the work of a queue so far; None is the current one.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     event = gc.cuda.Event()
            ...     event.record()
        """
        self.device.use()
        handle = (stream or current_stream(self.device)).handle
        self.device.driver.call("cuEventRecord", self.handle, handle)

    def wait(self, stream: Stream | None = None) -> None:
        """Let a queue wait for it; None is the current one.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     event = gc.cuda.Event()
            ...     event.record()
            ...     event.wait(gc.cuda.Stream())
        """
        (stream or current_stream(self.device)).wait_event(self)

    def query(self) -> bool:
        """Whether it was passed.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     event = gc.cuda.Event()
            ...     event.record()
            ...     event.synchronize()
            ...     assert event.query()
        """
        self.device.use()
        return self.device.driver.is_done("cuEventQuery", self.handle)

    def synchronize(self) -> None:
        """Wait until it is passed.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     event = gc.cuda.Event()
            ...     event.record()
            ...     event.synchronize()
        """
        self.device.use()
        self.device.driver.call("cuEventSynchronize", self.handle)

    def elapsed_time(self, end_event: Event) -> float:
        """The milliseconds from this event to a later one; both were passed and are timed.

        Example:
            >>> import graphc as gc
            >>> if gc.cuda.device_count():
            ...     start, end = (gc.cuda.Event(enable_timing=True) for _ in range(2))
            ...     start.record()
            ...     end.record()
            ...     end.synchronize()
            ...     assert start.elapsed_time(end) >= 0
        """
        self.device.use()
        return self.device.driver.call("cuEventElapsedTime", self.handle, end_event.handle)


class _Chosen(threading.local):
    """What a thread chose: the current device and, by device, the current stream."""

    def __init__(self) -> None:
        self.index = 0
        self.streams: dict[Device, Stream] = {}


_chosen = _Chosen()


@functools.cache
def _device(driver: Driver, index: int) -> Device:
    return Device(driver, index)


def count() -> int:
    """The number of GPUs; 0 where there is no driver."""
    return 0 if refusal() else load().call("cuDeviceGetCount")


def refusal() -> str:
    """Why there is no GPU here; "" where there is one."""
    try:
        driver = load()
        found = driver.call("cuDeviceGetCount")
    except CudaError as error:
        if error.code == NO_DEVICE:
            return "there is a CUDA driver, but no GPU"
        return error.what.removeprefix("cuda: ")
    except DeviceError as error:
        return error.what.removeprefix("cuda: ")
    return "" if found else "there is a CUDA driver, but no GPU"


def current() -> Device:
    """The device that this thread chose, or the first.

    Raises:
        DeviceError: there is none.
    """
    if why := refusal():
        raise DeviceError(f"cuda: {why}", where=caller(), hint="ask gc.cuda.device_count() first")
    return _device(load(), _chosen.index)


def at(device: Any = None) -> Device:
    """A device: one of an index, "cuda:1" or a `gc.device`; None is the current one.

    Raises:
        DeviceError: there is none.
        AttributeValueError: there is no such one.
    """
    if isinstance(device, Device):
        return device
    now = current()
    text = str(device).removeprefix("cuda").removeprefix(":")
    if device is None or not text:
        return now
    if not text.isdigit() or int(text) >= count():
        raise AttributeValueError(
            f"cuda: there is no device {str(device)!r}", where=caller(),
            hint=f"indices are 0 to {count() - 1}",
        )  # fmt: skip
    return _device(load(), int(text))


def choose(device: Device) -> None:
    """Make a device this thread's current one."""
    _chosen.index = device.index
    device.use()


def current_stream(device: Device) -> Stream:
    """The stream on which this thread's work goes."""
    if device not in _chosen.streams:
        _chosen.streams[device] = Stream(device)
    return _chosen.streams[device]


def choose_stream(stream: Stream) -> None:
    """Let this thread's work on the stream's device go there."""
    _chosen.streams[stream.device] = stream


__all__ = [
    "Device", "Event", "Properties", "Stream", "at", "choose", "choose_stream", "count",
    "current", "current_stream", "is_loaded", "refusal",
]  # fmt: skip
