"""Functions of exported models, with NumPy alone. `numpy_export` copies the text of those it needs.

Each gives what the op of its name is defined to give, bit for bit (`erf` and `erfc`, which NumPy
lacks, within 4 ulp). Nothing here may use anything but NumPy, `math`, `itertools` and the other
functions of this file.
"""

import itertools
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


def iota(shape, axis, dtype):
    """The index of each element along an axis."""
    ends = [-1 if a == axis else 1 for a in range(len(shape))]
    return np.broadcast_to(
        np.arange(shape[axis], dtype=np.int64).astype(dtype).reshape(ends), shape
    )


def spread(size, interior):
    """The extent of `size` elements with `interior` places between neighbours."""
    return size if interior == 0 else max((size - 1) * (interior + 1) + 1, 0)


def pad(x, low, high, interior, value):
    """x with room around it, and between its elements, that holds `value`."""
    extents = [spread(size, gap) for size, gap in zip(x.shape, interior)]
    found = np.full([a + e + b for a, e, b in zip(low, extents, high)], value, x.dtype)
    if x.size:
        found[tuple(slice(a, a + e, g + 1) for a, e, g in zip(low, extents, interior))] = x
    return found


def cut(start, size, step):
    """The slice of `size` elements from `start`."""
    stop = start + size * step
    return slice(start, stop if stop >= 0 else None, step) if size else slice(0, 0)


def is_float(x):
    """Whether an array is of floats; bfloat16 is not of NumPy's own kinds."""
    return x.dtype.kind == "f" or x.dtype.name == "bfloat16"


def widened(x):
    """float16 and bfloat16 as float32, in which they are computed."""
    return x.astype(np.float32) if x.dtype.name in ("float16", "bfloat16") else x


def total(ufunc, x, axes):
    """A sum or product over axes; small floats are added in float64, and float64 in pairs."""
    adds = ufunc is np.add and is_float(x) and len(axes) > 0
    if adds and x.dtype == np.float64:
        x = np.ascontiguousarray(np.moveaxis(x, axes, range(-len(axes), 0)))
        count = math.prod(x.shape[x.ndim - len(axes) :])
        return ufunc.reduce(x.reshape((*x.shape[: x.ndim - len(axes)], count)), axis=-1)
    wide = np.float64 if adds else widened(x).dtype
    return np.asarray(ufunc.reduce(x, axis=axes, dtype=wide)).astype(x.dtype)


def extreme(ufunc, x, axes, initial):
    """The greatest or least element over axes; `initial` where there is none."""
    wide = widened(x)
    found = ufunc.reduce(wide, axis=axes, initial=wide.dtype.type(initial))
    return np.asarray(found).astype(x.dtype)


def position(function, x, axis):
    """argmax or argmin; 0 on an empty axis."""
    if x.shape[axis] == 0:
        return np.zeros(x.shape[:axis] + x.shape[axis + 1 :], np.int64)
    return np.asarray(function(widened(x), axis=axis)).astype(np.int64)


def in_float32(function, *arrays):
    """A function of float16 or bfloat16 arrays, computed in float32 and rounded once."""
    found = function(*map(widened, arrays))
    return found.astype(arrays[0].dtype) if found.dtype == np.float32 else found


def reciprocal(x):
    """1 / x; of integers the whole part, 0 for 0."""
    if is_float(x):
        return np.reciprocal(x)
    return np.where(np.abs(x) == 1, x, 0).astype(x.dtype)


def sigmoid(x):
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def softplus(x):
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


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


def clip(x, low, high):
    """x where it lies between low and high, elsewhere the nearer of them."""
    return np.minimum(np.maximum(x, low), high)


def rsqrt(x):
    """1 / sqrt(x)."""
    return np.reciprocal(np.sqrt(x))


def power(x, y):
    """x to the power y; an integer's exponent must not be negative."""
    if y.dtype.kind == "i" and np.any(y < 0):
        raise ValueError(f"power: the exponent {np.min(y)} of an integer is negative")
    found = np.power(x, y)
    if not is_float(x):
        return found
    return np.where((y == 0.5) & ((x == 0) | (x == -np.inf)), np.abs(x), found)


def floor_divide(x, y):
    """x // y; an integer divided by 0 is an error."""
    return np.floor_divide(x, divisor(y))


def remainder(x, y):
    """x % y; an integer divided by 0 is an error."""
    return np.remainder(x, divisor(y))


def fmod(x, y):
    """What x / y, rounded toward 0, leaves; an integer divided by 0 is an error."""
    return np.fmod(x, divisor(y))


def divisor(y):
    """y, which must not be 0 if it is of integers."""
    if y.dtype.kind in "iu" and not np.all(y):
        raise ZeroDivisionError("an integer divided by 0")
    return y


def nonempty(y, n, function, reduced):
    """y, of which an axis of n elements was reduced; n must not be 0."""
    if not np.all(n):
        raise ValueError(f"{function}: axis {reduced} is empty")
    return y


def cast(x, dtype, checked):
    """x in another dtype; with `checked`, a value that an integer dtype cannot hold is an error."""
    dtype = np.dtype(dtype)
    if checked and dtype.kind in "iu" and np.any(out_of_range(x, dtype)):
        value = np.ravel(x)[np.ravel(out_of_range(x, dtype))][0]
        raise OverflowError(f"cast: {value} is not a value of {dtype}")
    if is_float(x) and dtype.kind in "iu" and dtype.itemsize < 8:
        return x.astype(np.int64).astype(dtype)
    return x.astype(dtype)


def out_of_range(x, dtype):
    """Where the whole part of an element is no value of an integer dtype."""
    info = np.iinfo(dtype)
    if x.dtype.kind == "b":
        return np.zeros(x.shape, bool)
    if is_float(x):
        wide = np.trunc(x.astype(np.float64))
        return ~((wide >= float(info.min)) & (wide < float(int(info.max) + 1)))
    own = np.iinfo(x.dtype)
    low, high = max(int(info.min), int(own.min)), min(int(info.max), int(own.max))
    return (x < low) | (x > high)


def matmul(x, y):
    """The matrix product of float16 or bfloat16, summed in float32 and rounded once."""
    return np.matmul(widened(x), widened(y)).astype(x.dtype)


def wrapped(index, size):
    """Indices counted from the start; one outside its axis is an error."""
    bad = (index < -size) | (index >= size) if index.dtype.kind == "i" else index >= size
    if np.any(bad):
        value = np.ravel(index)[np.ravel(bad)][0]
        raise IndexError(f"index {value} is out of range for an axis of size {size}")
    index = index.astype(np.int64)
    return np.where(index < 0, index + size, index)


def take(x, index, axis):
    """The slices of x along an axis that the index names."""
    return np.take(x, wrapped(index, x.shape[axis]), axis)


def take_along_axis(x, index, axis):
    """Along an axis, the element of x that the index names at each place."""
    return np.take_along_axis(x, wrapped(index, x.shape[axis]), axis)


def scatter_add(x, index, updates, axis):
    """x with updates added at the places along an axis that the index names."""
    found = x.copy()
    places = list(np.ogrid[tuple(slice(0, n) for n in index.shape)])
    places[axis] = wrapped(index, x.shape[axis])
    np.add.at(found, tuple(places), updates)
    return found


def index_add(x, index, updates, axis):
    """x with slices of updates added to the slices that the index names."""
    found = x.copy()
    np.add.at(found, (slice(None),) * axis + (wrapped(index, x.shape[axis]),), updates)
    return found


def index_update(x, index, values, axis):
    """x with the slices that the index names replaced; the last one wins."""
    found = x.copy()
    into, source = np.moveaxis(found, axis, 0), np.moveaxis(values, axis, 0)
    for place, value in zip(wrapped(index, x.shape[axis]), source):
        into[place] = value
    return found


def argsort(x, axis, descending):
    """The stable order of the elements along an axis; nan counts as the greatest."""
    x = widened(x)
    if not descending:
        return np.argsort(x, axis, kind="stable")
    order = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(order, axis)


def accumulate(ufunc, x, axis, reverse):
    """Sums or products of the elements up to each one."""
    wide = x.astype(np.float64) if is_float(x) else x
    ordered = np.flip(wide, axis) if reverse else wide
    found = ufunc.accumulate(ordered, axis, dtype=wide.dtype)
    if ufunc is np.add and x.dtype == np.float64:
        # What rounding took from the sums on the way to each of them.
        before = np.zeros_like(found)
        np.moveaxis(before, axis, 0)[1:] = np.moveaxis(found, axis, 0)[:-1]
        part = found - before
        lost = (before - (found - part)) + (ordered - part)
        found = found + np.add.accumulate(np.where(np.isfinite(found), lost, 0), axis)
    return (np.flip(found, axis) if reverse else found).astype(x.dtype)


def recurrence(a, b, axis, reverse):
    """y[i] = a[i] * y[i - 1] + b[i] along an axis."""
    wide = np.float64 if is_float(a) else a.dtype
    factors, terms = np.moveaxis(a, axis, 0), np.moveaxis(b, axis, 0)
    found = np.empty(terms.shape, a.dtype)
    last = np.zeros(terms.shape[1:], wide)
    places = range(len(terms))
    for i in reversed(places) if reverse else places:
        last = factors[i].astype(wide) * last + terms[i].astype(wide)
        found[i] = last
    return np.moveaxis(found, 0, axis)


def padded(x, padding):
    """An image with zeros around it."""
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))


def grouped(x, groups, axis):
    """An axis of channels as two: groups, and the channels of each."""
    shape = x.shape
    return x.reshape(*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :])


def out_sizes(sizes, kernel, stride, padding, dilation):
    """The number of places of a kernel on each padded axis."""
    rows = zip(sizes, kernel, stride, padding, dilation)
    return tuple(max((n + 2 * p - d * (k - 1) - 1) // s + 1, 0) for n, k, s, p, d in rows)


def places(kernel, out, stride, dilation):
    """For each element of a kernel, the part of the padded image that it meets."""
    if 0 in out:
        return
    for k in itertools.product(*map(range, kernel)):
        start = [a * d for a, d in zip(k, dilation)]
        yield k, (..., *(slice(b, b + (n - 1) * s + 1, s) for b, n, s in zip(start, out, stride)))


def conv(x, w, stride, padding, dilation, groups):
    """Convolution: x (N, C, *S), w (O, C / groups, *K) -> (N, O, *out); w is not flipped."""
    out = out_sizes(x.shape[2:], w.shape[2:], stride, padding, dilation)
    image = grouped(padded(widened(x), padding), groups, 1)
    weight = grouped(widened(w), groups, 0)
    found = np.zeros((x.shape[0], groups, w.shape[0] // groups, *out), image.dtype)
    for k, part in places(w.shape[2:], out, stride, dilation):
        found += np.einsum("ngc...,goc->ngo...", image[part], weight[(..., *k)])
    return found.reshape(x.shape[0], w.shape[0], *out).astype(x.dtype)


def conv_input(ct, w, shape, stride, padding, dilation, groups):
    """The transpose of `conv` in x: ct (N, O, *out) -> (N, C, *shape)."""
    grads, weight = grouped(widened(ct), groups, 1), grouped(widened(w), groups, 0)
    full = [size + 2 * p for size, p in zip(shape, padding)]
    image = np.zeros((ct.shape[0], groups, w.shape[1], *full), grads.dtype)
    for k, part in places(w.shape[2:], ct.shape[2:], stride, dilation):
        image[part] += np.einsum("ngo...,goc->ngc...", grads, weight[(..., *k)])
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape))
    found = image.reshape(ct.shape[0], w.shape[1] * groups, *full)
    return found[(..., *inside)].astype(ct.dtype)


def conv_weight(x, ct, kernel, stride, padding, dilation, groups):
    """The transpose of `conv` in w: -> (O, C / groups, *kernel)."""
    image = grouped(padded(widened(x), padding), groups, 1)
    grads = grouped(widened(ct), groups, 1)
    shape = (groups, grads.shape[2], image.shape[2])
    weight = np.zeros((*shape, *kernel), image.dtype)
    if 0 not in ct.shape:
        flat = grads.reshape(grads.shape[0], *shape[:2], -1)
        for k, part in places(kernel, ct.shape[2:], stride, dilation):
            seen = image[part].reshape(image.shape[0], groups, shape[2], -1)
            weight[(..., *k)] = np.einsum("ngop,ngcp->goc", flat, seen)
    return weight.reshape(ct.shape[1], shape[2], *kernel).astype(x.dtype)


def windows(x, kernel, stride, padding, dilation, value):
    """The elements under each place of a kernel: (N, C, *S) -> (N, C, *out, *kernel)."""
    out = out_sizes(x.shape[2:], kernel, stride, padding, dilation)
    around = ((0, 0), (0, 0), *((p, p) for p in padding))
    found = np.pad(x, around, constant_values=value)
    for axis, (n, k, s, d) in enumerate(zip(out, kernel, stride, dilation)):
        found = np.take(found, np.arange(n)[:, None] * s + np.arange(k) * d, 2 + 2 * axis)
    rank = len(kernel)
    order = [2 + 2 * a for a in range(rank)] + [3 + 2 * a for a in range(rank)]
    return found.transpose(0, 1, *order)


def windows_transpose(ct, shape, stride, padding, dilation):
    """The image (N, C, *shape) that sums windows at their places."""
    rank = len(shape)
    out, kernel = ct.shape[2 : 2 + rank], ct.shape[2 + rank :]
    full = [size + 2 * p for size, p in zip(shape, padding)]
    wide = widened(ct)
    image = np.zeros((*ct.shape[:2], *full), wide.dtype)
    for k, part in places(kernel, out, stride, dilation):
        image[part] += wide[(..., *k)]
    inside = tuple(slice(p, p + size) for p, size in zip(padding, shape))
    return image[(..., *inside)].astype(ct.dtype)


def philox(key, counter, lane):
    """32 random bits for each counter: Philox 4x32-10."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    k0, k1 = key & low, key >> half
    c0, c1 = counter & low, counter >> half
    c2 = c3 = np.zeros_like(counter)
    for turn in range(10):
        first, second = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        step0, step1 = (np.uint64(turn * w & 0xFFFFFFFF) for w in (0x9E3779B9, 0xBB67AE85))
        c0, c2 = (
            (second >> half) ^ c1 ^ ((k0 + step0) & low),
            (first >> half) ^ c3 ^ ((k1 + step1) & low),
        )
        c1, c3 = second & low, first & low
    return np.asarray((c0, c1, c2, c3)[lane]).astype(np.uint32)


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
