"""Modules that hold parameters: `ParameterList` and `ParameterDict`."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, IndexRangeError
from graphc.nn.module.containers import missing_key, pairs_of
from graphc.nn.module.errors import ForwardMissingError
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


def _as_item(value: Any) -> Any:
    """Tensors become parameters; other values stay as they are."""
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        return Parameter(value)
    return value


def _line(key: object, value: object, dtype: str) -> str:
    if not isinstance(value, Tensor):
        return f"  ({key}): Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"  ({key}): {kind} containing: [{dtype} of size {'x'.join(map(str, value.shape))}]"


class _Uncallable(Module):
    """A container: it has no forward."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ForwardMissingError(
            f"a {self._get_name()} holds parameters and cannot be called", where=caller()
        )


class ParameterList(_Uncallable):
    """A list of parameters that are registered, unlike those in a Python list.

    Args:
        values: tensors, which become parameters, or any values.

    Example:
        >>> import graphc as gc
        >>> gc.nn.ParameterList([gc.zeros(2, 2), gc.zeros(3)])
        ParameterList(
            (0): Parameter containing: [torch.float32 of size 2x2]
            (1): Parameter containing: [torch.float32 of size 3]
        )
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key(self, index: Any) -> str:
        place = operator.index(index)
        if not -len(self) <= place < len(self):
            raise IndexRangeError(
                f"{self._get_name()}: there is no item {place} among {len(self)}", where=caller()
            )
        return str(place % len(self))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)([self[k] for k in range(len(self))[index]])
        return getattr(self, self._key(index))

    def __setitem__(self, index: int, value: Any) -> None:
        setattr(self, self._key(index), _as_item(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[k] for k in range(len(self)))

    def __iadd__(self, values: Iterable[Any]) -> Any:
        return self.extend(values)

    def append(self, value: Any) -> Any:
        """Add a value at the end; returns the list.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> len(nn.ParameterList([gc.zeros(2)]).append(gc.zeros(3)))
            2
        """
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> Any:
        """Add values at the end; returns the list.

        Raises:
            ArgumentError: values is one tensor, or not iterable.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> len(nn.ParameterList().extend([gc.zeros(2), gc.zeros(3)]))
            2
        """
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise ArgumentError(
                f"{self._get_name()}: {type(values).__name__} is not a list of parameters",
                where=caller(),
                hint="use append for one",
            )
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join(
            _line(k, v, f"torch.{v.dtype.name}" if isinstance(v, Tensor) else "")
            for k, v in enumerate(self)
        )


class ParameterDict(_Uncallable):
    """A dict of parameters that are registered, unlike those in a Python dict.

    Args:
        parameters: a mapping or pairs; tensors become parameters. The keys of a plain dict are
            sorted, as in PyTorch.

    Example:
        >>> import graphc as gc
        >>> weights = gc.nn.ParameterDict({"left": gc.zeros(2), "right": gc.zeros(3)})
        >>> [name for name, _ in weights.named_parameters()]
        ['left', 'right']
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise missing_key(self, key, self._keys)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise ArgumentError(
                f"{self._get_name()}: a key must be a str, not {type(key).__name__} {key!r:.60}",
                where=caller(),
            )
        setattr(self, key, _as_item(value))
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        if key not in self._keys:
            raise missing_key(self, key, self._keys)
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def copy(self) -> ParameterDict:
        """Another dict of the same parameters.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict({"w": gc.zeros(2)})
            >>> weights.copy()["w"] is weights["w"]
            True
        """
        return ParameterDict(OrderedDict(self.items()))

    def setdefault(self, key: str, default: Any = None) -> Any:
        """The value of a key, which becomes `default` if it is not there.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict()
            >>> weights.setdefault("w", gc.zeros(2))
            Parameter containing:
            tensor([0., 0.], requires_grad=True)
        """
        if key not in self:
            self[key] = default
        return self[key]

    def clear(self) -> None:
        """Take out all items.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict({"w": gc.zeros(2)})
            >>> weights.clear()
            >>> len(weights)
            0
        """
        for key in list(self._keys):
            del self[key]

    def pop(self, key: str) -> Any:
        """Take out an item and return its value.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict({"w": gc.zeros(2)})
            >>> weights.pop("w").shape, len(weights)
            (graphc.Size([2]), 0)
        """
        found = self[key]
        del self[key]
        return found

    def popitem(self) -> tuple[str, Any]:
        """Take out the last item and return its key and value.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.ParameterDict({"a": gc.zeros(2), "b": gc.zeros(3)}).popitem()[0]
            'b'
        """
        if not self._keys:
            raise missing_key(self, "last item", self._keys)
        key = list(self._keys)[-1]
        return key, self.pop(key)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default`.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.ParameterDict().get("w", "none")
            'none'
        """
        return self[key] if key in self._keys else default

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Another dict with these keys, all with one value.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict().fromkeys(["a", "b"], gc.zeros(2))
            >>> list(weights)
            ['a', 'b']
        """
        return ParameterDict([(key, default) for key in keys])

    def keys(self) -> KeysView[str]:
        """The keys.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> list(nn.ParameterDict({"w": gc.zeros(2)}).keys())
            ['w']
        """
        return self._keys.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Pairs of key and value.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> [(name, tuple(w.shape)) for name, w in nn.ParameterDict({"w": gc.zeros(2)}).items()]
            [('w', (2,))]
        """
        return [(key, self[key]) for key in self._keys]

    def values(self) -> Iterable[Any]:
        """The values.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> [tuple(w.shape) for w in nn.ParameterDict({"w": gc.zeros(2)}).values()]
            [(2,)]
        """
        return [self[key] for key in self._keys]

    def update(self, parameters: Any) -> None:
        """Add items; those of keys that are there take their place.

        Args:
            parameters: a mapping or pairs. The keys of a plain dict are sorted.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> weights = nn.ParameterDict({"w": gc.zeros(2)})
            >>> weights.update({"b": gc.zeros(1)})
            >>> list(weights)
            ['w', 'b']
        """
        pairs = pairs_of(self, parameters)
        if isinstance(parameters, dict) and not isinstance(parameters, OrderedDict):
            pairs.sort(key=lambda pair: pair[0])
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(
            _line(k, v, f"torch.{v.dtype.title}Tensor" if isinstance(v, Tensor) else "")
            for k, v in self.items()
        )

    def __or__(self, other: Any) -> ParameterDict:
        result = self.copy()
        result.update(other)
        return result

    def __ror__(self, other: Any) -> ParameterDict:
        result = other.copy()
        result.update(self)
        return result

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self


__all__ = ["ParameterDict", "ParameterList"]
