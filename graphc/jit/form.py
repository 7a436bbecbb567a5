"""How the arguments of a call are put together: for comparing two calls, and for archives.

    form = Form.of(Arguments((x, 3.0), {}), signature_of(f))
    form.difference(other)              # "argument k is 4.0, not 3.0"

Arguments given by name and by position are the same, and so is a plain default that was left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from graphc.core.trees import Tree, flatten
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.creation import from_numpy
from graphc.jit.trace.readings import SCALARS, fingerprint, shown


class Place(int):
    """Where a tensor stands among the leaves: which of the call's tensors it is."""


@dataclass(frozen=True)
class Form:
    """The form of a call's arguments.

    Attributes:
        tree: of the list of positional arguments and the dict of named ones.
        leaves: a `Place`, counted from 0 in order, for a tensor; else the value.
        names: of the positional arguments, as far as they are known.
        order: for each tensor in the order of places what tells it from the others: its number
            among the call's own.
    """

    tree: Tree
    leaves: tuple[Any, ...]
    names: tuple[str, ...] = ()
    order: tuple[Any, ...] = ()

    @staticmethod
    def of(
        args: Sequence[Any], kwargs: Mapping[str, Any], tensors: Sequence[Any],
        signature: inspect.Signature | None,
    ) -> Form:  # fmt: skip
        """The form of a call.

        Args:
            args, kwargs: as the function is called.
            tensors: what counts as a tensor among them, each once.
            signature: of the function, or None.
        """
        args, kwargs = arranged(signature, args, kwargs)
        found, tree = flatten((list(args), dict(kwargs)))
        numbers = {id(t): k for k, t in enumerate(tensors)}
        return Form.made(tree, found, [numbers.get(id(leaf)) for leaf in found], signature)

    @staticmethod
    def made(
        tree: Tree, leaves: Sequence[Any], keys: Sequence[Any], signature: inspect.Signature | None
    ) -> Form:
        """A form from its parts; `keys` are None for what is no tensor, equal for one tensor."""
        order: dict[Any, Place] = {}
        placed = [
            leaf if key is None else order.setdefault(key, Place(len(order)))
            for leaf, key in zip(leaves, keys)
        ]
        return Form(tree, tuple(placed), positional(signature), tuple(order))

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Which leaves are tensors."""
        return tuple(k for k, leaf in enumerate(self.leaves) if isinstance(leaf, Place))

    def firsts(self) -> list[int]:
        """Of each tensor the first leaf that is it."""
        found: dict[int, int] = {}
        for k in self.places:
            found.setdefault(self.leaves[k], k)
        return list(found.values())

    def difference(self, call: Form) -> str:
        """Which argument of a call is another than here, and how; "" when none is."""
        here, there = dict(self._parts()), dict(call._parts())
        for path, given in there.items():
            if path not in here:
                return f"argument {path} is new: {_shown(given)}"
        for path, was in here.items():
            if path not in there:
                return f"argument {path} is missing"
            given = there[path]
            if was == given:
                continue
            if was[0] == given[0] == "tensor":
                first = next(p for p, what in there.items() if what == given)
                other = next(p for p, what in here.items() if what == was)
                if first != path:
                    return f"argument {path} is the same tensor as {first}"
                return f"argument {path} is another tensor than {other}"
            new, old = _shown(given), _shown(was)
            if new == old:  # objects of one class, numbers of two
                new, old = f"another {old}" if given[1][0] == was[1][0] else given[1][0], was[1][0]
            return f"argument {path} is {new}, not {old}"
        return ""

    def described(self, types: Sequence[Any]) -> str:
        """The arguments with the types of the tensors, for people."""
        parts = []
        for path, what in self._parts():
            if what[0] == "container":
                continue
            is_typed = what[0] == "tensor" and what[1] < len(types)
            parts.append(f"{path}: {types[what[1]] if is_typed else _shown(what)}")
        return ", ".join(parts)

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """Each argument and what is inside it, by its name: a tensor, a value, a container."""
        leaves = iter(self.leaves)
        positional_args, named = self.tree.parts
        for k, part in enumerate(positional_args.parts):
            yield from _walk(part, self.names[k] if k < len(self.names) else str(k), leaves)
        for name, part in zip(named.keys, named.parts):
            yield from _walk(part, str(name), leaves)


def _walk(tree: Tree, path: str, leaves: Iterator[Any]) -> Iterator[tuple[str, Any]]:
    if tree.form is None:
        leaf = next(leaves)
        is_tensor = isinstance(leaf, Place)
        yield path, ("tensor", int(leaf)) if is_tensor else ("value", fingerprint(leaf))
    elif tree.form is type(None):
        yield path, ("value", fingerprint(None))
    else:
        kind = next(k for k in (dict, list, tuple) if issubclass(tree.form, k))
        yield path, ("container", kind)
        for key, part in zip(tree.keys or range(len(tree.parts)), tree.parts):
            yield from _walk(part, f"{path}[{key!r}]", leaves)


def _shown(what: Any) -> str:
    if what[0] == "tensor":
        return "a tensor"
    return f"a {what[1].__name__}" if what[0] == "container" else shown(what[1])[:60]


def signature_of(function: Any) -> inspect.Signature | None:
    """What a function can be called with; of a module, what its `forward` takes."""
    is_module = all(hasattr(function, name) for name in ("named_parameters", "forward"))
    try:
        # Not that of what it wraps, which other code may call with other arguments.
        return inspect.signature(function.forward if is_module else function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None


def positional(signature: inspect.Signature | None) -> tuple[str, ...]:
    """The names of arguments that can be given by position."""
    if signature is None:
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in signature.parameters.values() if p.kind in kinds)


def arranged(
    signature: inspect.Signature | None, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments by position as far as can be, with plain defaults that were left out; as they are
    where the signature does not fit."""
    if signature is None:
        return tuple(args), dict(kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return tuple(args), dict(kwargs)
    filled = {}
    for name, parameter in signature.parameters.items():
        if name in bound.arguments:
            filled[name] = bound.arguments[name]
        elif isinstance(parameter.default, SCALARS):
            filled[name] = parameter.default
    bound.arguments = filled
    return bound.args, bound.kwargs


def tensors_for_arrays(value: Any, made: dict[int, Tensor]) -> Any:
    """Arguments with a tensor over its memory in place of each NumPy array.

    Args:
        value: an argument, or a list, tuple or dict of such.
        made: the tensors so far, by the identities of their arrays.
    """
    kind = value.__class__
    if isinstance(value, np.ndarray):
        return made.setdefault(id(value), from_numpy(value))
    if kind is dict:
        return {k: tensors_for_arrays(v, made) for k, v in value.items()}
    if kind is list or kind is tuple:
        return kind(tensors_for_arrays(v, made) for v in value)
    return value


__all__ = ["Form", "Place", "arranged", "signature_of", "tensors_for_arrays"]
