"""L-BFGS: quasi-Newton steps from a short history of gradients. It reads values, so it is eager."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.core.ir import caller
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import enable_grad, no_grad
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import AttributeValueError
from graphc.optim.fresh import beside
from graphc.optim.line_search import Point, Search
from graphc.optim.optimizer import Optimizer, Params
from graphc.optim.settings import Rate, settings

# Below this curvature a pair of step and gradient change is left out of the history.
LEAST_CURVATURE = 1e-10


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal, 1989), with or without a line search. One group of parameters.

    One `step` makes up to `max_iter` iterations and calls the closure several times. Memory: the
    parameters' size times `2 * history_size`.

    Args:
        params: tensors or `(name, tensor)` pairs.
        lr: the step length, or the first that the line search tries.
        max_iter: how many iterations a step makes at most.
        max_eval: how many times a step calls the closure at most; 1.25 times max_iter unless
            given.
        tolerance_grad: stop where no gradient is larger.
        tolerance_change: stop where neither loss nor parameters change by more.
        history_size: how many past steps are kept.
        line_search_fn: "strong_wolfe", or None for steps of length lr.

    Raises:
        AttributeValueError: a setting out of range, or more than one group.

    Example:
        >>> import graphc as gc
        >>> w = gc.tensor([3.0, -2.0], requires_grad=True)
        >>> optimizer = gc.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - gc.tensor([1.0, 2.0])) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> optimizer.step(closure).item()
        20.0
        >>> [round(value, 4) for value in w.tolist()]
        [1.0, 2.0]
    """

    def __init__(
        self, params: Params, lr: Rate = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        if line_search_fn not in (None, "strong_wolfe"):
            raise AttributeValueError(
                f"{type(self).__name__}: line_search_fn is {line_search_fn!r}; it must be "
                "'strong_wolfe' or None",
                where=caller(),
            )
        max_eval = max_iter * 5 // 4 if max_eval is None else max_eval
        super().__init__(params, settings(self, locals()))
        if len(self.param_groups) != 1:
            raise AttributeValueError(
                f"{type(self).__name__}: {len(self.param_groups)} parameter groups; it takes one, "
                "because all parameters share one direction",
                where=caller(),
            )

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make up to `max_iter` iterations.

        Args:
            closure: clears the gradients, computes the loss and its gradients, returns the loss.

        Returns:
            The first loss.

        Raises:
            AttributeValueError: there is no closure.
        """
        if closure is None:
            raise AttributeValueError(
                f"{type(self).__name__}.step needs a closure: it computes the loss several times",
                where=caller(),
                hint="step(closure), where closure clears the gradients, calls backward() and "
                "returns the loss",
            )
        if hot.slow and tracing.trace is not None:
            tracing.trace.end("LBFGS goes by the values of losses and gradients")
        with no_grad():
            return self._minimize(closure)

    def _minimize(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        lr = float(group["lr"])
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = _evaluated(closure)
        state["func_evals"] += 1
        evaluations = 1
        grad = self._flat_grad()
        if _largest(grad) <= group["tolerance_grad"]:
            return first_loss
        loss = float(first_loss)
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            begins = state["n_iter"] == 1
            direction = self._first_direction(grad) if begins else self._direction(grad)
            state["d"], last_loss = direction, loss
            state["prev_flat_grad"], state["prev_loss"] = grad.clone(), loss
            length = min(1.0, 1.0 / float(grad.abs().sum())) * lr if begins else lr
            state["t"] = length
            slope = _dot(grad, direction)
            if slope > -group["tolerance_change"]:
                break
            used = 0
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, grad, slope)
                limit = group["max_eval"] - evaluations
                best, used = self._search(closure, start, direction, length, limit)
                length, loss, grad = best.length, best.loss, best.grad
                state["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                if iteration < group["max_iter"]:
                    loss = float(_evaluated(closure))
                    grad = self._flat_grad()
                    used = 1
            evaluations += used
            state["func_evals"] += used
            if (
                evaluations >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(direction) * abs(length) <= group["tolerance_change"]
                or abs(loss - last_loss) < group["tolerance_change"]
            ):
                break
        return first_loss

    def _first_direction(self, grad: Tensor) -> Tensor:
        """Steepest descent, and an empty history."""
        self.state[self._params[0]].update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
        return grad.neg()

    def _direction(self, grad: Tensor) -> Tensor:
        """The last step entered into the history, and the gradient times the inverse Hessian."""
        state = self.state[self._params[0]]
        changes, moves, ro = state["old_dirs"], state["old_stps"], state["ro"]
        change = grad - state["prev_flat_grad"]
        move = state["d"] * float(state["t"])
        curvature = _dot(change, move)
        if curvature > LEAST_CURVATURE:
            if len(changes) == self.param_groups[0]["history_size"]:
                for history in (changes, moves, ro):
                    history.pop(0)
            changes.append(change)
            moves.append(move)
            ro.append(1.0 / curvature)
            state["H_diag"] = curvature / _dot(change, change)
        direction = grad.neg()
        shares = [0.0] * len(changes)
        for k in reversed(range(len(changes))):
            shares[k] = _dot(moves[k], direction) * float(ro[k])
            direction.add_(changes[k], alpha=-shares[k])
        direction.mul_(float(state["H_diag"]))
        for k in range(len(changes)):
            back = _dot(changes[k], direction) * float(ro[k])
            direction.add_(moves[k], alpha=shares[k] - back)
        return direction

    def _search(
        self, closure: Callable[[], Any], start: Point, direction: Tensor, length: float, limit: int
    ) -> tuple[Point, int]:
        """The line search's point, and how often it called the closure. Nothing has moved."""
        before = [param.clone() for param in self._params]

        def evaluate(length: float) -> tuple[float, Tensor, float]:
            self._move(length, direction)
            loss = float(_evaluated(closure))
            grad = self._flat_grad()
            for param, value in zip(self._params, before):
                param.copy_(value)
            return loss, grad, _dot(grad, direction)

        search = Search(evaluate, start, _largest(direction), limit)
        return search.run(length), search.evaluations

    def _flat_grad(self) -> Tensor:
        """All gradients as one vector, a copy; zeros for parameters without."""
        parts = [beside(param, 0.0) if param.grad is None else param.grad for param in self._params]
        return wrap(np.concatenate([part.detach().numpy().reshape(-1) for part in parts]))

    def _move(self, length: float, direction: Tensor) -> None:
        """Step all parameters along their parts of the direction."""
        offset = 0
        for param in self._params:
            part = direction[offset : offset + param.numel()]
            param.add_(part.reshape(param.shape), alpha=length)
            offset += param.numel()


def _evaluated(closure: Callable[[], Any]) -> Any:
    with enable_grad():
        return closure()


def _dot(a: Tensor, b: Tensor) -> float:
    return float(a.dot(b))


def _largest(vector: Tensor) -> float:
    return float(vector.abs().max())
