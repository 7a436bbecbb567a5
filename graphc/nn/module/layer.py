"""`layer`: a module made from its settings, which are annotated fields of its class.

    @layer(F.celu)
    class CELU(Module):
        alpha: float = 1.0
        inplace: bool = False

`__init__` stores the settings, `forward` calls the function, and the text shows `alpha=1.0`. Both
are compiled from what one would have written, so that a call costs, and a traced call reads, no
more than one written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast, dataclass_transform, overload

from graphc.core.ir import caller
from graphc.errors import ArgumentError
from graphc.nn.module.module import Module
from graphc.nn.written import written

M = TypeVar("M", bound=Module)
# PyTorch's old arguments of losses, which layers turn into `reduction` when they are made.
_OLD = ("size_average", "reduce")
_NONE = inspect.Parameter.empty


class _Setting(NamedTuple):
    """A field: its name, its annotation, its default, and how `__init__` takes it."""

    name: str
    annotation: Any
    default: Any
    is_kept: bool  # rather than handed to `__post_init__`
    by_keyword: bool


@overload
def layer(of: type[M]) -> type[M]: ...


@overload
def layer(
    of: Callable[..., Any] | None = None, inputs: str = "input", text: str | None = None
) -> Callable[[type[M]], type[M]]: ...


@dataclass_transform(eq_default=False)
def layer(
    of: Callable[..., Any] | type[M] | None = None, inputs: str = "input", text: str | None = None
) -> Callable[[type[M]], type[M]] | type[M]:
    """Make `__init__`, `forward` and the text of a module from its settings: a class decorator.

    Settings are the class's annotated names, after those of bases that were made so, in order;
    those without a default come first, and those after `_: KW_ONLY` are given by name. What is
    annotated as `InitVar[...]` is not stored, but handed to the method `__post_init__`, which
    runs last, and makes parameters and checks settings. What the class defines itself stays.
    A subclass that is not decorated has no more settings: its annotations mean what they always do.

    Args:
        of: the function that `forward` calls, with the inputs, and with the layer's attributes
            for parameters that are settings, that have no default, or are `training`; without,
            the class defines `forward`.
        inputs: names of the function's parameters that are not settings, but given at a call.
        text: what the layer's text says, with attributes in braces (those that are handed on
            as whether the layer has them); unless given, what the base's says, or every setting
            with its value.

    Raises:
        ArgumentError: a setting without a default follows one with, a default is a list, dict or
            set, which all layers would share, or the function has no such input.

    Example:
        >>> import graphc as gc
        >>> @gc.nn.layer
        ... class Scale(gc.nn.Module):
        ...     features: int
        ...     start: float = 1.0
        ...     def __post_init__(self):
        ...         self.factor = gc.nn.Parameter(gc.full((self.features,), self.start))
        ...     def forward(self, input):
        ...         return input * self.factor
        >>> Scale(2, start=3.0)
        Scale(features=2, start=3.0)
        >>> Scale(2, start=3.0)(gc.ones(2)).detach()
        tensor([3., 3.])
        >>> @gc.nn.layer(gc.nn.functional.leaky_relu)
        ... class Leaky(gc.nn.Module):
        ...     negative_slope: float = 0.5
        ...     inplace: bool = False
        >>> Leaky()(gc.tensor([-1.0, 2.0]))
        tensor([-0.5000,  2.0000])
    """
    line = sys._getframe(1).f_lineno
    if isinstance(of, type) and issubclass(of, Module):
        return _made(cast("type[M]", of), None, inputs, text, line)
    return lambda cls: _made(cls, of, inputs, text, line)


def _made(
    cls: type[M], of: Callable[..., Any] | None, inputs: str, text: str | None, line: int
) -> type[M]:
    own = _own_settings(cls)
    found = {s.name: s for base in cls.__mro__[:0:-1] for s in base.__dict__.get("_settings", ())}
    found.update((s.name, s) for s in own)
    given = vars(cls)
    cls._settings = tuple(own)  # type: ignore[attr-defined]
    is_written = cls.__init__ is not Module.__init__ and not _is_made(cls, "__init__")
    if found and "__init__" not in given and (own or not is_written):
        _define(cls, "__init__", *_init_source(cls, list(found.values())), line=line)
    if of is not None and "forward" not in given:
        _define(cls, "forward", *_forward_source(cls, of, inputs.split(), set(found)), line=line)
        cls.forward.__doc__ = f"See `functional.{of.__name__}`."
    text = getattr(cls, "_text", None) if text is None else text
    cls._text = text  # type: ignore[attr-defined]
    is_written = cls.extra_repr is not Module.extra_repr and not _is_made(cls, "extra_repr")
    if found and not is_written:
        setattr(cls, "extra_repr", _text(list(found.values()), text))  # noqa: B010
    return cls


def _is_made(cls: type, name: str) -> bool:
    """Whether a method of a class, perhaps an inherited one, was made here."""
    return getattr(getattr(cls, name), "is_made", False)


def _own_settings(cls: type) -> list[_Setting]:
    """The settings that a class declares; their defaults are taken from the class."""
    found: list[_Setting] = []
    by_keyword = False
    for name, annotation in inspect.get_annotations(cls).items():
        said = annotation if isinstance(annotation, str) else _name(annotation)
        if re.search(r"\bClassVar\b", said):
            continue
        if said.endswith("KW_ONLY"):
            by_keyword = True
            continue
        default = cls.__dict__.get(name, _NONE)
        if isinstance(default, list | dict | set):
            raise ArgumentError(
                f"{cls.__name__}: the default of {name} is a {type(default).__name__}, which all "
                "layers would share",
                where=caller(),
                hint=f"write {name}: ... = None, and make it in __post_init__",
            )
        if default is not _NONE:
            delattr(cls, name)  # it would hide a parameter of its name
        is_kept = re.match(r"(\w+\.)?InitVar\b", said) is None
        found.append(_Setting(name, annotation, default, is_kept, by_keyword))
    return found


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)


def _init_source(cls: type, settings: list[_Setting]) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The source of `__init__`, what it reads, and its annotations."""
    settings = sorted(settings, key=lambda s: s.by_keyword)
    heads = ["self"]
    optional = ""
    for s in settings:
        if s.by_keyword and "*" not in heads:
            heads.append("*")
        if s.default is not _NONE:
            optional = s.name
        elif optional and not s.by_keyword:
            raise ArgumentError(
                f"{cls.__name__}: {s.name} has no default, but {optional} before it has",
                where=caller(),
            )
        heads.append(s.name if s.default is _NONE else f"{s.name}=_defaults['{s.name}']")
    lines = ["_start(self)", *(f"self.{s.name} = {s.name}" for s in settings if s.is_kept)]
    if hasattr(cls, "__post_init__"):
        handed = ", ".join(f"{s.name}={s.name}" for s in settings if not s.is_kept)
        lines.append(f"self.__post_init__({handed})")
    written = (b for b in cls.__mro__[1:] if "__init__" in vars(b) and not _is_made(b, "__init__"))
    start: Any = vars(next(written))["__init__"]
    scope = {"_start": start, "_defaults": {s.name: s.default for s in settings}}
    notes = {s.name: s.annotation for s in settings} | {"return": "None"}
    return f"def __init__({', '.join(heads)}): {'; '.join(lines)}", scope, notes


def _forward_source(
    cls: type, of: Callable[..., Any], inputs: list[str], settings: set[str]
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The source of `forward`, what it reads, and its annotations."""
    parameters = inspect.signature(of).parameters
    if missing := [name for name in inputs if name not in parameters]:
        raise ArgumentError(
            f"{cls.__name__}: {of.__name__} has no parameter {missing[0]!r}",
            where=caller(),
            hint=f"inputs are some of {', '.join(parameters)}",
        )
    heads = [f"{name}={parameters[name].default!r}"
             if parameters[name].default is not _NONE else name for name in inputs]  # fmt: skip
    values: list[str] = []
    named = False
    taken = (settings | {*inputs, "training"}) - {*_OLD}
    for name, parameter in parameters.items():
        if name not in taken and (name in _OLD or parameter.default is not _NONE):
            named = True  # it keeps its default: what follows is given by name
            continue
        named = named or parameter.kind is inspect.Parameter.KEYWORD_ONLY
        value = name if name in inputs else f"self.{name}"
        values.append(f"{name}={value}" if named else value)
    notes = {name: parameters[name].annotation for name in inputs} | {"return": "Any"}
    source = f"def forward(self, {', '.join(heads)}): return _of({', '.join(values)})"
    return source, {"_of": of}, notes


def _define(
    cls: type, name: str, source: str, scope: dict[str, Any], notes: dict[str, Any], *, line: int
) -> None:
    """Give a class a method, compiled as if it stood on the line of the class's decorator."""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None) or f"<layer {cls.__name__}>"
    names = vars(module) if module else {}
    method = written(name, source, scope, names, file, line)
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    method.is_made = True
    method.__annotations__ = {k: v for k, v in notes.items() if v is not _NONE}
    setattr(cls, name, method)


class _Shown:
    """A layer's attributes as its text shows them: of what only makes it, whether it is there."""

    def __init__(self, layer: Module, handed: frozenset[str]) -> None:
        self.layer = layer
        self.handed = handed

    def __getitem__(self, name: str) -> Any:
        value = getattr(self.layer, name)
        return value is not None if name in self.handed else value


def _text(settings: list[_Setting], template: str | None) -> Callable[[Any], str]:
    names = [s.name for s in settings if s.is_kept and s.name != "inplace"]
    handed = frozenset(s.name for s in settings if not s.is_kept)

    def extra_repr(self: Any) -> str:
        """Its settings, for the text of a model."""
        if template is not None:
            return template.format_map(_Shown(self, handed))
        parts = [f"{name}={getattr(self, name)!r}" for name in names]
        return ", ".join(parts + ["inplace=True"] * bool(getattr(self, "inplace", False)))

    extra_repr.is_made = True  # type: ignore[attr-defined]
    return extra_repr


__all__ = ["layer"]
