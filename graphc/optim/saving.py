"""Optimizers' state as a dict and back: PyTorch's layout, parameters as numbers.

{"state": {0: {"step": ..., "exp_avg": ...}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.changes import CountedDict
from graphc.eager.engine.tensor import Tensor
from graphc.errors import AttributeValueError
from graphc.optim.fresh import COUNTERS, scalar

State = dict[Any, dict[str, Any]]
Groups = list[dict[str, Any]]


def state_dict(state: State, groups: Groups) -> dict[str, Any]:
    """The state and the groups with parameters as numbers, in the groups' order."""
    numbers: dict[int, int] = {}
    packed = []
    start = 0
    for group in groups:
        for number, param in enumerate(group["params"], start):
            numbers.setdefault(id(param), number)
        start += len(group["params"])
        settings = {key: value for key, value in group.items() if key != "params"}
        packed.append({**settings, "params": [numbers[id(p)] for p in group["params"]]})
    by_number = {
        numbers[id(key)] if isinstance(key, Tensor) else key: value for key, value in state.items()
    }
    return {"state": by_number, "param_groups": packed}


def load_state_dict(name: str, state: State, groups: Groups, saved: dict[str, Any]) -> None:
    """Bring `state` and `groups` to what was saved, keeping the objects that are there.

    Raises:
        AttributeValueError: the groups differ in number or size.
    """
    saved_groups = saved["param_groups"]
    sizes = [len(group["params"]) for group in groups]
    saved_sizes = [len(group["params"]) for group in saved_groups]
    if sizes != saved_sizes:
        raise AttributeValueError(
            f"{name}.load_state_dict: the parameter groups differ",
            [
                f"this optimizer: {_listed_sizes(sizes)}",
                f"the state dict: {_listed_sizes(saved_sizes)}",
            ],
            where=caller(),
            hint="build the optimizer with the same groups of parameters before loading",
        )
    params = dict(
        zip(
            chain.from_iterable(group["params"] for group in saved_groups),
            chain.from_iterable(group["params"] for group in groups),
        )
    )
    loaded = {}
    for key, entries in saved["state"].items():
        param = params.get(key, key)
        old = state.get(param) or {}
        loaded[param] = CountedDict(
            (entry, _loaded(value, old.get(entry), _dtype(param, entry), entry))
            for entry, value in entries.items()
        )
    state.clear()
    state.update(loaded)
    for group, saved_group in zip(groups, saved_groups):
        _load_group(group, saved_group)


def _listed_sizes(sizes: list[int]) -> str:
    listed = ", ".join(map(str, sizes))
    return f"{len(sizes)} group{'s' * (len(sizes) != 1)} with {listed} parameters"


def _dtype(param: Any, entry: str) -> Any:
    """The dtype that tensors of an entry take; None for their own."""
    if entry in COUNTERS or not isinstance(param, Tensor) or not param.is_floating_point():
        return None
    return param.dtype


def _loaded(value: Any, old: Any, dtype: Any, entry: str) -> Any:
    """A saved value: in the tensor that is there already, where one fits, else a copy."""
    if isinstance(value, Tensor):
        value = value.detach()
        dtype = value.dtype if dtype is None else dtype
        if isinstance(old, Tensor) and old.dtype == dtype and old.shape == value.shape:
            return old.copy_(value)
        return value.to(dtype).clone()
    if entry in COUNTERS:
        return scalar(float(value))
    return _rebuilt(value, lambda item: _loaded(item, None, dtype, ""))


def _rebuilt(value: Any, copied: Callable[[Any], Any]) -> Any:
    """A container with its items copied; other values as they are."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([copied(item) for item in value])
    return value


def _load_group(group: dict[str, Any], saved: dict[str, Any]) -> None:
    """Set a group's settings to those saved; its parameters and names stay."""
    kept: dict[str, Any] = {k: group[k] for k in ("params", "param_names") if k in group}
    settings = {
        key: _loaded(value, group.get(key), None, "")
        for key, value in saved.items()
        if key != "params"
    }
    group.clear()
    group.update({**kept, **settings, "params": kept["params"]})
