"""State dicts: the parameters and buffers of a module by their paths, read and written.

    state = model.state_dict()              # {"fc.weight": tensor, "fc.bias": tensor}
    other.load_state_dict(state)            # <All keys matched successfully>

The tensors of a state dict share their memory with the module's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from graphc.core.dlpack import as_array
from graphc.core.dtypes import has_numbers
from graphc.core.ir import caller
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tape import Handle
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.errors import ArgumentError, GraphcError
from graphc.nn.module.errors import StateDictError
from graphc.nn.module.members import Members
from graphc.nn.parameter import Parameter

EXTRA = "_extra_state"
FIELDS = (
    "_state_dict_pre_hooks", "_state_dict_hooks", "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)  # fmt: skip
SHOWN = 8  # names that a message lists; the error's attributes have all


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` returns: names that did not meet.

    Attributes:
        missing_keys: names that the module has and the dict lacks.
        unexpected_keys: names that the dict has and the module lacks.
    """

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys!r}, "
            f"unexpected_keys={self.unexpected_keys!r})"
        )


class Stateful(Members):
    """Saving to a state dict and loading from one."""

    _state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _state_dict_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_pre_hooks: dict[int, Callable[..., Any]]
    _load_state_dict_post_hooks: dict[int, Callable[..., Any]]

    _version = 1
    """The layout of the module's own entries; a subclass that changes it counts up."""

    def get_extra_state(self) -> Any:
        """State beside tensors; a subclass that has some defines this and `set_extra_state`.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> class Counting(nn.Module):
            ...     count = 3
            ...     def get_extra_state(self):
            ...         return {"count": self.count}
            ...     def set_extra_state(self, state):
            ...         self.count = state["count"]
            >>> Counting().state_dict()
            OrderedDict([('_extra_state', {'count': 3})])
        """
        raise NotImplementedError

    def set_extra_state(self, state: Any) -> None:
        """Go back to what `get_extra_state` gave.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> class Counting(nn.Module):
            ...     count = 0
            ...     def get_extra_state(self):
            ...         return self.count
            ...     def set_extra_state(self, state):
            ...         self.count = state
            >>> module, saved = Counting(), Counting()
            >>> saved.count = 3
            >>> module.load_state_dict(saved.state_dict())
            <All keys matched successfully>
            >>> module.count
            3
        """
        raise NotImplementedError

    # --- saving

    def state_dict(self, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """The parameters and persistent buffers by their paths.

        Args:
            destination: a dict that the entries are added to.
            prefix: written before every path.
            keep_vars: whether the entries are the parameters themselves, not detached.

        Returns:
            An ordered dict. Its tensors share their memory with the module's; save it, or copy
            it (`copy.deepcopy`), before the module goes on training.

        Example:
            >>> import graphc as gc
            >>> list(gc.nn.Linear(2, 3).state_dict())
            ['weight', 'bias']
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = {}  # what each module noted, by its path
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            hook(self, destination, prefix, metadata)
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """Add the module's own entries, without those of its submodules."""
        for name, tensor in self._own_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

    def _own_state(self) -> dict[str, Any]:
        hidden = self._non_persistent_buffers_set
        buffers = {k: v for k, v in self._buffers.items() if k not in hidden}
        own = {**self._parameters, **buffers}
        return {name: tensor for name, tensor in own.items() if tensor is not None}

    # --- loading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy the values of a state dict into the parameters and buffers of the same paths.

        Args:
            state_dict: tensors, or anything NumPy can read (another library's tensors), by path.
            strict: whether missing and unexpected names are an error. Sizes that differ are one
                in any case.
            assign: whether the dict's tensors take the place of the module's, instead of being
                copied into them; dtypes are then the dict's. Make the optimizer afterwards.

        Returns:
            A named tuple (missing_keys, unexpected_keys).

        Raises:
            ArgumentError: state_dict is not a dict.
            StateDictError: names are missing or unexpected, or sizes differ.

        Example:
            >>> import graphc as gc
            >>> a, b = gc.nn.Linear(2, 3), gc.nn.Linear(2, 3)
            >>> a.load_state_dict(b.state_dict())
            <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentError(
                f"load_state_dict: a state dict is a dict, not a {type(state_dict).__name__}",
                where=caller(),
                hint="pass other.state_dict(), or what a file of one was read to",
            )
        loading = Loading(state_dict, assign)
        loading.load(self, loading.state, "")
        if strict:
            loading.check(self, loading.missing, loading.unexpected)
        else:
            loading.check(self, [], [])
        return IncompatibleKeys(loading.missing, loading.unexpected)

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the module's own entries, without those of its submodules.

        Args:
            state_dict: all entries whose names start with prefix; may be changed.
            prefix: the module's path and a dot, or "".
            local_metadata: what the saved module noted, such as its version.
            strict: whether missing and unexpected names are collected.
            missing_keys, unexpected_keys, error_msgs: lists to add to.
        """
        given = (state_dict, prefix, local_metadata, strict)
        for hook in self._load_state_dict_pre_hooks.values():
            hook(*given, missing_keys, unexpected_keys, error_msgs)
        own = self._own_state()
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                assign = local_metadata.get("assign_to_params_buffers", False)
                problem = _load_one(self, name, tensor, state_dict[key], key, assign)
                if problem:
                    error_msgs.append(problem)
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA
        if type(self).set_extra_state is not Stateful.set_extra_state:
            if extra in state_dict:
                self.set_extra_state(state_dict[extra])
            elif strict:
                missing_keys.append(extra)
        elif strict and extra in state_dict:
            unexpected_keys.append(extra)
        for key in state_dict if strict else ():
            if key.startswith(prefix) and key != extra:
                first, *rest = key[len(prefix) :].split(".", 1)
                if first not in (self._modules if rest else own):
                    unexpected_keys.append(key)

    # --- hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, prefix, keep_vars)` before the module's state dict is made.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> handle = layer.register_state_dict_pre_hook(lambda *given: print("saving"))
            >>> saved = layer.state_dict()
            saving
        """
        return Handle(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, state_dict, prefix, metadata)` after it is; it may change the dict.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> hook = layer.register_state_dict_post_hook(lambda m, d, *rest: d.pop("bias"))
            >>> list(layer.state_dict())
            ['weight']
        """
        return Handle(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call a hook before the module's entries are loaded; it may change the dict.

        Args:
            hook: `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
                unexpected_keys, error_msgs)`.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Linear(2, 1)
            >>> handle = layer.register_load_state_dict_pre_hook(lambda *given: print("loading"))
            >>> layer.load_state_dict(layer.state_dict())
            loading
            <All keys matched successfully>
        """
        return Handle(self._load_state_dict_pre_hooks, _OfModule(hook, self))

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Call `hook(module, incompatible_keys)` after loading; it may change the two lists.

        Example:
            >>> import graphc as gc
            >>> layer = gc.nn.Linear(1, 1)
            >>> handle = layer.register_load_state_dict_post_hook(
            ...     lambda module, keys: keys.missing_keys.clear()
            ... )
            >>> layer.load_state_dict({})
            <All keys matched successfully>
        """
        return Handle(self._load_state_dict_post_hooks, hook)


class _OfModule:
    """A hook with its module before its other arguments; copied and pickled with it."""

    def __init__(self, hook: Callable[..., Any], module: Any) -> None:
        self.hook = hook
        self.module = module

    def __call__(self, *args: Any) -> Any:
        return self.hook(self.module, *args)


def _load_one(module: Any, name: str, own: Any, value: Any, key: str, assign: bool) -> str:
    """Load one entry; what is wrong with it, or ""."""
    given = _as_tensor(value)
    if given is None:
        return f"{key}: the state dict has a {type(value).__name__}, which is not a tensor"
    if given.shape == (1,) and own.shape == ():
        given = given[0]
    if tuple(given.shape) != tuple(own.shape):
        return (
            f"size mismatch for {key}: {tuple(given.shape)} in the state dict, "
            f"{tuple(own.shape)} in the module"
        )
    try:
        if not assign:
            with no_grad():
                own.copy_(given)
            return ""
        if isinstance(own, Parameter):
            if not isinstance(given, Parameter):
                given = Parameter(given, requires_grad=False)
            given.requires_grad_(own.requires_grad)
        setattr(module, name, given)
    except GraphcError as error:
        return f"{key} cannot be loaded: {error.what}"
    return ""


def _as_tensor(value: object) -> Any:
    """A tensor over the memory of a tensor or array of any library; None of what is neither."""
    if isinstance(value, Tensor):
        return value
    if not hasattr(value, "__array__"):
        return None
    value = value.detach() if hasattr(value, "detach") else value
    array = as_array(value)
    return wrap(array) if has_numbers(array.dtype) else None


class Loading:
    """One `load_state_dict`: the entries, and what was found wrong so far."""

    def __init__(self, state: Mapping[str, Any], assign: bool) -> None:
        self.metadata = getattr(state, "_metadata", None) or {}
        self.state: Any = OrderedDict(state)
        self.assign = {"assign_to_params_buffers": True} if assign else {}
        self.missing: list[str] = []
        self.unexpected: list[str] = []
        self.errors: list[str] = []

    def load(self, module: Any, state: Any, prefix: str) -> None:
        """Load a module and the modules inside it."""
        noted = {**self.metadata.get(prefix[:-1], {}), **self.assign}
        lists = (self.missing, self.unexpected, self.errors)
        module._load_from_state_dict(state, prefix, noted, True, *lists)
        for name, child in module._modules.items():
            if child is not None:
                start = f"{prefix}{name}."
                part = OrderedDict((k, v) for k, v in state.items() if k.startswith(start))
                self.load(child, part, start)
        keys = IncompatibleKeys(self.missing, self.unexpected)
        for hook in module._load_state_dict_post_hooks.values():
            if hook(module, keys) is not None:
                raise ArgumentError(
                    f"a load_state_dict hook of {type(module).__name__} returned a value",
                    where=caller(),
                    hint="change the two lists in place, and return None",
                )

    def check(self, module: Any, missing: Sequence[str], unexpected: Sequence[str]) -> None:
        """Raise if anything is wrong.

        Raises:
            StateDictError: names are missing or unexpected, or entries did not fit.
        """
        if not missing and not unexpected and not self.errors:
            return
        details = []
        if missing:
            details.append(f"Missing key(s) in state_dict: {_listed(missing)}")
        if unexpected:
            details.append(f"Unexpected key(s) in state_dict: {_listed(unexpected)}")
        raise StateDictError(
            f"Error(s) in loading state_dict for {type(module).__name__}:",
            [*details, *self.errors],
            where=caller(),
            hint=_hint(missing, unexpected, self.errors),
            missing_keys=missing,
            unexpected_keys=unexpected,
            errors=self.errors,
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(f'"{name}"' for name in names[:SHOWN]) + more


def _hint(missing: Sequence[str], unexpected: Sequence[str], errors: Sequence[str]) -> str:
    """What most likely happened."""
    for name in missing[:1]:
        longer = [key for key in unexpected if key.endswith(f".{name}")]
        if longer:
            prefix = longer[0].removesuffix(name)
            return (
                f"the names start with {prefix!r}; load "
                f"{{k.removeprefix({prefix!r}): v for k, v in state.items()}}"
            )
    if errors:
        return "build the module with the sizes it was saved with"
    return "strict=False loads the entries whose names are in both"


__all__ = ["IncompatibleKeys", "Loading", "Stateful"]
