"""`gc.cuda`: whether tensors can live on a GPU. They cannot yet; asking is always safe."""

from __future__ import annotations

from graphc.errors import AttributeValueError
from graphc.runtime.cuda.target import Target as Target


def is_available() -> bool:
    """Whether eager tensors can be placed on a CUDA device.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_available()
        False
    """
    return False


def device_count() -> int:
    """The number of CUDA devices that tensors can be placed on.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.device_count()
        0
    """
    return 0


def manual_seed_all(seed: int) -> None:
    """Seed the generators of all CUDA devices, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.manual_seed_all(0)
    """


manual_seed = manual_seed_all


def synchronize() -> None:
    """Wait for the CUDA devices, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.synchronize()
    """


def empty_cache() -> None:
    """Give back unused memory of the CUDA devices, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.empty_cache()
    """


def is_bf16_supported() -> bool:
    """Whether a CUDA device computes in bfloat16: there is none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_bf16_supported()
        False
    """
    return False


def is_initialized() -> bool:
    """Whether CUDA is in use: never.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.is_initialized()
        False
    """
    return False


def memory_allocated(device: object = None) -> int:
    """The bytes of tensors on CUDA devices: 0.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.memory_allocated(), gc.cuda.max_memory_reserved()
        (0, 0)
    """
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated
max_memory_cached = memory_cached = memory_allocated


def reset_peak_memory_stats(device: object = None) -> None:
    """Forget the most bytes so far, of which there were none.

    Example:
        >>> import graphc as gc
        >>> gc.cuda.reset_peak_memory_stats()
    """


reset_max_memory_allocated = reset_peak_memory_stats


def current_device() -> int:
    """The index of the CUDA device in use.

    Raises:
        AttributeValueError: there is none.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.cuda.current_device()
        ... except gc.errors.AttributeValueError as error:
        ...     print(error.what)
        cuda: there is no CUDA device
    """
    raise AttributeValueError(
        "cuda: there is no CUDA device", hint="ask gc.cuda.is_available() first"
    )


def set_device(device: object) -> None:
    """Choose a CUDA device. See `graphc.cuda.current_device`: there is none.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.cuda.set_device(0)
        ... except gc.errors.AttributeValueError as error:
        ...     print(error.what)
        cuda: there is no CUDA device
    """
    current_device()


def get_device_name(device: object = None) -> str:
    """The name of a CUDA device, of which there is none.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.cuda.get_device_name()
        ... except gc.errors.AttributeValueError as error:
        ...     print(error.what)
        cuda: there is no CUDA device
    """
    return str(current_device())
