"""PyTorch's `distributed`: there is one process; asking is always safe.

if gc.distributed.is_available() and gc.distributed.is_initialized(): ...
"""

from __future__ import annotations

from graphc.errors import ArgumentError


def is_available() -> bool:
    """Whether several processes can train one model: no.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.is_available()
        False
    """
    return False


def is_initialized() -> bool:
    """Whether processes found each other: no.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.is_initialized()
        False
    """
    return False


def get_rank(group: object = None) -> int:
    """The number of this process: 0, of one.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.get_rank(), gc.distributed.get_world_size()
        (0, 1)
    """
    return 0


def get_world_size(group: object = None) -> int:
    """How many processes there are: 1.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.get_world_size()
        1
    """
    return 1


def barrier(group: object = None, async_op: bool = False, device_ids: object = None) -> None:
    """Wait for the other processes, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.barrier()
    """


def init_process_group(backend: object = None, *args: object, **kwargs: object) -> None:
    """Bring several processes together.

    Raises:
        ArgumentError: graphc trains with one.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.distributed.init_process_group("gloo")
        ... except gc.errors.ArgumentError as error:
        ...     print(error.what)
        init_process_group: graphc trains in one process
    """
    raise ArgumentError(
        "init_process_group: graphc trains in one process",
        hint="ask gc.distributed.is_available() first; one process uses all cores",
    )


def destroy_process_group(group: object = None) -> None:
    """Part from the other processes, of which there are none.

    Example:
        >>> import graphc as gc
        >>> gc.distributed.destroy_process_group()
    """
