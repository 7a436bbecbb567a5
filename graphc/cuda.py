"""`gc.cuda`: the GPUs of this machine. Programs run there (`compile(..., target="cuda")`), tensors
cannot be placed there yet; asking is always safe."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphc.runtime import targets
from graphc.runtime.cuda import device as devices
from graphc.runtime.cuda.device import Event, Properties, Stream
from graphc.runtime.cuda.here import Cuda

if TYPE_CHECKING:
    from graphc.runtime.cuda.target import Target

targets.register(Cuda())


def __getattr__(name: str) -> Any:
    if name != "Target":
        raise AttributeError(f"module 'graphc.cuda' has no attribute {name!r}")
    # It brings all that compiles for CUDA, which few programs need.
    return import_module("graphc.runtime.cuda.target").Target


def __dir__() -> list[str]:
    return sorted({*globals(), "Target"})


def is_available() -> bool:
    """Whether eager tensors can be placed on a CUDA device: not yet, even where there is one.

    `device_count` says how many there are for programs.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_available()
        False
    """
    return False


def device_count() -> int:
    """The number of CUDA devices that programs can run on; 0 where there is no driver.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.device_count() >= 0
        True
    """
    return devices.count()


def is_initialized() -> bool:
    """Whether this process has asked the CUDA driver for anything.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_initialized() in (True, False)
        True
    """
    return devices.is_loaded()


def manual_seed_all(seed: int) -> None:
    """Seed the generators of eager tensors on CUDA devices, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.manual_seed_all(0)
    """


manual_seed = manual_seed_all


def current_device() -> int:
    """The index of the CUDA device that this thread uses.

    Raises:
        DeviceError: there is none.

    Example:
        >>> import graphc as gc
        >>> with gc.config.override(cuda_driver="/no/such/library"):
        ...     try:
        ...         gc.cuda.current_device()
        ...     except gc.errors.DeviceError as error:
        ...         print(error.what)
        cuda: there is no CUDA driver
    """
    return devices.current().index


def set_device(device: Any) -> None:
    """Choose the CUDA device that this thread uses.

    Args:
        device: an index, "cuda:1" or a `gc.device`.

    Raises:
        DeviceError: there is none.
        AttributeValueError: there is no such one.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     gc.cuda.set_device(0)
    """
    devices.choose(devices.at(device))


class device:
    """The CUDA device that this thread uses inside a `with` block.

    Args:
        device: an index, "cuda:1" or a `gc.device`.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     with gc.cuda.device(0):
        ...         assert gc.cuda.current_device() == 0
    """

    def __init__(self, device: Any) -> None:
        self._device = devices.at(device)
        self._before: devices.Device | None = None

    def __enter__(self) -> None:
        self._before = devices.current()
        devices.choose(self._device)

    def __exit__(self, *exception: object) -> None:
        if self._before is not None:
            devices.choose(self._before)


def get_device_name(device: Any = None) -> str:
    """The name of a CUDA device.

    Args:
        device: an index, "cuda:1" or a `gc.device`; None is the current one.

    Raises:
        DeviceError: there is none.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     print(gc.cuda.get_device_name())
    """
    return devices.at(device).properties.name


def get_device_properties(device: Any = None) -> Properties:
    """What a CUDA device is.

    Args:
        device: an index, "cuda:1" or a `gc.device`; None is the current one.

    Returns:
        Its `name`, `total_memory` in bytes, `major`, `minor`, `multi_processor_count` and more.

    Raises:
        DeviceError: there is none.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     print(gc.cuda.get_device_properties(0).total_memory)
    """
    return devices.at(device).properties


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The compute capability of a CUDA device, such as (9, 0).

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     assert gc.cuda.get_device_capability() >= (5, 0)
    """
    found = devices.at(device).properties
    return found.major, found.minor


def is_bf16_supported() -> bool:
    """Whether the current CUDA device computes in bfloat16; False without one.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_bf16_supported() in (True, False)
        True
    """
    return bool(device_count()) and devices.current().properties.major >= 8


def synchronize(device: Any = None) -> None:
    """Wait for all work of a CUDA device; without one there is none to wait for.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.synchronize()
    """
    if device_count():
        devices.at(device).synchronize()


class stream:
    """The queue that this thread's work on a CUDA device goes to, inside a `with` block.

    Args:
        stream: the queue.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     with gc.cuda.stream(gc.cuda.Stream()):
        ...         pass
    """

    def __init__(self, stream: Stream) -> None:
        self._stream, self._before = stream, stream

    def __enter__(self) -> Stream:
        self._before = devices.current_stream(self._stream.device)
        devices.choose_stream(self._stream)
        return self._stream

    def __exit__(self, *exception: object) -> None:
        devices.choose_stream(self._before)


def current_stream(device: Any = None) -> Stream:
    """The queue that this thread's work on a CUDA device goes to.

    Args:
        device: see `get_device_name`.

    Raises:
        DeviceError: there is none.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     gc.cuda.current_stream().synchronize()
    """
    return devices.current_stream(devices.at(device))


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The bytes that are free on a CUDA device, and those that it has.

    Args:
        device: see `get_device_name`.

    Raises:
        DeviceError: there is none.

    Example:
        >>> import graphc as gc
        >>> if gc.cuda.device_count():
        ...     free, total = gc.cuda.mem_get_info()
    """
    found = devices.at(device)
    found.use()
    return found.driver.call("cuMemGetInfo_v2")


def memory_allocated(device: Any = None) -> int:
    """The bytes that graphc uses on a CUDA device; 0 without one.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.memory_allocated() <= gc.cuda.max_memory_allocated()
        True
    """
    return devices.at(device).pool.allocated if device_count() else 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that graphc has used on a CUDA device at one time.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.max_memory_allocated() >= 0
        True
    """
    return devices.at(device).pool.peak if device_count() else 0


def memory_reserved(device: Any = None) -> int:
    """The bytes that graphc uses on a CUDA device or keeps for later use; 0 without one.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.memory_reserved() >= gc.cuda.memory_allocated()
        True
    """
    return devices.at(device).pool.reserved if device_count() else 0


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that graphc has used or kept on a CUDA device at one time.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.max_memory_reserved() >= 0
        True
    """
    return devices.at(device).pool.peak_reserved if device_count() else 0


memory_cached, max_memory_cached = memory_reserved, max_memory_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Let `max_memory_allocated` and `max_memory_reserved` count from now.

    Args:
        device: see `get_device_name`.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.reset_peak_memory_stats()
    """
    if device_count():
        devices.at(device).pool.forget_peaks()


reset_max_memory_allocated = reset_peak_memory_stats


def empty_cache() -> None:
    """Give the memory that is kept for later use back to the current CUDA device.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.empty_cache()
    """
    if device_count():
        devices.current().pool.empty()


__all__ = [
    "Event", "Properties", "Stream", "Target", "current_device", "current_stream", "device",
    "device_count",
    "empty_cache", "get_device_capability", "get_device_name", "get_device_properties",
    "is_available", "is_bf16_supported", "is_initialized", "manual_seed", "manual_seed_all",
    "max_memory_allocated", "max_memory_cached", "max_memory_reserved", "mem_get_info",
    "memory_allocated", "memory_cached", "memory_reserved", "reset_max_memory_allocated",
    "reset_peak_memory_stats", "set_device", "stream", "synchronize",
]  # fmt: skip
