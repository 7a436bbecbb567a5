"""Functions of exported models that are no op's definition, with NumPy alone.

`numpy_export` copies the text of those that a model needs: what its arguments and results go
through, its loops, what definitions ask of dtypes, and `erf` and `erfc`, which NumPy lacks (within
4 ulp). Nothing here may use anything but NumPy, `math` and the other functions of this file.
"""

import math

import numpy as np


def argument(name, value, dtype, rank):
    """An argument as an array of a dtype with a number of axes."""
    array = np.asarray(value)
    if array.dtype != dtype:
        if not isinstance(value, bool | int | float | list | tuple):
            raise TypeError(f"{name} is {array.dtype}; it must be {np.dtype(dtype)}")
        array = array.astype(dtype)
    if array.ndim != rank:
        raise ValueError(f"{name} has {array.ndim} axes; it must have {rank}")
    return array


def expect(name, array, shape):
    """Refuse an array of another shape."""
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; it must have {shape}")


def result(value):
    """A result as an array of its own."""
    return np.array(value, order="C")


def is_float(dtype):
    """Whether a dtype is of floats; bfloat16 is not of NumPy's own kinds."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def is_narrow(dtype):
    """Whether floats of a dtype are computed in float32."""
    return dtype.name in ("float16", "bfloat16")


def widened(x):
    """float16 and bfloat16 as float32, in which they are computed."""
    return x.astype(np.float32) if is_narrow(x.dtype) else x


class DType:
    """What definitions ask of a dtype."""

    def __init__(self, dtype):
        kinds = {"b": "bool", "i": "int", "u": "uint"}
        self.numpy, self.name, self.itemsize = dtype, dtype.name, dtype.itemsize
        self.kind = "float" if is_float(dtype) else kinds[dtype.kind]
        self.is_float, self.is_integer = self.kind == "float", self.kind in ("int", "uint")


def as_dtype(dtype):
    """The facts of a dtype."""
    return DType(np.dtype(dtype))


def in_float32(function, *arrays, **settings):
    """A function of float16 or bfloat16 arrays, computed in float32 and rounded once."""
    found = function(*map(widened, arrays), **settings)
    return found.astype(arrays[0].dtype) if found.dtype == np.float32 else found


def each(function, x):
    """A function of Python floats for each element, computed in float64."""
    values = [function(float(v)) for v in np.ravel(x)]
    return np.array(values, np.float64).reshape(np.shape(x)).astype(x.dtype)


def erf(x):
    """The error function."""
    return each(math.erf, x)


def erfc(x):
    """1 - erf(x), accurate for large x."""
    return each(math.erfc, x)


def scan(body, carries, sequences, fixed, length, reverse, stacks):
    """The last carries of a body run once for each slice, then its other results stacked."""
    found = [np.empty((length, *shape), dtype) for shape, dtype in stacks]
    for t in reversed(range(length)) if reverse else range(length):
        results = body(*carries, *(x[t] for x in sequences), *fixed)
        carries = results[: len(carries)]
        for stack, value in zip(found, results[len(carries) :]):
            stack[t] = value
    return (*carries, *found)


def while_loop(cond, body, carries, fixed, max_steps):
    """The last carries of a body run while a condition on them holds."""
    turns = 0
    while (max_steps is None or turns < max_steps) and cond(*carries, *fixed)[0]:
        carries = body(*carries, *fixed)
        turns += 1
    return tuple(carries)
