"""Convolution and its gradients as plain loop nests, for integers and narrow floats.

The padding is zeros that are multiplied like the image, so a nan in the weight spreads there. The
gradient in the image meets no padding: a place that has no cotangent adds nothing. The matrix
product of float32 and float64 reads zeros there; `mend_kernel` computes anew what they spoilt.
"""

from __future__ import annotations

import functools

from graphc.core import dtypes
from graphc.runtime.base.kernel import Kernel
from graphc.runtime.contract.tile_source import indent

_HEAD = """\
def {name}(args, lo, hi):
    x = buffer(args, 0, {dtype})
    y = buffer(args, 1, {dtype})
    out = buffer(args, 2, {dtype})
    images, channels, outputs, groups = args[3], args[4], args[5], args[6]
    i_d, i_h, i_w = args[7], args[8], args[9]
    o_d, o_h, o_w = args[10], args[11], args[12]
    k_d, k_h, k_w = args[13], args[14], args[15]
    s_d, s_h, s_w = args[16], args[17], args[18]
    p_d, p_h, p_w = args[19], args[20], args[21]
    d_d, d_h, d_w = args[22], args[23], args[24]
    c_group = quotient(channels, groups)
    o_group = quotient(outputs, groups)
    for line in range(lo, hi):
{body}
"""

_CONV = """\
number = quotient(line, outputs)
output = remainder(line, outputs)
first = quotient(output, o_group) * c_group
for z in range(o_d):
    for v in range(o_h):
        for u in range(o_w):
            acc = {zero}
            for c in range(c_group):
                image = (number * channels + first + c) * i_d
                weight = (output * c_group + c) * k_d
                for kz in range(k_d):
                    for ky in range(k_h):
                        for kx in range(k_w):
                            iz = z * s_d + kz * d_d - p_d
                            iy = v * s_h + ky * d_h - p_h
                            ix = u * s_w + kx * d_w - p_w
                            inside = iz >= 0 and iz < i_d and iy >= 0 and iy < i_h
                            left = {zero}
                            if inside and ix >= 0 and ix < i_w:
                                left = x[((image + iz) * i_h + iy) * i_w + ix]
                            right = y[((weight + kz) * k_h + ky) * k_w + kx]
                            acc = {add}
            out[((line * o_d + z) * o_h + v) * o_w + u] = {store}
"""

_INPUT_TERMS = """\
ct = (number * outputs + group * o_group + o) * o_d
weight = ((group * o_group + o) * c_group + remainder(channel, c_group)) * k_d
for kz in range(k_d):
    for ky in range(k_h):
        for kx in range(k_w):
            z = iz + p_d - kz * d_d
            v = iy + p_h - ky * d_h
            u = ix + p_w - kx * d_w
            if z >= 0 and v >= 0 and u >= 0:
                there = remainder(z, s_d) == 0 and remainder(v, s_h) == 0
                there = there and remainder(u, s_w) == 0
                z, v, u = quotient(z, s_d), quotient(v, s_h), quotient(u, s_w)
                if there and z < o_d and v < o_h and u < o_w:
                    left = x[((ct + z) * o_h + v) * o_w + u]
                    right = y[((weight + kz) * k_h + ky) * k_w + kx]
                    acc = {add}
"""

_INPUT = """\
number = quotient(line, channels)
channel = remainder(line, channels)
group = quotient(channel, c_group)
for iz in range(i_d):
    for iy in range(i_h):
        for ix in range(i_w):
            acc = {zero}
            for o in range(o_group):
{terms}
            out[((line * i_d + iz) * i_h + iy) * i_w + ix] = {store}
"""

_WEIGHT = """\
output = quotient(line, c_group)
channel = quotient(output, o_group) * c_group + remainder(line, c_group)
for kz in range(k_d):
    for ky in range(k_h):
        for kx in range(k_w):
            acc = {zero}
            for number in range(images):
                image = (number * channels + channel) * i_d
                ct = (number * outputs + output) * o_d
                for z in range(o_d):
                    for v in range(o_h):
                        for u in range(o_w):
                            iz = z * s_d + kz * d_d - p_d
                            iy = v * s_h + ky * d_h - p_h
                            ix = u * s_w + kx * d_w - p_w
                            inside = iz >= 0 and iz < i_d and iy >= 0 and iy < i_h
                            left = {zero}
                            if inside and ix >= 0 and ix < i_w:
                                left = x[((image + iz) * i_h + iy) * i_w + ix]
                            right = y[((ct + z) * o_h + v) * o_w + u]
                            acc = {add}
            out[((line * k_d + kz) * k_h + ky) * k_w + kx] = {store}
"""

# Sums that are nan already stay so: no more terms are read.
_MEND = """\
number = quotient(line, channels)
channel = remainder(line, channels)
group = quotient(channel, c_group)
if flags[channel] != 0:
    for iz in range(i_d):
        for iy in range(i_h):
            for ix in range(i_w):
                place = ((line * i_d + iz) * i_h + iy) * i_w + ix
                if out[place] != out[place]:
                    acc = {zero}
                    o = 0
                    while o < o_group and acc == acc:
{terms}
                        o += 1
                    out[place] = acc
"""

_BODIES = {
    "conv": _CONV,
    "conv_input": _INPUT.replace("{terms}", indent(_INPUT_TERMS, 4)),
    "conv_weight": _WEIGHT,
}


@functools.cache
def plain_kernel(kind: str, dtype: str) -> Kernel:
    """One of "conv", "conv_input" and "conv_weight" for any dtype but bool.

    Its parallel range is the first two axes of the result. Floats narrower than float32 are
    summed in it and rounded once; integers wrap.
    """
    element = dtypes.as_dtype(dtype)
    scalar = element.compute.short
    add = f"{scalar}(acc + {scalar}(left * right))"
    store = "acc" if element.wide is None else f"{dtype}(acc)"
    facts = {"zero": f"{scalar}(0)", "add": add, "store": store}
    body = indent(_BODIES[kind].format(**facts), 2)
    name = f"{kind}_{dtype}_plain"
    return Kernel(name, _HEAD.format(name=name, dtype=dtype, body=body))


@functools.cache
def mend_kernel(dtype: str) -> Kernel:
    """Sums of conv_input that are nan, anew: without the places that have no cotangent.

    Its parallel range is images, channels; the flags, one for each channel, say whose weights are
    not all finite.

    Args:
        dtype: "f32" or "f64".
    """
    facts = {"zero": f"{dtype}(0)", "add": "acc + left * right"}
    body = indent(_MEND.replace("{terms}", indent(_INPUT_TERMS, 6)).format(**facts), 2)
    name = f"conv_mend_{dtype}"
    source = _HEAD.format(name=name, dtype=dtype, body=body)
    flags = "    flags = buffer(args, 25, i64)\n    c_group"
    return Kernel(name, source.replace("    c_group", flags, 1))
