"""`Optimizer`: parameters in groups, each with its settings; what every optimizer has in common.

A subclass defines `step`. State that changes between steps lives in tensors, changed in place.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from graphc.core.ir import caller
from graphc.eager.engine.bound import share
from graphc.eager.engine.changes import CountedStates, changes
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, AttributeValueError, GraphcWarning
from graphc.ops.source import Parameter
from graphc.optim import saving
from graphc.optim.hooks import (
    Hooked,
    hooked,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from graphc.optim.symbolic import symbolic_updates

# What is optimized: tensors and parameters of graphs, pairs of a name and one of these, or groups
# of either with settings.
Params: TypeAlias = Iterable[
    Tensor | Parameter | tuple[str, Tensor] | tuple[str, Parameter] | dict[str, Any]
]


class _Required:
    """Marks a setting without a default."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer(Hooked):
    """Base of all optimizers.

    Args:
        params: tensors or parameters of graphs, `(name, tensor)` pairs, or dicts of a group's
            `params` and settings.
        defaults: the settings of groups that do not give their own.

    Raises:
        ArgumentError: the parameters are no iterable of tensors, pairs or dicts.
        AttributeValueError: there are none, or one is given twice or is computed by autograd.

    Example:
        >>> import graphc as gc
        >>> class SignDescent(gc.optim.Optimizer):
        ...     def __init__(self, params, lr=0.1):
        ...         super().__init__(params, {"lr": lr})
        ...     @gc.no_grad()
        ...     def step(self, closure=None):
        ...         for group in self.param_groups:
        ...             for p in group["params"]:
        ...                 p.add_(p.grad.sign(), alpha=-group["lr"])
        >>> w = gc.tensor([1.0, -2.0], requires_grad=True)
        >>> optimizer = SignDescent([w], lr=0.5)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> w.tolist()
        [0.5, -1.5]
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        name = type(self).__name__
        if isinstance(params, Tensor | Parameter):
            raise ArgumentError(
                f"{name}: params is one tensor; it must be a list of tensors or of groups",
                where=caller(),
                hint="write [tensor]",
            )
        self.defaults = defaults
        self.state: defaultdict[Any, dict[str, Any]] = CountedStates()
        self.param_groups: list[dict[str, Any]] = []
        self._opt_called = self._stepping = False
        self._set_hooks()
        groups: list[Any] = list(params)
        if not groups:
            raise AttributeValueError(
                f"{name}: params is empty",
                where=caller(),
                hint="a generator such as model.parameters() can be read once only",
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults, "state": self.state, "param_groups": self.param_groups
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        changes.count += 1
        self.__dict__.update(state)
        self.__dict__.setdefault("_opt_called", False)
        self.__dict__.setdefault("_stepping", False)
        self._set_hooks()
        for group in self.param_groups:
            for key, default in self.defaults.items():
                group.setdefault(key, default)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for position, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {position}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients.

        Args:
            closure: computes the loss again, with its gradients, and returns it.

        Returns:
            What the closure returned, or None.

        Example:
            >>> import graphc as gc
            >>> w = gc.tensor([1.0], requires_grad=True)
            >>> optimizer = gc.optim.SGD([w], lr=0.1)
            >>> (w * w).sum().backward()
            >>> optimizer.step()
            >>> w
            tensor([0.8000], requires_grad=True)
        """
        raise NotImplementedError(f"{type(self).__name__} defines no step()")

    def updates(self, loss: Any, grads: Any = None) -> dict[Any, Any]:
        """One step as updates of a program: `gc.compile(inputs, loss, updates=these)`.

        Parameters, moments and counters are the optimizer's own tensors, which eager code and
        other programs see changed after each call; `lr` and the other numbers are read from
        `param_groups` at each call.

        Args:
            loss: a symbolic float scalar; parameters that it does not depend on stay.
            grads: the gradients to use instead of the loss's, by parameter: clipped ones.

        Returns:
            New values by parameter of the graph.

        Raises:
            ArgumentError: its step is Python code of its own, or has hooks, which no program runs.

        Example:
            >>> import numpy as np
            >>> import graphc as gc
            >>> model = gc.nn.Linear(1, 1, bias=False)
            >>> optimizer = gc.optim.SGD(model.parameters(), lr=0.5)
            >>> x = gc.input("x", (gc.dim("n"), 1))
            >>> step = gc.compile([x], None, updates=optimizer.updates(gc.sum(model(x))))
            >>> before = model.weight.item()
            >>> step(np.ones((2, 1), np.float32))
            >>> round(before - model.weight.item(), 5)
            1.0
        """
        return symbolic_updates(self, loss, grads)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters.

        Args:
            set_to_none: set `grad` to None; else fill it with zeros, in place.

        Example:
            >>> import graphc as gc
            >>> w = gc.tensor([1.0], requires_grad=True)
            >>> optimizer = gc.optim.SGD([w], lr=0.1)
            >>> (w * w).sum().backward()
            >>> optimizer.zero_grad()
            >>> print(w.grad)
            None
        """
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    # Not even looked at: a traced step then does not depend on what was there.
                    param.grad = None
                    continue
                grad = param.grad
                if grad is None:
                    continue
                if grad.requires_grad:
                    param.grad = grad = grad.detach()
                grad.zero_()

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Optimize further parameters, with settings of their own.

        Args:
            param_group: `params` (a tensor, tensors, or `(name, tensor)` pairs) and settings;
                the others are the defaults.

        Raises:
            ArgumentError: it is no dict, `params` is a set or holds something else than tensors.
            AttributeValueError: a parameter is in another group already or is computed by
                autograd, only some have names, or a required setting is missing.

        Example:
            >>> import graphc as gc
            >>> w, b = gc.zeros(2, requires_grad=True), gc.zeros(1, requires_grad=True)
            >>> optimizer = gc.optim.SGD([w], lr=0.1)
            >>> optimizer.add_param_group({"params": [b], "lr": 0.01})
            >>> [group["lr"] for group in optimizer.param_groups]
            [0.1, 0.01]
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise ArgumentError(
                f"{name}: a parameter group must be a dict, not {type(param_group).__name__}",
                where=caller(),
            )
        params, names = _listed(name, param_group["params"])
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for position, param in enumerate(params):
            _check_param(name, position, param)
        for key, default in self.defaults.items():
            if default is required and key not in param_group:
                raise AttributeValueError(
                    f"{name}: the parameter group has no {key!r}, which has no default",
                    where=caller(),
                )
            param_group.setdefault(key, default)
        self._check_group(name, param_group)
        changes.count += 1
        self.param_groups.append(param_group)

    def _check_group(self, name: str, group: dict[str, Any]) -> None:
        """Refuse a group that does not go with the others."""
        ids = {id(param) for param in group["params"]}
        if len(ids) < len(group["params"]):
            warnings.warn(
                f"{name}: a parameter group lists a parameter twice; each step changes it twice",
                GraphcWarning,
                stacklevel=3,
            )
        for position, other in enumerate(self.param_groups):
            if ("param_names" in group) != ("param_names" in other):
                with_names, without = ("new", f"{position}")[:: 1 if "param_names" in group else -1]
                raise AttributeValueError(
                    f"{name}: all parameter groups must have names or none: group {with_names} "
                    f"has, group {without} has not",
                    where=caller(),
                )
            for param in other["params"]:
                if id(param) in ids:
                    raise AttributeValueError(
                        f"{name}: a parameter of shape {tuple(param.shape)} is in group "
                        f"{position} already",
                        where=caller(),
                        hint="each parameter belongs to one group",
                    )

    def state_dict(self) -> dict[str, Any]:
        """The state and the groups, with parameters as numbers: `{"state", "param_groups"}`.

        Example:
            >>> import graphc as gc
            >>> w = gc.zeros(2, requires_grad=True)
            >>> optimizer = gc.optim.SGD([w], lr=0.1, momentum=0.9)
            >>> w.grad = gc.ones(2)
            >>> optimizer.step()
            >>> optimizer.state_dict()["state"]
            {0: {'momentum_buffer': tensor([1., 1.])}}
        """
        for hook in self._hooks("state_dict_pre").values():
            hook(self)
        found = saving.state_dict(self.state, self.param_groups)
        for hook in self._hooks("state_dict_post").values():
            changed = hook(self, found)
            found = found if changed is None else changed
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the settings that `state_dict` gave.

        Values are copied; tensors that are there already change in place, so that a compiled
        step sees them. Moments take their parameter's dtype.

        Args:
            state_dict: what `state_dict()` of the same kind of optimizer returned.

        Raises:
            AttributeValueError: its groups do not have this optimizer's numbers of parameters.

        Example:
            >>> import graphc as gc
            >>> w = gc.zeros(2, requires_grad=True)
            >>> optimizer = gc.optim.Adam([w], lr=0.1)
            >>> saved = gc.optim.Adam([w], lr=0.5).state_dict()
            >>> optimizer.load_state_dict(saved)
            >>> optimizer.param_groups[0]["lr"]
            0.5
        """
        for hook in self._hooks("load_state_dict_pre").values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saving.load_state_dict(type(self).__name__, self.state, self.param_groups, state_dict)
        self.__setstate__({})
        for hook in self._hooks("load_state_dict_post").values():
            hook(self)


def _listed(name: str, params: Any) -> tuple[list[Any], list[str]]:
    """A group's parameters, and their names where they have them."""
    if isinstance(params, Tensor | Parameter):
        return [_of_graph(params)], []
    if isinstance(params, set | frozenset):
        raise ArgumentError(
            f"{name}: params is a set, whose order changes between runs",
            where=caller(),
            hint="use a list",
        )
    listed = list(params)
    names = [item[0] for item in listed if isinstance(item, tuple)]
    if names and len(names) < len(listed):
        raise AttributeValueError(
            f"{name}: {len(names)} of {len(listed)} parameters have names; all must or none",
            where=caller(),
        )
    return [_of_graph(item[1] if isinstance(item, tuple) else item) for item in listed], names


def _of_graph(param: Any) -> Any:
    """What is optimized of a parameter of a graph: a tensor over its memory."""
    return wrap(share(param)).requires_grad_() if isinstance(param, Parameter) else param


def _check_param(name: str, position: int, param: Any) -> None:
    """Refuse what cannot be optimized."""
    if not isinstance(param, Tensor):
        raise ArgumentError(
            f"{name}: parameter {position} is a {type(param).__name__}, not a tensor",
            where=caller(),
            hint="give model.parameters(), tensors with requires_grad=True, or gc.parameter(...): "
            "optimizer.updates(loss) trains them in a graph",
        )
    if not param.is_leaf and not getattr(param, "retains_grad", False):
        raise AttributeValueError(
            f"{name}: parameter {position}, of shape {tuple(param.shape)}, is computed from "
            "other tensors, so it has no gradient of its own",
            where=caller(),
            hint="optimize the tensors it is computed from, or x.detach().requires_grad_()",
        )


__all__ = [
    "Optimizer", "register_optimizer_step_post_hook", "register_optimizer_step_pre_hook",
    "required",
]  # fmt: skip
