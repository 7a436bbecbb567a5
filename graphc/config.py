"""The GRAPHC_* settings: read from the environment, overridable in a `with` block.

| setting | effect |
|---|---|
| `GRAPHC_DEBUG=1..5` | 1 pass table, 2 kernel times, 3 final graph, 4 kernel source, 5 rules |
| `GRAPHC_DUMP=dir` | every pass's graph as text and dot |
| `GRAPHC_CHECK=1,2,finite` | verify after passes, compare by value, name the first nan or inf |
| `GRAPHC_CHECK=poison` | fill memory with nan before calls, look for writes past buffers after |
| `GRAPHC_CHECK=bounds` | test every access of every kernel |
| `GRAPHC_CHECK=launch` | on a GPU, wait for every kernel and name the one that fails |
| `GRAPHC_SKIP=fuse,cse` | leave passes out |
| `GRAPHC_JIT=audit` | compare calls of compiled functions with eager ones from the same state |
| `GRAPHC_DEVICE=reference` | run the interpreter instead of kernels |
| `GRAPHC_THREADS=n` | size of the thread team |
| `GRAPHC_CACHE_DIR=dir` | where compiled kernels are kept |
| `GRAPHC_CACHE_SIZE=bytes` | cap of that folder |
| `GRAPHC_CUDA_DRIVER=path` | the CUDA driver's library, instead of the loader's `libcuda.so.1` |
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ContextDecorator
from dataclasses import dataclass, fields, replace
from typing import Any

from graphc.errors import ConfigError, suggestion


@dataclass(frozen=True, slots=True)
class Config:
    """One set of settings; see the module's table.

    Example:
        >>> import graphc as gc
        >>> gc.config.Config(threads=2).threads
        2
    """

    debug: int = 0
    dump: str = ""
    check: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    device: str = "cpu"
    jit: str = ""
    threads: int = 0
    cache_dir: str = ""
    cache_size: int = 1 << 30
    cuda_driver: str = ""


def _integer(name: str, text: str, least: int = 0) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < least:
        raise ConfigError(f"{name}={text!r} is not a whole number of {least} or more") from None
    return value


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _checks(text: str) -> frozenset[str]:
    words = _words(text) - {"0"}
    if bad := words - {"1", "2", "finite", "poison", "bounds", "launch"}:
        raise ConfigError(
            f"GRAPHC_CHECK={text!r}: {sorted(bad)[0]!r} is not a check",
            hint="use 1 (verify), 2 (compare by value), finite, poison, bounds, launch, or several "
            "with commas",
        )
    return words


def _device(text: str) -> str:
    if text not in ("cpu", "reference"):
        raise ConfigError(f"GRAPHC_DEVICE={text!r} is not a device", hint="use cpu or reference")
    return text


def _jit(text: str) -> str:
    if text != "audit":
        raise ConfigError(f"GRAPHC_JIT={text!r} is not a way to run", hint="use audit")
    return text


_READERS: dict[str, Callable[[str], object]] = {
    "debug": lambda text: _integer("GRAPHC_DEBUG", text),
    "dump": str,
    "check": _checks,
    "skip": _words,
    "device": _device,
    "jit": _jit,
    "threads": lambda text: _integer("GRAPHC_THREADS", text, 1),
    "cache_dir": str,
    "cache_size": lambda text: _integer("GRAPHC_CACHE_SIZE", text),
    "cuda_driver": str,
}


# What the tests read.
_OTHERS = {"GRAPHC_UPDATE_GOLDEN"}


def from_environment() -> Config:
    """Read the settings from the environment.

    Returns:
        The settings; variables that are not set keep their defaults.

    Raises:
        ConfigError: a variable has a value it does not take.

    Example:
        >>> import graphc as gc
        >>> gc.config.from_environment().device
        'cpu'
    """
    found: dict[str, object] = {}
    names = {f"GRAPHC_{name.upper()}" for name in _READERS}
    for name in os.environ:
        if name.startswith("GRAPHC_") and name not in names | _OTHERS:
            raise ConfigError(f"{name} is not a setting", hint=suggestion(name, names))
    for name, read in _READERS.items():
        text = os.environ.get(f"GRAPHC_{name.upper()}", "")
        if text:
            found[name] = read(text)
    return Config(**found)  # type: ignore[arg-type]


_current: list[Config] = []


def current() -> Config:
    """The settings in force: the environment's, or those of the innermost `override`.

    Example:
        >>> import graphc as gc
        >>> with gc.config.override(debug=2):
        ...     gc.config.current().debug
        2
    """
    return _current[-1] if _current else from_environment()


class override(ContextDecorator):
    """Change settings inside a `with` block (for the whole process).

    Args:
        changes: fields of `Config`; `check` and `skip` take words, in a string with commas as in
            the environment or in any iterable.

    Raises:
        ConfigError: there is no such setting, or no such check.

    Example:
        >>> import graphc as gc
        >>> with gc.config.override(check=["1"], debug=0) as settings:
        ...     "1" in settings.check
        True
    """

    # No generator: what was entered stays in force when nobody holds this object.
    def __init__(self, **changes: object) -> None:
        known = {field.name for field in fields(Config)}
        if bad := set(changes) - known:
            raise ConfigError(
                f"{sorted(bad)[0]!r} is not a setting", hint=suggestion(sorted(bad)[0], known)
            )
        for name in changes.keys() & {"check", "skip"}:
            words: Any = changes[name]
            changes[name] = _READERS[name](words if isinstance(words, str) else ",".join(words))
        self._changes = changes
        self._entered: list[Config] = []

    def __enter__(self) -> Config:
        settings = replace(current(), **self._changes)  # type: ignore[arg-type]
        _current.append(settings)
        self._entered.append(settings)
        return settings

    def __exit__(self, *_: object) -> None:
        settings = self._entered.pop()
        last = max(k for k, other in enumerate(_current) if other is settings)
        del _current[last]
