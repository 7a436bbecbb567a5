"""What a module is made of: parameters, buffers and submodules, found by attribute and by path.

Assigning registers: a `Parameter` becomes a parameter, a module a submodule, a `Buffer` a buffer.
They are kept in three dicts and not beside the other attributes, so that they are found again by
name, in the order in which they came.

    self.fc = nn.Linear(2, 3)        # self._modules["fc"]
    model.get_parameter("fc.weight")
"""

from __future__ import annotations

from typing import Any

from graphc.core.ir import caller
from graphc.eager.engine.changes import changes
from graphc.eager.engine.tensor import Tensor
from graphc.errors import ArgumentError, GradientError
from graphc.nn.module.errors import ModuleAttributeError, ModuleKeyError
from graphc.nn.module.inside import Inside, name_of, refused
from graphc.nn.parameter import Buffer, Parameter


class Members(Inside):
    """Registration of parameters, buffers and submodules."""

    _non_persistent_buffers_set: set[str]

    # --- registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name, as `self.name = param` does.

        Args:
            name: an attribute's name.
            param: the parameter; None holds the name for one.

        Raises:
            ModuleAttributeError: `super().__init__()` has not run.
            ModuleKeyError: the name is empty, has a dot, or is another attribute's.
            ArgumentError: param is neither a Parameter nor None.

        Example:
            >>> import graphc as gc
            >>> module = gc.nn.Module()
            >>> module.register_parameter("scale", gc.nn.Parameter(gc.ones(1)))
            >>> module.scale
            Parameter containing:
            tensor([1.], requires_grad=True)
        """
        self._check_name("parameter", name, self.__dict__.get("_parameters"))
        if param is not None and not isinstance(param, Parameter):
            raise refused(self, param, "parameter", name, "nn.Parameter or None")
        if param is not None and not param.is_leaf:
            raise GradientError(
                f"parameter {name!r} of {name_of(self)} was computed from others, so it cannot be "
                "trained",
                where=caller(),
                hint="compute it in forward, from the parameters that it depends on",
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that belongs to the module's state and is not trained.

        Args:
            name: an attribute's name.
            tensor: the tensor; None holds the name for one.
            persistent: whether the state dict has it.

        Raises:
            ModuleAttributeError: `super().__init__()` has not run.
            ModuleKeyError: the name is empty, has a dot, or is another attribute's.
            ArgumentError: tensor is neither a tensor nor None.

        Example:
            >>> import graphc as gc
            >>> module = gc.nn.Module()
            >>> module.register_buffer("mean", gc.zeros(2))
            >>> dict(module.named_buffers())
            {'mean': tensor([0., 0.])}
        """
        self._check_name("buffer", name, self.__dict__.get("_buffers"))
        if tensor is not None and not isinstance(tensor, Tensor):
            raise refused(self, tensor, "buffer", name, "gc.Tensor or None")
        if tensor is not None and not tensor._is_state:
            tensor._is_state, tensor._drawn = True, None
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Any) -> None:
        """Add a submodule under a name, as `self.name = module` does.

        Args:
            name: an attribute's name.
            module: the module; None holds the name for one.

        Raises:
            ModuleAttributeError: `super().__init__()` has not run.
            ModuleKeyError: the name is empty, has a dot, or is another attribute's.
            ArgumentError: module is neither a module nor None.

        Example:
            >>> import graphc as gc
            >>> model = gc.nn.Sequential()
            >>> model.add_module("act", gc.nn.ReLU())
            >>> model
            Sequential(
              (act): ReLU()
            )
        """
        if module is not None and not isinstance(module, Members):
            raise refused(self, module, "submodule", str(name), "nn.Module or None")
        self._check_name("module", name, self.__dict__.get("_modules"))
        self._modules[name] = module

    register_module = add_module

    def _check_name(self, what: str, name: object, own: dict[str, Any] | None) -> None:
        if own is None:
            raise _too_early(self, what)
        if not isinstance(name, str):
            raise ArgumentError(
                f"the name of a {what} must be a str, not {type(name).__name__} {name!r:.60}",
                where=caller(),
            )
        problem = ""
        if not name:
            problem = "the name is empty"
        elif "." in name:
            problem = f'the name {name!r} has a ".", which separates the names of submodules'
        elif name not in own and hasattr(self, name):
            problem = f"{name_of(self)} has another attribute {name!r} already"
        if problem:
            raise ModuleKeyError(f"a {what} cannot be registered: {problem}", where=caller())

    # --- attributes

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        own = fields.get("_parameters")
        if own is not None:
            if name in own:
                return own[name]
            own = fields["_modules"]
            if name in own:
                return own[name]
            own = fields["_buffers"]
            if name in own:
                return own[name]
        raise _missing(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        changes.count += 1
        fields = self.__dict__
        parameters = fields.get("_parameters")
        if isinstance(value, Parameter):
            if parameters is None:
                raise _too_early(self, "parameter")
            self._forget(name, but=parameters)
            self.register_parameter(name, value)
        elif parameters is None:
            if isinstance(value, Members | Buffer):
                raise _too_early(self, "module" if isinstance(value, Members) else "buffer")
            object.__setattr__(self, name, value)
        elif name in parameters:
            if value is not None:
                raise refused(self, value, "parameter", name, "nn.Parameter or None")
            parameters[name] = None
        elif isinstance(value, Members):
            modules = fields["_modules"]
            self._forget(name, but=modules)
            modules[name] = value
        elif name in fields["_modules"]:
            if value is not None:
                raise refused(self, value, "submodule", name, "nn.Module or None")
            fields["_modules"][name] = None
        elif isinstance(value, Buffer):
            self._forget(name, but=fields["_buffers"])
            self.register_buffer(name, value, value.persistent)
        elif name in fields["_buffers"]:
            if value is not None and not isinstance(value, Tensor):
                raise refused(self, value, "buffer", name, "nn.Buffer, gc.Tensor or None")
            fields["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def _forget(self, name: str, but: Any) -> None:
        """Take an attribute away wherever it is, except in one dict."""
        fields = self.__dict__
        for own in (fields, fields["_parameters"], fields["_buffers"], fields["_modules"]):
            if own is not but:
                own.pop(name, None)
        fields["_non_persistent_buffers_set"].discard(name)

    def __delattr__(self, name: str) -> None:
        changes.count += 1
        for own in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(own, ()):
                del self.__dict__[own][name]
                self._non_persistent_buffers_set.discard(name)
                return
        if name not in self.__dict__:
            raise _missing(self, name)
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._modules, self._buffers)
        return sorted(name for name in names if not name[0].isdigit())


def _too_early(module: object, what: str) -> ModuleAttributeError:
    return ModuleAttributeError(
        f"a {what} was given to {name_of(module)} before Module.__init__() ran",
        where=caller(),
        hint=f"call super().__init__() first in {name_of(module)}.__init__",
    )


def _missing(module: object, name: str) -> ModuleAttributeError:
    """The error for an attribute that is not there."""
    hint = ""
    if "_parameters" not in module.__dict__:
        hint = f"call super().__init__() first in {name_of(module)}.__init__"
    elif isinstance(getattr(type(module), name, None), property):
        hint = f"{name} is a property; an attribute that its function reads is not there"
    error = ModuleAttributeError(
        f"{name_of(module)!r} object has no attribute {name!r}", where=caller(), hint=hint
    )
    error.name, error.obj = name, module  # Python suggests a near name by these
    return error


__all__ = ["Members"]
