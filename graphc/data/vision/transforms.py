"""Transforms of images: arrays (height, width[, channels]), or tensors (channels, height, width).

Random ones draw from the default generator, so `gc.manual_seed` fixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from graphc.core.ir import caller
from graphc.core.typing import Ints
from graphc.eager.engine.tensor import Tensor, wrap
from graphc.eager.functions.random import rand, randint
from graphc.errors import ArgumentError, AttributeValueError, ShapeError


def _pixels(image: npt.ArrayLike) -> tuple[np.ndarray, bool]:
    """An image as an array whose last two axes are height and width, and whether it was one so."""
    if isinstance(image, Tensor):
        return image._array, True
    if not isinstance(image, np.ndarray):
        image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise ShapeError(
            f"an image of shape {image.shape}",
            where=caller(),
            hint="arrays (height, width) or (height, width, channels), or tensors with height "
            "and width last",
        )
    return (image if image.ndim == 2 else image.transpose(2, 0, 1)), False


def _like(array: np.ndarray, was_tensor: bool) -> Any:
    if was_tensor:
        return wrap(np.ascontiguousarray(array))
    return np.ascontiguousarray(array if array.ndim == 2 else array.transpose(1, 2, 0))


class Compose:
    """Transforms one after the other.

    Args:
        transforms: the functions.

    Example:
        >>> import numpy as np
        >>> from graphc.data.vision import transforms
        >>> both = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
        >>> both(np.zeros((1, 2), np.uint8))
        tensor([[[-1., -1.]]])
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Any) -> Any:
        for transform in self.transforms:
            image = transform(image)
        return image

    def __repr__(self) -> str:
        inside = "".join(f"\n    {t}" for t in self.transforms)
        return f"Compose({inside}\n)"


class ToTensor:
    """An image as a float32 tensor (channels, height, width); uint8 values divided by 255.

    Example:
        >>> import numpy as np
        >>> from graphc.data.vision import transforms
        >>> transforms.ToTensor()(np.full((1, 2), 255, np.uint8))
        tensor([[[1., 1.]]])
    """

    def __call__(self, image: Any) -> Tensor:
        array, was_tensor = _pixels(image)
        if was_tensor:
            return image
        if array.ndim == 2:
            array = array[None]
        if array.dtype == np.uint8:
            return wrap(np.divide(array, np.float32(255), dtype=np.float32, order="C"))
        return wrap(np.ascontiguousarray(array))

    def __repr__(self) -> str:
        return "ToTensor()"


class Normalize:
    """A float tensor minus a mean, divided by a standard deviation, channel by channel.

    Args:
        mean: a number, or one a channel.
        std: likewise.
        inplace: write into the tensor itself.

    Raises:
        AttributeValueError: a std is 0.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.transforms.Normalize((0.5,), (0.5,))(gc.tensor([[[0.0, 0.5, 1.0]]]))
        tensor([[[-1.,  0.,  1.]]])
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        self.mean, self.std, self.inplace = mean, std, inplace
        self._mean, self._std = (np.asarray(v, np.float32).reshape(-1, 1, 1) for v in (mean, std))
        if (self._std == 0).any():
            raise AttributeValueError(f"Normalize: std={std!r} holds a 0", where=caller())

    def __call__(self, tensor: npt.ArrayLike) -> Tensor:
        if not isinstance(tensor, Tensor) or not tensor.dtype.is_float:
            raise ArgumentError(
                f"Normalize: {type(tensor).__name__} is not a float tensor",
                where=caller(),
                hint="apply ToTensor() before",
            )
        array = tensor._array
        if array.ndim < 3 or (len(self._mean) not in (1, array.shape[-3])):
            raise ShapeError(
                f"Normalize: {len(self._mean)} means for a tensor of shape {array.shape}",
                where=caller(),
            )
        result = np.subtract(array, self._mean, out=array if self.inplace else None)
        result /= self._std
        return tensor if self.inplace else wrap(result)

    def __repr__(self) -> str:
        return f"Normalize(mean={self.mean}, std={self.std})"


def _pair(value: Ints) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    pair = tuple(int(v) for v in value)
    return (pair[0], pair[0]) if len(pair) == 1 else pair  # type: ignore[return-value]


def _weights(before: int, after: int, antialias: bool) -> np.ndarray:
    """The matrix (after, before) of linear interpolation, widened to average when shrinking.

    Source: the triangle filter of PyTorch's `interpolate(mode="bilinear", antialias=True)`,
    which is Pillow's.
    """
    scale = before / after
    support = max(scale, 1.0) if antialias else 1.0
    centers = (np.arange(after) + 0.5) * scale
    matrix = np.zeros((after, before))
    if not antialias:
        places = np.clip(centers - 0.5, 0, before - 1)
        low = np.floor(places).astype(int)
        high = np.minimum(low + 1, before - 1)
        rows = np.arange(after)
        np.add.at(matrix, (rows, low), 1 - (places - low))
        np.add.at(matrix, (rows, high), places - low)
        return matrix
    for row, center in enumerate(centers):
        first = max(int(center - support + 0.5), 0)
        last = min(int(center + support + 0.5), before)
        columns = np.arange(first, last)
        each = np.maximum(0, 1 - np.abs((columns - center + 0.5) / support))
        matrix[row, first:last] = each / each.sum()
    return matrix


class Resize:
    """An image at another size, by bilinear interpolation.

    Args:
        size: (height, width), or the shorter side.
        interpolation: "bilinear" (or 2, Pillow's number).
        max_size: most for the longer side, when size is one number.
        antialias: average where the image gets smaller.

    Example:
        >>> import numpy as np
        >>> from graphc.data.vision import transforms
        >>> transforms.Resize((4, 6))(np.zeros((8, 8, 3), np.uint8)).shape
        (4, 6, 3)
    """

    def __init__(
        self, size: Ints, interpolation: Any = "bilinear", max_size: int | None = None,
        antialias: bool = True,
    ) -> None:  # fmt: skip
        if interpolation not in ("bilinear", 2) and "bilinear" not in str(interpolation).lower():
            raise AttributeValueError(
                f"Resize: interpolation={interpolation!r}", where=caller(), hint='"bilinear"'
            )
        self.size, self.max_size, self.antialias = size, max_size, antialias

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if not isinstance(self.size, int) and len(self.size) == 2:
            return _pair(self.size)
        short = self.size if isinstance(self.size, int) else self.size[0]
        low, high = sorted((height, width))
        long = int(short * high / low)
        if self.max_size is not None and long > self.max_size:
            short, long = int(self.max_size * short / long), self.max_size
        return (short, long) if height <= width else (long, short)

    def __call__(self, image: Any) -> Any:
        array, was_tensor = _pixels(image)
        height, width = self._target(*array.shape[-2:])
        if (height, width) == array.shape[-2:]:
            return image
        rows = _weights(array.shape[-2], height, self.antialias)
        columns = _weights(array.shape[-1], width, self.antialias)
        found = rows @ (array.astype(np.float64) @ columns.T)
        if array.dtype.kind in "iu":
            info = np.iinfo(array.dtype)
            found = np.clip(np.rint(found), info.min, info.max)
        return _like(found.astype(array.dtype), was_tensor)

    def __repr__(self) -> str:
        return (
            f"Resize(size={self.size}, interpolation=bilinear, max_size={self.max_size}, "
            f"antialias={self.antialias})"
        )


def _padded(
    array: np.ndarray, widths: tuple[int, int, int, int], fill: float | Sequence[float], mode: str
) -> Any:
    left, top, right, bottom = widths
    pads = [(0, 0)] * (array.ndim - 2) + [(top, bottom), (left, right)]
    if mode == "constant":
        return np.pad(array, pads, constant_values=fill)
    return np.pad(array, pads, mode={"edge": "edge", "reflect": "reflect",
                                     "symmetric": "symmetric"}[mode])  # type: ignore[call-overload]  # fmt: skip


class CenterCrop:
    """The middle of an image; zeros around where it is too small.

    Args:
        size: (height, width), or both.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.transforms.CenterCrop(2)(gc.arange(16).reshape(1, 4, 4))
        tensor([[[ 5,  6],
                 [ 9, 10]]])
    """

    def __init__(self, size: Ints) -> None:
        self.size = _pair(size)

    def __call__(self, image: Any) -> Any:
        array, was_tensor = _pixels(image)
        height, width = self.size
        short = max(height - array.shape[-2], 0), max(width - array.shape[-1], 0)
        if any(short):
            widths = (short[1] // 2, short[0] // 2, (short[1] + 1) // 2, (short[0] + 1) // 2)
            array = _padded(array, widths, 0, "constant")
        top = round((array.shape[-2] - height) / 2)
        left = round((array.shape[-1] - width) / 2)
        return _like(array[..., top : top + height, left : left + width], was_tensor)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class RandomCrop:
    """A part of an image at a random place.

    Args:
        size: (height, width), or both.
        padding: pixels around the image first: one number, (x, y), or (left, top, right, bottom).
        pad_if_needed: pad where the image is smaller than the part.
        fill: what the padding holds.
        padding_mode: "constant", "edge", "reflect" or "symmetric".

    Raises:
        ShapeError: the image is smaller than the part.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.transforms.RandomCrop(2)(gc.zeros(1, 4, 4)).shape
        graphc.Size([1, 2, 2])
    """

    def __init__(
        self, size: Ints, padding: Any = None, pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0, padding_mode: str = "constant",
    ) -> None:  # fmt: skip
        self.size, self.padding, self.pad_if_needed = _pair(size), padding, pad_if_needed
        self.fill, self.padding_mode = fill, padding_mode
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise AttributeValueError(f"RandomCrop: padding_mode={padding_mode!r}", where=caller())

    def _widths(self) -> tuple[int, int, int, int]:
        if self.padding is None:
            return 0, 0, 0, 0
        if isinstance(self.padding, int):
            return (self.padding,) * 4
        given = tuple(self.padding)
        return given if len(given) == 4 else (given * 2 if len(given) == 2 else given * 4)

    def __call__(self, image: Any) -> Any:
        array, was_tensor = _pixels(image)
        if self.padding is not None:
            array = _padded(array, self._widths(), self.fill, self.padding_mode)
        height, width = self.size
        if self.pad_if_needed:
            below, beside = max(height - array.shape[-2], 0), max(width - array.shape[-1], 0)
            if below or beside:
                widths = (beside, below, beside, below)
                array = _padded(array, widths, self.fill, self.padding_mode)
        room = array.shape[-2] - height, array.shape[-1] - width
        if min(room) < 0:
            raise ShapeError(
                f"RandomCrop: a part of {self.size} of an image of {array.shape[-2:]}",
                where=caller(),
                hint="use padding=, or pad_if_needed=True",
            )
        top, left = (int(randint(0, r + 1, ())) if r else 0 for r in room)
        return _like(array[..., top : top + height, left : left + width], was_tensor)

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip:
    """An image mirrored left to right with a probability.

    Args:
        p: the probability.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.transforms.RandomHorizontalFlip(p=1.0)(gc.tensor([[[1, 2, 3]]]))
        tensor([[[3, 2, 1]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise AttributeValueError(f"RandomHorizontalFlip: p={p!r}", where=caller())
        self.p = p

    def __call__(self, image: Any) -> Any:
        if float(rand(())) >= self.p:
            return image
        array, was_tensor = _pixels(image)
        return _like(array[..., ::-1], was_tensor)

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


class Lambda:
    """Any function as a transform.

    Args:
        lambd: the function.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.transforms.Lambda(lambda image: 255 - image)(gc.tensor([0, 255]))
        tensor([255,   0])
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise ArgumentError(f"Lambda: {type(lambd).__name__} is not a function", where=caller())
        self.lambd = lambd

    def __call__(self, image: Any) -> Any:
        return self.lambd(image)

    def __repr__(self) -> str:
        return "Lambda()"


__all__ = [
    "CenterCrop", "Compose", "Lambda", "Normalize", "RandomCrop", "RandomHorizontalFlip", "Resize",
    "ToTensor",
]  # fmt: skip
