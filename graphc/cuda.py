"""`gc.cuda`: whether tensors can live on a GPU. They cannot yet; asking is always safe."""

from __future__ import annotations


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
