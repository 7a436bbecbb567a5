"""Where tensors live: `gc.device`. Eager tensors live on the CPU."""

from __future__ import annotations

from typing import Any, TypeAlias

from graphc.core.ir import caller
from graphc.errors import ArgumentError, AttributeValueError


class device:
    """A place for tensors: a type, "cpu" or "cuda", and an index or None.

    Args:
        type: "cpu", "cuda", or with an index "cuda:0"; or a device.
        index: the index, where the type has none.

    Example:
        >>> import graphc as gc
        >>> gc.device("cuda:0").index
        0
    """

    __slots__ = ("index", "type")
    type: Any
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        if not isinstance(type, str):
            raise ArgumentError(f"device: {type!r} is not a device's name", where=caller())
        name, _, number = type.partition(":")
        if name not in ("cpu", "cuda") or (number and not number.isdigit()):
            raise AttributeValueError(
                f"device: {type!r} is not a device", where=caller(), hint='such as "cpu", "cuda:0"'
            )
        self.type = name
        self.index = int(number) if number else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> device:
        check_device(self)
        return self

    def __exit__(self, *exception: object) -> None:
        return None


CPU = device("cpu")


# A device, or its name.
DeviceLike: TypeAlias = device | str


def check_device(wanted: object) -> None:
    """Refuse a device that tensors cannot live on here.

    Raises:
        AttributeValueError: it is not the CPU.
    """
    if wanted is None or wanted is CPU:
        return
    if device(wanted).type != "cpu":
        raise AttributeValueError(
            f"device {str(device(wanted))!r} is not usable here: eager tensors live on the CPU",
            where=caller(),
            hint='choose with gc.device("cuda" if gc.cuda.is_available() else "cpu")',
        )
