"""`RuleOptimizer`: optimizers whose step is one composite for each parameter.

The composite's signature says what there is: after `param` and `grad` come the state entries, from
`lr` on the numbers, and by keyword what it is specialised on; each is a setting of its name unless
said here. All parameters of a group are then updated by one call.

    class SGD(RuleOptimizer):
        _composite = staticmethod(sgd_update)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

from graphc.core.ir import Node, caller
from graphc.eager.engine.bound import known_parameter
from graphc.eager.engine.hot import tracing
from graphc.eager.engine.live import live_scalar
from graphc.eager.engine.mode import enable_grad
from graphc.eager.engine.mode import state as mode
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError
from graphc.optim.fresh import entry
from graphc.optim.optimizer import Optimizer
from graphc.optim.together import Item, update_in_place


class Rule(NamedTuple):
    """How a group's parameters are updated.

    Attributes:
        update: the composite: `update(param, grad, *state, *numbers, **static)`.
        state: names of the state entries, in the composite's order; None for one not in use.
        numbers: the hyperparameters, in the composite's order.
        static: what the composite is specialised on.
    """

    update: Callable[..., Any]
    state: tuple[str | None, ...]
    numbers: tuple[Any, ...]
    static: dict[str, Any]


class RuleOptimizer(Optimizer):
    """An optimizer that has a `_composite`; see `Optimizer` for the rest."""

    _composite: ClassVar[Callable[..., Any]]
    _state: ClassVar[tuple[str, ...]]
    _numbers: ClassVar[tuple[tuple[str, int | None], ...]]
    _static: ClassVar[dict[str, Callable[[dict[str, Any]], Any]]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "_composite" not in cls.__dict__:
            return
        given = list(inspect.signature(cls._composite).parameters.values())[2:]
        names = [p.name for p in given if p.kind is not p.KEYWORD_ONLY]
        static = [p.name for p in given if p.kind is p.KEYWORD_ONLY]
        cls._static = {name: _FACTS.get(name, itemgetter(name)) for name in static}
        first = names.index("lr")
        cls._state = tuple(names[:first])
        cls._numbers = tuple(_PLACES.get(name, (name, None)) for name in names[first:])

    def rule(self, group: dict[str, Any]) -> Rule:
        """How this group's parameters are updated now.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1, momentum=0.9)
            >>> optimizer.rule(optimizer.param_groups[0]).state
            ('momentum_buffer',)
        """
        return Rule(
            self._composite,
            tuple([name if self.is_used(name, group) else None for name in self._state]),
            tuple([number(group, key, position) for key, position in self._numbers]),
            {name: find(group) for name, find in self._static.items()},
        )

    def is_used(self, name: str, group: dict[str, Any]) -> bool:
        """Whether a group's parameters have a state entry of this name.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.SGD([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> optimizer.is_used("momentum_buffer", optimizer.param_groups[0])
            False
        """
        return True

    def initial(self, name: str, group: dict[str, Any]) -> float:
        """What a state entry is filled with when it is made.

        Example:
            >>> import graphc as gc
            >>> optimizer = gc.optim.Adam([gc.zeros(1, requires_grad=True)], lr=0.1)
            >>> optimizer.initial("exp_avg", optimizer.param_groups[0])
            0.0
        """
        return 0.0

    def fill_state(
        self, names: tuple[str | None, ...], param: Tensor, group: dict[str, Any]
    ) -> dict[str, Any]:
        """The parameter's state, with the entries that it lacks made.

        Example:
            >>> import graphc as gc
            >>> w = gc.zeros(2, requires_grad=True)
            >>> optimizer = gc.optim.Adam([w], lr=0.1)
            >>> optimizer.fill_state(("exp_avg",), w, optimizer.param_groups[0])
            {'exp_avg': tensor([0., 0.])}
        """
        state = self.state[param]
        for name in names:
            if name is not None and name not in state:
                state[name] = entry(name, param, self.initial(name, group))
        return state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients; those without one stay.

        Args:
            closure: computes the loss again, with its gradients, and returns it.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
            if isinstance(loss, Node):
                raise ArgumentError(
                    f"{type(self).__name__}.step: the closure returned {loss!r:.60}, a tensor of a "
                    "graph, which has no value",
                    where=caller(),
                    hint="gc.compile(inputs, loss, updates=optimizer.updates(loss)) makes a step",
                )
        was_recording = mode.enabled
        try:
            mode.enabled = False
            found = [self._update(group) for group in self.param_groups]
        finally:
            mode.enabled = was_recording
        if not any(found) and tracing.trace is None:
            self._refuse_graphs()
        return loss

    def _refuse_graphs(self) -> None:
        """An error where nothing was done and parameters are in a graph: a loss there has none
        of the gradients that this looks for."""
        every = [param for group in self.param_groups for param in group["params"]]
        nodes = [node for p in every if (node := known_parameter(p._array)) is not None]
        if nodes:
            raise ArgumentError(
                f"{type(self).__name__}.step: no parameter has a gradient, and they are in a graph",
                [nodes[0].describe()],
                where=caller(),
                hint="gc.compile(inputs, loss, updates=optimizer.updates(loss)) makes a step of a "
                "symbolic loss; an eager one has loss.backward()",
            )

    def _update(self, group: dict[str, Any]) -> bool:
        """Whether any parameter has a gradient."""
        update, names, numbers, static = self.rule(group)
        used = tuple(name for name in names if name is not None)
        items: list[Item] = []
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            held: list[Any] = list(names)  # all None where there is no state
            if used:
                state = self.state.get(param)
                if not state or any(name not in state for name in used):
                    state = self.fill_state(names, param, group)
                held = [None if name is None else state[name] for name in names]
            items.append((param, grad, held))
        update_in_place(update, names, items, numbers, static)
        return bool(items)


def number(group: dict[str, Any], key: str, position: int | None = None) -> Any:
    """A setting as it is at each step, in a compiled step too."""
    value = live_scalar(group, key, position)
    return value.reshape(()) if value.ndim else value


def decays(group: dict[str, Any]) -> bool:
    """Whether a group has weight decay."""
    decay = group["weight_decay"]
    return isinstance(decay, Tensor) or decay != 0


# Numbers that are in a setting of another name, and what updates are specialised on.
_PLACES = {"beta1": ("betas", 0), "beta2": ("betas", 1)}
_FACTS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "decays": decays,
    "decoupled": lambda group: group["decoupled_weight_decay"],
    "dampened": lambda group: group["dampening"] != 0,
}
