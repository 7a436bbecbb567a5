"""Errors of modules, each also the built-in error that PyTorch raises in its place."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.errors import GraphcError


class ModuleAttributeError(GraphcError, AttributeError):
    """An attribute that a module does not have, or cannot have yet."""


class ModuleKeyError(GraphcError, KeyError):
    """A name that a module cannot register, or a container does not hold."""

    def __str__(self) -> str:
        return self.message()  # KeyError's own would put the text in quotes


class ForwardMissingError(GraphcError, NotImplementedError):
    """A module without `forward` was called."""


class StateDictError(GraphcError, RuntimeError):
    """A state dict that does not fit a module.

    Attributes:
        missing_keys: all names that the module has and the dict lacks.
        unexpected_keys: all names that the dict has and the module lacks.
        errors: all other lines, such as sizes that differ.
    """

    def __init__(
        self,
        what: str,
        details: Sequence[str] = (),
        *,
        where: object = "",
        hint: str = "",
        missing_keys: Sequence[str] = (),
        unexpected_keys: Sequence[str] = (),
        errors: Sequence[str] = (),
    ) -> None:
        super().__init__(what, details, where=where, hint=hint)
        self.missing_keys = list(missing_keys)
        self.unexpected_keys = list(unexpected_keys)
        self.errors = list(errors)


__all__ = ["ForwardMissingError", "ModuleAttributeError", "ModuleKeyError", "StateDictError"]
