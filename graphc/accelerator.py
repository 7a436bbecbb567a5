"""PyTorch's `accelerator`: what stands beside the CPU. Nothing does; asking is always safe."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    """Whether tensors can be placed on an accelerator.

    Example:
        >>> import graphc as gc
        >>> gc.accelerator.is_available()
        False
    """
    return False


def device_count() -> int:
    """The number of accelerators.

    Example:
        >>> import graphc as gc
        >>> gc.accelerator.device_count()
        0
    """
    return 0


def current_accelerator(check_available: bool = False) -> Any:
    """The accelerator's device: None.

    Example:
        >>> import graphc as gc
        >>> gc.accelerator.current_accelerator()
    """
    return None


def synchronize(device: Any = None) -> None:
    """Wait for the accelerators, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.accelerator.synchronize()
    """
    return
