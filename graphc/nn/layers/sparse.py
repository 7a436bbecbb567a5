"""Tables of vectors: Embedding and EmbeddingBag."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from graphc.core.ir import caller
from graphc.core.typing import DTypeLike
from graphc.eager.engine.device import DeviceLike
from graphc.eager.engine.mode import no_grad
from graphc.eager.engine.tensor import Tensor
from graphc.eager.functions.creation import empty
from graphc.errors import AttributeValueError, ShapeError
from graphc.nn import functional as F
from graphc.nn.init import normal_
from graphc.nn.module.layer import layer
from graphc.nn.module.module import Module
from graphc.nn.parameter import Parameter


class _Table(Module):
    """The weight of a table: normal, but for a row of zeros where there is a padding index."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None
    sparse: bool

    def __post_init__(
        self, _weight: Tensor | None = None, _freeze: bool = False,
        device: DeviceLike | None = None, dtype: DTypeLike | None = None,
    ) -> None:  # fmt: skip
        name, rows, columns = type(self).__name__, self.num_embeddings, self.embedding_dim
        if self.padding_idx is not None:
            if not -rows <= self.padding_idx < rows:
                raise AttributeValueError(
                    f"{name}: padding_idx {self.padding_idx} is outside the {rows} rows",
                    where=caller(),
                )
            self.padding_idx %= rows
        if _weight is None:
            value = empty(rows, columns, device=device, dtype=dtype)
            self.weight = Parameter(value, requires_grad=not _freeze)
            self.reset_parameters()
            return
        if tuple(_weight.shape) != (rows, columns):
            raise ShapeError(
                f"{name}: a weight of shape {tuple(_weight.shape)} for {rows} rows of {columns}",
                where=caller(),
            )
        self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw the weight again.

        Example:
            >>> import graphc as gc
            >>> import graphc.nn as nn
            >>> layer = nn.Embedding(3, 2, padding_idx=0)
            >>> layer.reset_parameters()
            >>> layer.weight[0].tolist()
            [0.0, 0.0]
        """
        normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)


def _sizes(name: str, embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ShapeError(
            f"{name}.from_pretrained: the weight must be (rows, columns), its shape is "
            f"{tuple(embeddings.shape)}",
            where=caller(),
        )
    return tuple(embeddings.shape)


@layer(F.embedding)
class Embedding(_Table):
    """A table whose rows indices name; the rows are trained.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the number of columns.
        padding_idx: a row that starts as zeros and gets no gradient, or None.
        max_norm: rows used that are longer are first scaled to this length, in place.
        norm_type: the p of that length.
        scale_grad_by_freq: divide a row's gradient by how often it is used.
        sparse: accepted, see `graphc.nn.functional.embedding`.
        _weight: the table, instead of a drawn one.
        _freeze: whether the table is not trained.
        device: "cpu".
        dtype: of the table.

    Attributes:
        weight: (num_embeddings, embedding_dim), drawn from the normal distribution.

    Example:
        >>> import graphc as gc
        >>> gc.nn.Embedding(10, 3)(gc.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape
        graphc.Size([2, 4, 3])
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False
    sparse: bool = False
    _weight: InitVar[Tensor | None] = None
    _freeze: InitVar[bool] = False
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Any:
        """A layer with a given table.

        Args:
            embeddings: (rows, columns).
            freeze: whether it is not trained.
            padding_idx: as for the class, as are the rest.

        Example:
            >>> import graphc as gc
            >>> layer = gc.nn.Embedding.from_pretrained(gc.tensor([[1.0, 2.0], [3.0, 4.0]]))
            >>> layer(gc.tensor([1]))
            tensor([[3., 4.]])
        """
        rows, columns = _sizes("Embedding", embeddings)
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse,
            _weight=embeddings, _freeze=freeze,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text


@layer(F.embedding_bag, "input offsets per_sample_weights")
class EmbeddingBag(_Table):
    """Sums, means or maxima of the rows of a table, over bags of indices.

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the number of columns.
        max_norm: as for `Embedding`.
        norm_type: likewise.
        scale_grad_by_freq: likewise.
        mode: "sum", "mean" or "max".
        sparse: accepted, see `graphc.nn.functional.embedding`.
        _weight: the table, instead of a drawn one.
        include_last_offset: whether offsets end with the size of the input.
        padding_idx: a row that does not count, or None.
        device: "cpu".
        dtype: of the table.

    Example:
        >>> import graphc as gc
        >>> bag = gc.nn.EmbeddingBag(10, 3, mode="sum")
        >>> bag(gc.tensor([1, 2, 4, 5, 4, 3]), gc.tensor([0, 4])).shape
        graphc.Size([2, 3])
    """

    num_embeddings: int
    embedding_dim: int
    max_norm: float | None = None
    norm_type: float = 2.0
    scale_grad_by_freq: bool = False
    mode: str = "mean"
    sparse: bool = False
    _weight: InitVar[Tensor | None] = None
    include_last_offset: bool = False
    padding_idx: int | None = None
    device: InitVar[DeviceLike | None] = None
    dtype: InitVar[DTypeLike | None] = None

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Any:
        """A layer with a given table.

        Args:
            embeddings: (rows, columns).
            freeze: whether it is not trained.
            max_norm: as for the class, as are the rest.

        Example:
            >>> import graphc as gc
            >>> layer = gc.nn.EmbeddingBag.from_pretrained(gc.tensor([[1.0, 2.0], [3.0, 4.0]]))
            >>> layer(gc.tensor([[0, 1]]))
            tensor([[2., 3.]])
        """
        rows, columns = _sizes("EmbeddingBag", embeddings)
        layer = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings,
            include_last_offset, padding_idx,
        )  # fmt: skip
        layer.weight.requires_grad_(not freeze)
        return layer

    def extra_repr(self) -> str:
        """Its settings, for the text of a model."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text


__all__ = ["Embedding", "EmbeddingBag"]
