"""What is known of the types and functions that traced code meets: rules as data.

What stands in no table here is not known, and a run that meets it is not proven.
"""

from __future__ import annotations

import builtins
import enum
import itertools
import math
import operator
import weakref
from collections import OrderedDict
from collections.abc import Callable
from types import (
    BuiltinFunctionType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)  # fmt: skip
from typing import Any

import numpy as np

from graphc.core.dtypes import DType
from graphc.core.types import TensorType
from graphc.eager.engine.device import device
from graphc.eager.engine.size import Size
from graphc.eager.engine.tensor import Tensor
from graphc.jit.trace.sizes import TracedSize

# Whose values never change, and whose operators and methods read nothing else.
PLAIN = (
    bool, int, float, complex, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range,
    slice,
)  # fmt: skip
_VALUES = (DType, TensorType, device, TracedSize, np.generic, np.dtype, enum.Enum)
CONTAINERS = (list, dict, set, OrderedDict)

# The kinds of things, by how traced code may read them.
SCALAR, VALUE, FROZEN, CONTAINER = "scalar", "value", "frozen", "container"
TENSOR, MODULE, OPTIMIZER, CONTEXT = "tensor", "module", "optimizer", "context"
FUNCTION, METHOD, BUILTIN, CLASS, NAMESPACE = "function", "method", "builtin", "class", "namespace"
SUPER, OBJECT, UNKNOWN = "super", "object", "unknown"

_BASES = {
    ("graphc.nn.module.members", "Members"): MODULE,
    ("graphc.optim.optimizer", "Optimizer"): OPTIMIZER,
    # What a Function's forward and backward get: made for each call of it.
    ("graphc.autograd.function", "Context"): CONTEXT,
    ("graphc.autograd.function", "CustomBackward"): CONTEXT,
}
_KINDS: dict[type, str] = {}


def kind_of(type_: type) -> str:
    """How values of a type may be read."""
    found = _KINDS.get(type_)
    if found is None:
        found = _KINDS[type_] = _kind(type_)
    return found


def _kind(type_: type) -> str:
    if type_ in PLAIN:
        return SCALAR
    if type_ in (tuple, frozenset, Size) or _is_named_tuple(type_):
        return FROZEN
    if type_ in CONTAINERS:
        return CONTAINER
    for base, kind in (
        (Tensor, TENSOR), (FunctionType, FUNCTION), (MethodType, METHOD), (type, CLASS),
        (ModuleType, NAMESPACE), (super, SUPER),
    ):  # fmt: skip
        if issubclass(type_, base):
            return kind
    if type_ in (BuiltinFunctionType, MethodWrapperType, WrapperDescriptorType):
        return BUILTIN
    if type_ is type(str.join):  # a method descriptor
        return BUILTIN
    if issubclass(type_, _VALUES):
        return VALUE
    for each in type_.__mro__:
        found = _BASES.get((each.__module__, each.__name__))
        if found is not None:
            return found
    return OBJECT


def _is_named_tuple(type_: type) -> bool:
    return (
        issubclass(type_, tuple)
        and type_.__getitem__ is tuple.__getitem__
        and type_.__iter__ is tuple.__iter__
        and type_.__len__ is tuple.__len__
    )


_WEAK = (
    weakref.ref, weakref.ProxyType, weakref.CallableProxyType, weakref.WeakSet, weakref.finalize,
    weakref.WeakValueDictionary, weakref.WeakKeyDictionary,
)  # fmt: skip
_OF_GOING = ("weakref", "_weakref", "gc")


def tells_of_going(value: object) -> bool:
    """Whether code that has a value can see that other objects go."""
    class_ = type(value)
    if class_ is ModuleType:
        return vars(value)["__name__"] in _OF_GOING
    if class_ is BuiltinFunctionType:
        return value.__module__ in _OF_GOING
    return issubclass(value if issubclass(class_, type) else class_, _WEAK)  # type: ignore[arg-type]


def is_ours(module: str) -> bool:
    """Whether a module is graphc's own."""
    return module == "graphc" or module.startswith("graphc.")


# Of graphc's functions those that do more than compute with what they are given: they read or
# set what no guard covers, draw from what the graph does not hold, or give values away.
_DENIED_MODULES = (
    "graphc.storage", "graphc.config", "graphc.cli", "graphc.contrasting", "graphc.viz",
    "graphc.text", "graphc.data", "graphc.program", "graphc.optim.lr_scheduler", "graphc.nn.init",
    "graphc.eager.methods.interchange", "graphc.eager.methods.printing", "graphc.jit.archive",
    "graphc.jit.export", "graphc.eager.engine.device", "graphc.autograd.gradcheck",
    "graphc.autograd.functional", "graphc.core.shield",
)  # fmt: skip
_DENIED_NAMES = {
    "manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state", "set_default_dtype",
    "is_grad_enabled", "is_inference_mode_enabled", "from_numpy", "from_dlpack",
    "numpy", "register_hook", "register_post_accumulate_grad_hook", "retain_grad", "state_dict",
    "load_state_dict", "add_param_group", "register_forward_hook", "register_forward_pre_hook",
    "register_full_backward_hook", "register_full_backward_pre_hook", "register_buffer",
    "register_parameter", "add_module", "register_module", "train", "eval", "set_submodule",
    "apply_", "map_", "data_ptr", "untyped_storage", "storage", "share_memory_",
    "to_", "set_", "detach_", "is_contiguous", "stride", "storage_offset",
    "__array__", "__dlpack__", "__repr__", "__str__", "__format__", "__deepcopy__",
    "__setattr__", "__delattr__", "append", "extend", "insert", "pop", "clear", "update",
    "_apply", "share_memory",
}  # fmt: skip
# Methods of modules that change them; tensors have others of the same names.
_OF_MODULES = {"apply", "double", "half", "float", "to", "type", "cpu", "cuda", "bfloat16"}


def computes(function: Callable[..., Any]) -> bool:
    """Whether one of graphc's own functions only computes with its arguments."""
    module, name = str(function.__module__), str(function.__name__)
    if module.startswith("graphc.nn.module") and name in _OF_MODULES:
        return False
    return name not in _DENIED_NAMES and not module.startswith(_DENIED_MODULES)


# Modules that may be made while tracing: they draw and hold nothing.
MADE_MODULES = (
    "graphc.nn.layers.activation", "graphc.nn.layers.loss", "graphc.nn.layers.flatten",
    "graphc.nn.layers.dropout", "graphc.nn.layers.pooling", "graphc.nn.layers.padding",
    "graphc.nn.layers.distance", "graphc.nn.module.containers",
)  # fmt: skip
# Context managers that only set how operations are recorded, which calls are told apart by.
MODES = {"no_grad", "enable_grad", "set_grad_enabled", "inference_mode"}

# Built-in functions whose results follow from their arguments' contents.
PURE = {
    getattr(builtins, name) for name in (
        "abs", "all", "any", "bin", "callable", "chr", "divmod", "format", "hex", "isinstance",
        "issubclass", "iter", "len", "max", "min", "next", "oct", "ord", "pow", "round", "sorted",
        "sum",
    )
}  # fmt: skip
PURE |= {f for f in vars(math).values() if isinstance(f, BuiltinFunctionType)}
PURE |= {f for f in vars(operator).values() if isinstance(f, BuiltinFunctionType)} - {
    operator.setitem, operator.delitem, operator.iadd, operator.iconcat, operator.imul,
    operator.ior, operator.iand, operator.ixor, operator.isub,
}  # fmt: skip
# Of these that call what they are given, nothing is known but of what they call.
PURE_TYPES = {
    bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, range, slice, zip,
    enumerate, reversed, map, filter, OrderedDict,
    itertools.chain, itertools.product, itertools.repeat, itertools.islice, itertools.accumulate,
    itertools.combinations, itertools.permutations, itertools.starmap, itertools.takewhile,
    itertools.zip_longest, itertools.pairwise,
}  # fmt: skip
ITERATORS = PURE_TYPES - {
    bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, range, slice,
    OrderedDict,
}  # fmt: skip
# Methods of built-in containers that change them.
CHANGING = {
    "append", "extend", "insert", "pop", "popitem", "remove", "clear", "sort", "reverse", "update",
    "setdefault", "add", "discard", "difference_update", "intersection_update",
    "symmetric_difference_update", "move_to_end", "__setitem__", "__delitem__", "__iadd__",
    "__ior__", "__setattr__", "__delattr__",
}  # fmt: skip

__all__ = ["computes", "is_ours", "kind_of"]
