"""Kernels that differ only in constants become one, which finds them among its arguments.

    y[i0] = x[i0 + 64] * f32(0.5)              c0 = args[2]
    y[i0] = x[i0 + 128] * f32(0.25)     ->     c1 = number_at(args, 3, f32)
                                               y[i0] = x[i0 + c0] * c1

A model that is unrolled reads its input at another offset in each step, and a schedule has another
factor in each: the source is the same but for those numbers. What is added in an index, what an
index is compared with, and floats may become arguments; extents of loops, factors and divisors
stay in the source, where they tell LLVM how memory is walked. A kernel alone of its kind keeps
all of its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.core import dtypes
from graphc.runtime.base.kernel import Kernel, generated
from graphc.runtime.base.step import Number, Step
from graphc.runtime.fused.many import float_bits
from graphc.runtime.language.names import numbered

_FLOAT = r"(?P<float>\b(?P<dtype>f32|f64)\((?P<value>-?\d[\d.]*(?:e[+-]?\d+)?)\))"
# The last term of an index, or one side of a comparison of indices.
_ADDED = r"(?<=[+-] )(?P<added>\d+)(?=[\]),:]| [<=a]|$)"
_COMPARED = r"(?:(?<=<= )|(?<=< )|(?<=== ))(?P<compared>\d+)(?= and|:|$)"
_BOUND = r"(?P<bound>\b\d+)(?= <=? [a-z])"
_INDEX = r"(?<=\d\[)(?P<index>\d+)(?=\])"
_CONSTANT = re.compile("|".join((_FLOAT, _ADDED, _COMPARED, _BOUND, _INDEX)), re.MULTILINE)
_HOLE = "\0"


@dataclass(frozen=True, slots=True)
class Constant:
    """A number of a kernel's source that may become an argument; `dtype` is that of a float."""

    start: int
    end: int
    text: str
    dtype: str = ""

    @property
    def word(self) -> int:
        """Its argument."""
        if not self.dtype:
            return int(self.text)
        return float_bits(_DTYPES[self.dtype], float(self.text))


_DTYPES = {"f32": dtypes.float32, "f64": dtypes.float64}


def share_kernels(steps: Sequence[Step]) -> list[Step]:
    """The steps, with one kernel for all that differ in constants alone.

    Args:
        steps: of one program.
    """
    alike: dict[tuple[str, str], dict[Kernel, list[Constant]]] = {}
    for kernel in dict.fromkeys(step.kernel for step in steps):
        if kernel.label:
            found = constants(kernel)
            alike.setdefault((kernel.label, _skeleton(kernel, found)), {})[kernel] = found
    new: dict[Kernel, tuple[Kernel, list[Number]]] = {}
    for kernels in alike.values():
        if len(kernels) > 1:
            new.update(_shared(kernels, steps))
    return [_changed(step, *new[step.kernel]) if step.kernel in new else step for step in steps]


def constants(kernel: Kernel) -> list[Constant]:
    """The numbers of a kernel's source that may become arguments, in order.

    Example:
        >>> kernel = generated("one", "    v0 = p0[i0 * 8 + 3] * f32(0.5)\\n")
        >>> [constant.text for constant in constants(kernel)]
        ['3', '0.5']
    """
    found = []
    first = kernel.source.index("\n")
    for match in _CONSTANT.finditer(kernel.source, first):
        text = match["value"] or match[0]
        found.append(Constant(match.start(), match.end(), text, match["dtype"] or ""))
    return found


def _skeleton(kernel: Kernel, found: Sequence[Constant]) -> str:
    """The source with holes for the constants; of floats the dtype stays."""
    return _filled(kernel, found, [c.dtype + _HOLE for c in found])


def _filled(kernel: Kernel, found: Sequence[Constant], texts: Sequence[str]) -> str:
    """The lines of a kernel with other texts for its constants."""
    source = kernel.source
    parts, at = [], source.index("\n") + 1
    for constant, text in zip(found, texts):
        parts += [source[at : constant.start], text]
        at = constant.end
    return "".join([*parts, source[at:]])


def _shared(
    kernels: dict[Kernel, list[Constant]], steps: Sequence[Step]
) -> dict[Kernel, tuple[Kernel, list[Number]]]:
    """For each of some kernels of one skeleton, the kernel of all and the arguments to add.

    Constants that are equal in every kernel stay, and those that vary alike are one argument.
    """
    every = list(kernels.values())
    columns = [tuple(c.text for c in column) for column in zip(*every)]
    first = next(step for step in steps if step.kernel in kernels)
    names = numbered("c")
    known: dict[tuple[str, tuple[str, ...]], str] = {}
    lines: list[str] = []
    texts: list[str] = []
    places: list[int] = []
    for place, (constant, column) in enumerate(zip(every[0], columns)):
        if len(set(column)) == 1:
            texts.append(_text(constant))
            continue
        key = (constant.dtype, column)
        if key not in known:
            name = known[key] = next(names)
            at = len(first.args) + len(places)
            read = f"number_at(args, {at}, {constant.dtype})" if constant.dtype else f"args[{at}]"
            lines.append(f"    {name} = {read}\n")
            places.append(place)
        texts.append(known[key])
    kernel, found = next(iter(kernels.items()))
    shared = generated(kernel.label, "".join(lines) + _filled(kernel, found, texts))
    return {
        each: (shared, [Number(found[place].word) for place in places])
        for each, found in kernels.items()
    }


def _text(constant: Constant) -> str:
    return f"{constant.dtype}({constant.text})" if constant.dtype else constant.text


def _changed(step: Step, kernel: Kernel, numbers: Sequence[Number]) -> Step:
    return replace(step, kernel=kernel, args=(*step.args, *numbers))
