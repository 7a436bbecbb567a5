"""A module's call when it has hooks: before, around and after `forward`, and in backward.

A full backward hook needs the gradients of the module's inputs and outputs. So its inputs, and
its outputs, pass through `BackwardHookFunction`, which changes nothing: its backward steps see
the gradients on their way, and may put others in their place.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from graphc.autograd.function import Function
from graphc.core.ir import caller
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import GradFn
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, GradientError, GraphcWarning


class Hook(NamedTuple):
    """A forward hook, or pre-hook, as it was registered."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


# Hooks of every module.
EVERY_FORWARD_PRE: dict[int, Hook] = {}
EVERY_FORWARD: dict[int, Hook] = {}
EVERY_BACKWARD_PRE: dict[int, Callable[..., Any]] = {}
EVERY_BACKWARD: dict[int, Callable[..., Any]] = {}


def has_hooks(module: Any) -> bool:
    """Whether any hook concerns a call of the module."""
    return bool(module._forward_pre_hooks or module._forward_hooks) or bool(
        module._backward_pre_hooks or module._backward_hooks or every_module_has_hooks()
    )


def every_module_has_hooks() -> bool:
    """Whether there are hooks of every module."""
    return bool(EVERY_FORWARD_PRE or EVERY_FORWARD or EVERY_BACKWARD_PRE or EVERY_BACKWARD)


class Passage:
    """One call of a module with hooks."""

    def __init__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result: Any = None
        self.called: set[int] = set()

    def run(self) -> Any:
        """Call the hooks and `forward`; an exception first runs the hooks that always run."""
        try:
            return self._run()
        except Exception:
            self._run_always()
            raise

    def _run(self) -> Any:
        module = self.module
        for hook in (*EVERY_FORWARD_PRE.values(), *module._forward_pre_hooks.values()):
            self._before(hook)
        full = [*EVERY_BACKWARD.values(), *module._backward_hooks.values()]
        pre = [*EVERY_BACKWARD_PRE.values(), *module._backward_pre_hooks.values()]
        backward = BackwardHooks(module, full, pre) if full or pre else None
        if backward is not None:
            self.args = backward.watch_inputs(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for key, hook in (*EVERY_FORWARD.items(), *module._forward_hooks.items()):
            self._after(key, hook)
        if backward is not None:
            self.result = backward.watch_outputs(self.result)
        return self.result

    def _before(self, hook: Hook) -> None:
        if not hook.with_kwargs:
            result = hook.function(self.module, self.args)
            if result is not None:
                self.args = result if isinstance(result, tuple) else (result,)
            return
        result = hook.function(self.module, self.args, self.kwargs)
        if result is None:
            return
        if not (isinstance(result, tuple) and len(result) == 2):
            raise ArgumentError(
                f"a forward pre-hook of {type(self.module).__name__} with keywords returned "
                f"{result!r:.60}",
                where=caller(),
                hint="return None, or the tuple (args, kwargs)",
            )
        self.args, self.kwargs = result

    def _after(self, key: int, hook: Hook) -> None:
        self.called.add(key)
        keywords = (self.kwargs,) if hook.with_kwargs else ()
        result = hook.function(self.module, self.args, *keywords, self.result)
        if result is not None:
            self.result = result

    def _run_always(self) -> None:
        for key, hook in (*EVERY_FORWARD.items(), *self.module._forward_hooks.items()):
            if not hook.always_call or key in self.called:
                continue
            try:
                self._after(key, hook)
            except Exception as error:
                warnings.warn(
                    f"a forward hook of {type(self.module).__name__} raised "
                    f"{type(error).__name__} while another error was on its way: {error}",
                    GraphcWarning,
                    stacklevel=4,
                )


class BackwardHookFunction(Function):
    """The identity of some tensors."""

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> Any:
        return tensors

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return grads


class BackwardHooks:
    """The backward hooks of one call of a module.

    Args:
        module: what the hooks are told.
        full: `hook(module, grad_input, grad_output)`; may return another grad_input.
        pre: `hook(module, grad_output)`; may return another grad_output.
    """

    def __init__(
        self,
        module: Any,
        full: Sequence[Callable[..., Any]],
        pre: Sequence[Callable[..., Any]],
    ) -> None:
        self.module = module
        self.full = full
        self.pre = pre
        self.inputs: list[int] | None = None  # which arguments are watched
        self.outputs: list[int] | None = None
        self.input_count = self.output_count = 0
        self.grad_output: Any = None

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, with the hooks on their gradients' way."""
        self.input_count = len(args)
        watched, self.inputs, fn = _watched(args)
        if fn is not None:
            fn.register_hook(self._at_inputs)
        return watched

    def watch_outputs(self, result: Any) -> Any:
        """The result, with the hooks on its gradients' way."""
        if not isinstance(result, Tensor | tuple):
            warnings.warn(
                f"{type(self.module).__name__} returned a {type(result).__name__}, so its "
                "backward hooks are not called: they need a tensor or a tuple of tensors",
                GraphcWarning,
                stacklevel=5,
            )
        results = result if isinstance(result, tuple) else (result,)
        self.output_count = len(results)
        watched, self.outputs, fn = _watched(results)
        if fn is not None:
            fn.register_hook(self._at_outputs)
        return watched if isinstance(result, tuple) else watched[0]

    def _at_outputs(self, grads: tuple[Any, ...], _: tuple[Any, ...]) -> Any:
        """Called when the gradients of the outputs are known."""
        assert self.outputs is not None
        grad_output = _spread(grads, self.outputs, self.output_count)
        for hook in self.pre:
            given = hook(self.module, grad_output)
            if given is not None:
                grad_output = self._checked(given, len(grad_output), "pre-hook", "grad_output")
        if self.inputs is None:
            self._without_inputs(grad_output)
        else:
            self.grad_output = grad_output
        return tuple(grad_output[place] for place in self.outputs)

    def _without_inputs(self, grad_output: tuple[Any, ...]) -> None:
        """No input requires a gradient: the hooks are called now, with None for the inputs."""
        if not self.full:
            return
        none = (None,) * self.input_count
        for hook in self.full:
            given = hook(self.module, none, grad_output)
            if given is not None and any(g is not None for g in given):
                raise GradientError(
                    f"a backward hook of {type(self.module).__name__} returned gradients, but no "
                    "input of the module requires one",
                    where=caller(),
                    hint="return None",
                )

    def _at_inputs(self, grads: tuple[Any, ...], _: tuple[Any, ...]) -> Any:
        """Called when the gradients of the inputs are known."""
        if self.grad_output is None:
            return None  # they did not come through the module's outputs
        assert self.inputs is not None
        grad_input = _spread(grads, self.inputs, self.input_count)
        for hook in self.full:
            given = hook(self.module, grad_input, self.grad_output)
            if given is not None:
                grad_input = self._checked(given, len(grad_input), "hook", "grad_input")
        self.grad_output = None
        return tuple(grad_input[place] for place in self.inputs)

    def _checked(self, given: Any, count: int, what: str, name: str) -> tuple[Any, ...]:
        grads = given if isinstance(given, tuple | list) else (given,)
        if len(grads) != count:
            raise GradientError(
                f"a backward {what} of {type(self.module).__name__} returned {len(grads)} "
                f"gradients as {name}, not {count}",
                where=caller(),
                hint=f"return None, or a tuple as long as {name}",
            )
        return tuple(grads)


def _watched(values: tuple[Any, ...]) -> tuple[Any, list[int] | None, GradFn | None]:
    """Values with their tensors passed through the identity; which those are; its step."""
    places = [k for k, value in enumerate(values) if isinstance(value, Tensor)]
    if not state.enabled or not any(values[k].requires_grad for k in places):
        return values, None, None
    passed = BackwardHookFunction.apply(*(values[k] for k in places))
    fn = next(t.grad_fn for t in passed if t.grad_fn is not None)
    found = list(values)
    for k, tensor in zip(places, passed, strict=True):
        found[k] = tensor
    return (tuple(found) if type(values) is tuple else type(values)(*found)), places, fn


def _spread(grads: Sequence[Any], places: Sequence[int], count: int) -> tuple[Any, ...]:
    """Gradients at their places among `count`, None elsewhere."""
    found: list[Any] = [None] * count
    for place, grad in zip(places, grads):
        found[place] = grad
    return tuple(found)


__all__ = ["EVERY_BACKWARD", "EVERY_BACKWARD_PRE", "EVERY_FORWARD", "EVERY_FORWARD_PRE"]
__all__ += ["Hook", "Passage", "every_module_has_hooks", "has_hooks"]
