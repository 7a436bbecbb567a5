"""`Function`: an operation of the user's own, with a backward step of the user's own."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.drawn import share_mark
from graphc.eager.engine.hot import hot, tracing
from graphc.eager.engine.mode import state
from graphc.eager.engine.tape import GradFn, Saved
from graphc.eager.engine.tensor import Tensor, new, wrap
from graphc.errors import ArgumentError, GradientError


class Context:
    """What `forward` hands to `backward`: saved tensors, and any attributes set on it.

    Attributes:
        needs_input_grad: for each argument of forward, whether it requires a gradient.
    """

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        self._to_save: tuple[Any, ...] = ()
        self._dirty: tuple[Any, ...] = ()
        self._without: set[int] = set()
        self._materialize = True
        self._fn: CustomBackward | None = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for `backward`, as `saved_tensors`."""
        self._to_save = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that results have no gradient."""
        self._without = {id(t) for t in tensors}

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that arguments were changed in place."""
        self._dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` gets zeros (True) or None where a result was not used."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The tensors that `forward` kept, with their history.

        Raises:
            GradientError: a backward pass freed them, or one was changed in place.
        """
        if self._fn is None:
            return self._to_save
        return self._fn.unpacked()


class CustomBackward(GradFn):
    """The backward step of a custom function."""

    def __init__(self, kind: type, context: Context, edges: Sequence[Any]) -> None:
        super().__init__(edges)
        self.kind = kind
        self.name = f"{kind.__name__}Backward"
        self.context = context
        self.saved: tuple[Any, ...] = ()
        self.shapes: tuple[Any, ...] = ()
        self.freed = False

    @property
    def results(self) -> int:
        """How many results the function had."""
        return len(self.shapes)

    def kept_values(self) -> list[Saved]:
        return [s for s in self.saved if isinstance(s, Saved)]

    def release(self) -> None:
        if self.saved:
            self.saved, self.freed = (), True

    def unpacked(self) -> tuple[Any, ...]:
        """The saved tensors, each as it was."""
        if self.freed:
            raise GradientError(
                f"{self.name}: a backward pass has already freed its saved tensors",
                where=caller(),
                hint="call backward(retain_graph=True) the first time",
            )
        found = []
        for saved in self.saved:
            if not isinstance(saved, Saved):
                found.append(saved)
                continue
            saved.check(self.name)
            tensor = new(Tensor)
            if saved.node is not None:
                tensor._node = saved.node
            else:
                tensor._array = saved.array  # type: ignore[assignment]
            edge = saved.edge
            tensor._edge = (self, edge) if isinstance(edge, int) else edge
            tensor._version = saved.version
            found.append(tensor)
        return tuple(found)

    def apply(self, cts: Sequence[Any], create_graph: bool) -> list[Any]:
        """Call the user's `backward`."""
        if self.context._materialize:
            cts = [
                zeros.new_zeros(zeros.shape) if ct is None else ct
                for ct, zeros in zip(cts, self.shapes)
            ]
        was_recording = state.enabled
        try:
            state.enabled = create_graph
            given = self.kind.backward(self.context, *cts)  # type: ignore[attr-defined]
        finally:
            state.enabled = was_recording
        given = given if isinstance(given, tuple | list) else (given,)
        if len(given) < len(self.edges):
            raise GradientError(
                f"{self.name} gave {len(given)} gradients for {len(self.edges)} arguments of "
                "forward",
                where=caller(),
                hint="return one for each argument, None where there is none",
            )
        for position, (edge, ct) in enumerate(zip(self.edges, given)):
            if edge is not None and ct is not None and not isinstance(ct, Tensor):
                raise ArgumentError(
                    f"{self.name}: gradient {position} is a {type(ct).__name__}, not a tensor",
                    where=caller(),
                )
        return list(given[: len(self.edges)])


class Function:
    """Base of operations that bring their own gradient.

    Subclasses define two static methods, `forward(ctx, *args)` and `backward(ctx, *grads)`, and
    are called through `apply`. Inside both, nothing is recorded; `backward` is recorded when a
    second derivative is asked for (`create_graph=True`).

    Example:
        >>> import graphc as gc
        >>> class Double(gc.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x * 2
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         return grad * 2
        >>> x = gc.ones(2, requires_grad=True)
        >>> Double.apply(x)
        tensor([2., 2.], grad_fn=<DoubleBackward>)
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """Compute the results; override it.

        Example:
            >>> import graphc as gc
            >>> class Square(gc.autograd.Function):
            ...     @staticmethod
            ...     def forward(ctx, x):
            ...         ctx.save_for_backward(x)
            ...         return x * x
            >>> Square.apply(gc.tensor([3.0]))
            tensor([9.])
        """
        raise ArgumentError("a custom Function must define forward", where=caller())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """Gradients of the arguments from those of the results; override it.

        Example:
            >>> import graphc as gc
            >>> class Clipped(gc.autograd.Function):
            ...     @staticmethod
            ...     def forward(ctx, x):
            ...         return x.clone()
            ...     @staticmethod
            ...     def backward(ctx, grad):
            ...         return grad.clamp(-1, 1)
            >>> x = gc.tensor([3.0], requires_grad=True)
            >>> (10 * Clipped.apply(x)).backward()
            >>> x.grad
            tensor([1.])
        """
        raise ArgumentError("a custom Function must define backward", where=caller())

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and record `backward` where a gradient may be asked for.

        Example:
            >>> import graphc as gc
            >>> class Double(gc.autograd.Function):
            ...     @staticmethod
            ...     def forward(ctx, x):
            ...         return 2 * x
            >>> Double.apply(gc.tensor([3.0]))
            tensor([6.])
        """
        context = Context()
        needs = tuple(isinstance(a, Tensor) and a._edge is not None for a in args)
        recorded = state.enabled and any(needs)
        context.needs_input_grad = needs
        was_recording = state.enabled
        try:
            state.enabled = False
            if hasattr(cls, "setup_context"):
                results = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, results)
            else:
                results = cls.forward(context, *args, **kwargs)
        finally:
            state.enabled = was_recording
        if not recorded:
            return results
        listed = list(results) if isinstance(results, tuple | list) else [results]
        edges = [a._edge if isinstance(a, Tensor) else None for a in args]
        fn = CustomBackward(cls, context, edges)
        for position, result in enumerate(listed):
            if not isinstance(result, Tensor):
                continue
            if any(result is a for a in args) and not any(result is d for d in context._dirty):
                result = listed[position] = _again(result)
            if result.dtype.is_float and id(result) not in context._without:
                result._edge = (fn, position)
        fn.shapes = tuple(_shape_of(r) for r in listed)
        fn.saved = tuple(_saved(t, listed, fn) for t in context._to_save)
        context._fn = fn
        if hot.slow and tracing.trace is not None:
            tracing.trace.steps_recorded.append((None, weakref.ref(fn)))
        context._to_save = ()
        return tuple(listed) if isinstance(results, tuple | list) else listed[0]


def _again(tensor: Tensor) -> Tensor:
    """Another tensor over the same memory."""
    if tensor._node is not None or (hot.slow and tracing.trace is not None):
        return tracing.trace.detach(tensor)
    result = wrap(tensor._array)
    result._version = tensor.version()
    share_mark(result, tensor)
    return result


def _shape_of(result: Any) -> Any:
    """A result without its values' memory, to make zeros of."""
    return result.detach() if isinstance(result, Tensor) else None


def _saved(value: Any, results: Sequence[Any], fn: CustomBackward) -> Any:
    if not isinstance(value, Tensor):
        return value
    for position, result in enumerate(results):
        if value is result:
            return Saved(value, position, value._node)  # type: ignore[arg-type]
    return Saved(value, value._edge, value._node)


__all__ = ["Function"]
