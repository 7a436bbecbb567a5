"""Hooks: functions called around a module's `forward` and its backward pass.

    handle = model.fc.register_forward_hook(lambda module, args, output: print(output.shape))
    model(x)
    handle.remove()

A module without hooks pays one look at a flag for all of them; `calling` has the long way.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from graphc.core.origin import scoped
from graphc.eager.engine.building import build
from graphc.eager.engine.changes import changes
from graphc.eager.engine.dispatch import NODES, SIMPLE, kinds_of
from graphc.eager.engine.tape import Handle
from graphc.eager.engine.tensor import Tensor
from graphc.nn.module import calling
from graphc.nn.module.calling import Hook, Passage
from graphc.nn.module.members import Members

FIELDS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class Hooked(Members):
    """Registration of hooks, and the call of a module that may have some."""

    _forward_pre_hooks: dict[int, Hook]
    _forward_hooks: dict[int, Hook]
    _backward_pre_hooks: dict[int, Callable[..., Any]]
    _backward_hooks: dict[int, Callable[..., Any]]
    forward: Callable[..., Any]

    # Whether a call has to look for hooks: set on a module that got one, and on this class when
    # a hook of every module was registered. A call that finds none takes it back.
    _hooked = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()) if kwargs else args:
            kind = value.__class__
            if kind is not Tensor and kind not in SIMPLE and kinds_of((value,)) & NODES:
                # PyTorch-shaped code: it gets tensors, which have the nodes.
                return build(type(self).__name__, self, args, kwargs, self._graph_state())
        if self._hooked:
            return self._call_hooked(args, kwargs)
        return self.forward(*args, **kwargs)

    def _graph_state(self) -> list[tuple[str, Tensor]]:
        named = [*self.named_parameters(), *self.named_buffers()]
        return [(f"{type(self).__name__}_{name}", tensor) for name, tensor in named]

    def _call_hooked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if calling.has_hooks(self):
            return Passage(self, args, kwargs).run()
        self.__dict__.pop("_hooked", None)
        if not calling.every_module_has_hooks():
            Hooked._hooked = False
        return self.forward(*args, **kwargs)

    def _add_hook(self, hooks: dict[int, Any], hook: Any, prepend: bool) -> Handle:
        self.__dict__["_hooked"] = True
        return _added(hooks, hook, prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """Call `hook(module, args)` before forward; it may return other arguments.

        Args:
            hook: returns None, one argument, or the tuple of arguments that forward gets.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is called as `hook(module, args, kwargs)`, and returns None or
                the tuple (args, kwargs).

        Returns:
            A handle, whose `remove()` takes the hook away.

        Example:
            >>> import graphc as gc
            >>> act = gc.nn.ReLU()
            >>> handle = act.register_forward_pre_hook(lambda module, args: -args[0])
            >>> act(gc.tensor([-1.0, 1.0]))
            tensor([1., 0.])
        """
        return self._add_hook(self._forward_pre_hooks, Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> Handle:
        """Call `hook(module, args, output)` after forward; it may return another output.

        Args:
            hook: returns None or what the call is to return.
            prepend: whether it is called before the hooks that are there.
            with_kwargs: whether it is called as `hook(module, args, kwargs, output)`.
            always_call: whether it is called also when forward raised an error (with None for
                the output).

        Returns:
            A handle, whose `remove()` takes the hook away.

        Example:
            >>> import graphc as gc
            >>> act = gc.nn.ReLU()
            >>> handle = act.register_forward_hook(lambda module, args, output: output + 1)
            >>> act(gc.tensor([-1.0, 1.0]))
            tensor([1., 2.])
        """
        hooks = self._forward_hooks
        return self._add_hook(hooks, Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> Handle:
        """Call `hook(module, grad_output)` when the gradients of the outputs are known.

        Args:
            hook: gets a tuple; returns None, or the gradients to go on with.
            prepend: whether it is called before the hooks that are there.

        Returns:
            A handle, whose `remove()` takes the hook away.

        Example:
            >>> import graphc as gc
            >>> act = gc.nn.ReLU()
            >>> handle = act.register_full_backward_pre_hook(lambda module, grads: (grads[0] * 2,))
            >>> x = gc.ones(2, requires_grad=True)
            >>> act(x).sum().backward()
            >>> x.grad
            tensor([2., 2.])
        """
        return self._add_hook(self._backward_pre_hooks, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> Handle:
        """Call `hook(module, grad_input, grad_output)` when the inputs' gradients are known.

        Where no input requires a gradient it is called as soon as those of the outputs are known,
        with None for the inputs.

        Args:
            hook: gets two tuples; returns None, or the gradients of the inputs to go on with.
            prepend: whether it is called before the hooks that are there.

        Returns:
            A handle, whose `remove()` takes the hook away.

        Example:
            >>> import graphc as gc
            >>> act = gc.nn.ReLU()
            >>> handle = act.register_full_backward_hook(lambda m, inputs, outputs: print(inputs))
            >>> act(gc.ones(2, requires_grad=True)).sum().backward()
            (tensor([1., 1.]),)
        """
        return self._add_hook(self._backward_hooks, hook, prepend)


def renumbered(hooks: dict[int, Any]) -> dict[int, Any]:
    """Hooks of a copy, under numbers that no handle of this process will have."""
    fresh: dict[int, Any] = {}
    for hook in hooks.values():
        Handle(fresh, hook)
    return fresh


def _added(hooks: dict[int, Any], hook: Any, prepend: bool) -> Handle:
    """Add a hook behind the others, or before them."""
    others = dict(hooks) if prepend else {}
    if prepend:
        hooks.clear()
    handle = Handle(hooks, hook)
    hooks.update(others)
    return handle


def _every(hooks: dict[int, Any], hook: Any) -> Handle:
    changes.count += 1
    Hooked._hooked = True
    return _added(hooks, hook, False)


def _module_called(frame: FrameType) -> tuple[str, Any, str]:
    module = frame.f_locals["self"]
    return type(module).__name__, module, ""


scoped(Hooked.__call__.__code__, _module_called)


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call `hook(module, args)` before the forward of every module.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.module.hooks import register_module_forward_pre_hook
        >>> with register_module_forward_pre_hook(lambda module, args: print(module)):
        ...     y = gc.nn.ReLU()(gc.ones(1))
        ReLU()
    """
    return _every(calling.EVERY_FORWARD_PRE, Hook(hook))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> Handle:
    """Call `hook(module, args, output)` after the forward of every module.

    Example:
        >>> import graphc as gc
        >>> from graphc.nn.module.hooks import register_module_forward_hook
        >>> with register_module_forward_hook(lambda module, args, output: print(output.shape)):
        ...     y = gc.nn.ReLU()(gc.ones(3))
        graphc.Size([3])
    """
    return _every(calling.EVERY_FORWARD, Hook(hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> Handle:
    """Call `hook(module, grad_output)` in the backward pass of every module."""
    return _every(calling.EVERY_BACKWARD_PRE, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> Handle:
    """Call `hook(module, grad_input, grad_output)` in the backward pass of every module."""
    return _every(calling.EVERY_BACKWARD, hook)


__all__ = [
    "Hooked", "register_module_forward_hook", "register_module_forward_pre_hook",
    "register_module_full_backward_hook", "register_module_full_backward_pre_hook", "renumbered",
]  # fmt: skip
