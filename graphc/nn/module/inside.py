"""What is inside a module: modules, parameters and buffers, one after the other or by path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError
from graphc.nn.module.errors import ModuleAttributeError, ModuleKeyError
from graphc.nn.parameter import Parameter


class Inside:
    """Iteration over what is registered, and access by path."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]

    # --- iteration

    def named_modules(
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Any]]:
        """The module itself and all modules inside it, each with its path.

        Args:
            memo: modules that are left out; those that are yielded are added.
            prefix: the path of this module.
            remove_duplicate: whether a module that is found twice is yielded once.

        Example:
            >>> import graphc as gc
            >>> model = gc.nn.Sequential(gc.nn.ReLU())
            >>> [name for name, _ in model.named_modules()]
            ['', '0']
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Any]:
        """The module itself and all modules inside it; one that is found twice, once.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
            >>> [type(module).__name__ for module in model.modules()]
            ['Sequential', 'Linear', 'ReLU']
        """
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Any]]:
        """The submodules right below, each with its name.

        Example:
            >>> import graphc as gc
            >>> dict(gc.nn.Sequential(gc.nn.ReLU()).named_children())
            {'0': ReLU()}
        """
        memo = set()
        for name, module in self._modules.items():
            if module is not None and module not in memo:
                memo.add(module)
                yield name, module

    def children(self) -> Iterator[Any]:
        """The submodules right below.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> list(nn.Sequential(nn.ReLU(), nn.Tanh()).children())
            [ReLU(), Tanh()]
        """
        for _, module in self.named_children():
            yield module

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters, each with its path.

        Args:
            prefix: written before every path.
            recurse: whether those of submodules are among them.
            remove_duplicate: whether a parameter that is found twice is yielded once.

        Example:
            >>> import graphc as gc
            >>> module = gc.nn.Module()
            >>> module.scale = gc.nn.Parameter(gc.ones(1))
            >>> [name for name, _ in module.named_parameters()]
            ['scale']
        """
        return self._named_members(
            lambda m: m._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, for an optimizer; one that is found twice, once.

        Args:
            recurse: whether those of submodules are among them.

        Example:
            >>> import graphc as gc
            >>> module = gc.nn.Module()
            >>> module.scale = gc.nn.Parameter(gc.ones(1))
            >>> sum(p.numel() for p in module.parameters())
            1
        """
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers, each with its path; arguments as for `named_parameters`.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> [name for name, _ in nn.BatchNorm1d(2).named_buffers()]
            ['running_mean', 'running_var', 'num_batches_tracked']
        """
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers; one that is found twice, once.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> len(list(nn.BatchNorm1d(2).buffers()))
            3
        """
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def _named_members(
        self, get: Callable[[Any], Any], prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        memo: set[int] = set()
        modules: Any = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, member in get(module):
                if member is None or id(member) in memo:
                    continue
                if remove_duplicate:
                    memo.add(id(member))
                yield f"{path}.{name}" if path else name, member

    # --- by path

    def get_submodule(self, target: str) -> Any:
        """The module at a path.

        Args:
            target: names joined by dots; "" is the module itself.

        Raises:
            ModuleAttributeError: there is no module there.

        Example:
            >>> import graphc as gc
            >>> gc.nn.Sequential(gc.nn.ReLU()).get_submodule("0")
            ReLU()
        """
        module: Any = self
        for name in target.split(".") if target else ():
            inner = getattr(module, name, None)
            if not isinstance(inner, Inside):
                found = "no attribute" if inner is None else f"a {type(inner).__name__} as"
                raise ModuleAttributeError(
                    f"there is no module {target!r} in {name_of(self)}: {name_of(module)} has "
                    f"{found} {name!r}",
                    where=caller(),
                )
            module = inner
        return module

    def set_submodule(self, target: str, module: Any) -> None:
        """Put a module at a path, in the place of what is there.

        Args:
            target: names joined by dots.
            module: the module.

        Raises:
            ModuleAttributeError: there is no module on the way.
            ModuleKeyError: target is empty.

        Example:
            >>> import graphc as gc
            >>> model = gc.nn.Sequential(gc.nn.ReLU())
            >>> model.set_submodule("0", gc.nn.Tanh())
            >>> model[0]
            Tanh()
        """
        if not target:
            raise ModuleKeyError("set_submodule: the path is empty", where=caller())
        if not isinstance(module, Inside):
            raise refused(self, module, "submodule", target, "nn.Module")
        path, _, name = target.rpartition(".")
        setattr(self.get_submodule(path), name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path, such as "fc.weight".

        Raises:
            ModuleAttributeError: there is no parameter there.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.Sequential(nn.Linear(3, 1)).get_parameter("0.weight").shape
            graphc.Size([1, 3])
        """
        return self._get_member(target, "_parameters", "parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path, such as "norm.running_mean".

        Raises:
            ModuleAttributeError: there is no buffer there.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> nn.Sequential(nn.BatchNorm1d(2)).get_buffer("0.running_mean")
            tensor([0., 0.])
        """
        return self._get_member(target, "_buffers", "buffer")

    def _get_member(self, target: str, own: str, what: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if getattr(module, own).get(name) is None:
            raise ModuleAttributeError(
                f"there is no {what} {target!r} in {name_of(self)}",
                [f"{name_of(module)} has {', '.join(getattr(module, own)) or 'none'}"],
                where=caller(),
            )
        return getattr(module, own)[name]


def name_of(module: object) -> str:
    """The name of a module's class, for messages."""
    return type(module).__name__


def refused(module: Any, value: Any, what: str, name: str, wanted: str) -> ArgumentError:
    """The error for a value that cannot be registered."""
    hint = ""
    if isinstance(value, Tensor) and what == "parameter":
        hint = f"write nn.Parameter(...) around it, or change it in place: {name}.copy_(...)"
    return ArgumentError(
        f"a {type(value).__name__} cannot be {what} {name!r} of {name_of(module)}: it takes "
        f"{wanted}",
        where=caller(),
        hint=hint,
    )


__all__ = ["Inside", "name_of", "refused"]
