"""`Module`: the base of all layers and models.

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(784, 10)

        def forward(self, x):
            return self.fc(x.flatten(1))

What it is made of is in `members`, hooks in `hooks`, saving and loading in `state`, other dtypes
in `conversion`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.changes import CountedDict, changes, counted
from graphc.errors import AttributeValueError
from graphc.nn.module import hooks, state
from graphc.nn.module.conversion import Converted
from graphc.nn.module.errors import ForwardMissingError
from graphc.nn.module.hooks import Hooked
from graphc.nn.module.state import Stateful


class Module(Hooked, Stateful, Converted):
    """The base of all layers and models.

    A subclass calls `super().__init__()`, assigns its parameters and submodules to attributes,
    and defines `forward`. Call the module, not `forward`: the call runs the hooks.

    Attributes:
        training: whether the module is in training mode, which dropout and batch norm look at.

    Raises:
        ForwardMissingError: it is called and has no `forward`.

    Example:
        >>> import graphc as gc
        >>> class Scale(gc.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = gc.nn.Parameter(gc.tensor(2.0))
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(gc.ones(2))
        tensor([2., 2.], grad_fn=<MulBackward0>)
    """

    training: bool

    def __init__(self) -> None:
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"] = CountedDict()
        fields["_buffers"] = CountedDict()
        fields["_non_persistent_buffers_set"] = set()
        for name in hooks.FIELDS:
            fields[name] = CountedDict()
        for name in state.FIELDS:
            fields[name] = {}
        fields["_modules"] = CountedDict()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; every subclass defines it.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> class Double(nn.Module):
            ...     def forward(self, x):
            ...         return 2 * x
            >>> Double()(gc.ones(2))
            tensor([2., 2.])
        """
        raise ForwardMissingError(
            f"{type(self).__name__} has no forward",
            where=caller(),
            hint=f"define `def forward(self, x):` in {type(self).__name__}",
        )

    # --- modes

    def train(self, mode: bool = True) -> Any:
        """Set training mode in the module and all modules inside it.

        Args:
            mode: False sets evaluation mode.

        Returns:
            The module itself.

        Raises:
            AttributeValueError: mode is not a bool.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Sequential(gc.nn.ReLU()).train(False)[0].training
            False
        """
        if not isinstance(mode, bool):
            raise AttributeValueError(
                f"train: mode is a bool, not {type(mode).__name__} {mode!r:.60}", where=caller()
            )
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Any:
        """Set evaluation mode in the module and all modules inside it.

        Returns:
            The module itself.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Dropout(0.5).eval()(gc.ones(2))
            tensor([1., 1.])
        """
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set for all parameters whether they are trained.

        Args:
            requires_grad: False freezes them.

        Returns:
            The module itself.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Linear(1, 1).requires_grad_(False).weight.requires_grad
            False
        """
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters.

        Args:
            set_to_none: False writes zeros into them instead.

        Example:
            >>> import graphc as gc
            >>> layer = gc.nn.Linear(1, 1)
            >>> layer(gc.ones(1)).sum().backward()
            >>> layer.zero_grad()
            >>> layer.weight.grad is None
            True
        """
        for param in self.parameters():
            if set_to_none:
                param.grad = None
            elif param.grad is not None:
                param.grad = param.grad.detach()
                param.grad.zero_()

    def apply(self, fn: Callable[[Any], Any]) -> Any:
        """Call `fn(module)` for all modules inside, and last for this one.

        Args:
            fn: such as a function that sets initial weights.

        Returns:
            The module itself.

        Example:
            >>> import graphc as gc
            >>> model = gc.nn.Sequential(gc.nn.ReLU()).apply(print)
            ReLU()
            Sequential(
              (0): ReLU()
            )
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def share_memory(self) -> Any:
        """Do nothing: what crosses processes is copied.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> layer.share_memory() is layer
            True
        """
        return self

    # --- printing, copies

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What the module's text says between the parentheses, such as its sizes.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> class Scale(nn.Module):
            ...     def __init__(self, factor):
            ...         super().__init__()
            ...         self.factor = factor
            ...     def extra_repr(self):
            ...         return f"factor={self.factor}"
            >>> Scale(2.0)
            Scale(factor=2.0)
        """
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({k}): {indented(repr(m))}" for k, m in self._modules.items()]
        if not lines and not children:
            return f"{self._get_name()}()"
        if len(lines) == 1 and not children:
            return f"{self._get_name()}({lines[0]})"
        return self._get_name() + "(\n  " + "\n  ".join([*lines, *children]) + "\n)"

    def __setstate__(self, fields: dict[str, Any]) -> None:
        changes.count += 1
        self.__dict__.update(fields)
        for name in (*hooks.FIELDS, *state.FIELDS):
            self.__dict__[name] = counted(hooks.renumbered(fields.get(name, {})))
        for name in ("_parameters", "_buffers", "_modules"):
            self.__dict__[name] = counted(self.__dict__.get(name))


def indented(text: str) -> str:
    """Text whose lines after the first stand two columns further to the right."""
    return text.replace("\n", "\n  ")


__all__ = ["Module", "indented"]
