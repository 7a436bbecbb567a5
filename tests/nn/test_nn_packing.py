"""Packing and padding of sequences; the errors of recurrent layers, whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attending import close
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc import nn
from graphc.nn.utils.rnn import (
    invert_permutation,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)


def test_pad_sequence() -> None:
    sequences = [np.arange(n * 2.0).reshape(n, 2) + 1 for n in (2, 4, 0, 3)]
    tensors = [gc.tensor(s, requires_grad=True) for s in sequences]
    expected = np.full((4, 4, 2), -1.0)
    for k, s in enumerate(sequences):
        expected[k, : len(s)] = s
    found = pad_sequence(tensors, batch_first=True, padding_value=-1)
    close(found, expected, 0)
    close(pad_sequence(tensors, padding_value=-1), np.swapaxes(expected, 0, 1), 0)
    for k, s in enumerate(sequences):
        expected[k] = -1
        expected[k, 4 - len(s) :] = s
    left = pad_sequence(tensors, True, -1, padding_side="left")
    close(left, expected, 0)
    (found * 3).sum().backward()
    for t in tensors:
        assert (t.grad == 3).all()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.booleans(), st.integers(0, 2))
@settings(max_examples=30, deadline=None)
def test_packing_and_unpacking(lengths: list[int], batch_first: bool, extra: int) -> None:
    rng = np.random.default_rng(len(lengths))
    sequences = [rng.normal(size=(n, 2)).astype(np.float32) for n in lengths]
    tensors = [gc.tensor(s) for s in sequences]
    padded = pad_sequence(tensors, batch_first)
    packed = pack_padded_sequence(padded, lengths, batch_first, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [sum(n > t for n in lengths) for t in range(max(lengths))]
    assert packed.data.shape == (sum(lengths), 2)
    total = max(lengths) + extra
    back, found = pad_packed_sequence(packed, batch_first, 7.0, total)
    assert found.tolist() == lengths
    assert back.shape[1 if batch_first else 0] == total
    for a, b in zip(unpad_sequence(back, found, batch_first), sequences, strict=True):
        close(a, b, 0)
    again = pack_sequence(tensors, enforce_sorted=False)
    assert (again.data == packed.data).all()
    for a, b in zip(unpack_sequence(again), sequences, strict=True):
        close(a, b, 0)
    rest = back if batch_first else back.transpose(0, 1)
    for row, n in zip(rest, lengths, strict=True):
        assert (row[n:] == 7).all()


@pytest.mark.parity
@pytest.mark.parametrize("ordered", [True, False])
def test_packing_as_pytorch(ordered: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    theirs = torch.nn.utils.rnn
    lengths = [5, 3, 3, 1] if ordered else [3, 1, 5, 3]
    x = np.random.default_rng(0).normal(size=(6, 4, 2))
    packed = pack_padded_sequence(gc.tensor(x), lengths, enforce_sorted=ordered)
    other = theirs.pack_padded_sequence(torch.tensor(x), lengths, enforce_sorted=ordered)
    for a, b in zip(packed, other, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            close(a, b.numpy(), 0)
    for a, b in zip(pad_packed_sequence(packed), theirs.pad_packed_sequence(other), strict=True):
        close(a, b.numpy(), 0)


def test_packed_sequences_convert() -> None:
    packed = pack_sequence([gc.tensor([[1.0], [2.0]]), gc.tensor([[3.0]])])
    assert packed.double().data.dtype is gc.float64
    assert packed.half().float().data.dtype is gc.float32
    assert packed.to(gc.float64).batch_sizes.tolist() == [2, 1]
    assert packed.cpu() is packed and not packed.is_cuda
    assert invert_permutation(None) is None


def text_of(make: Any, kind: type[Exception]) -> str:
    """A whole message, without the line it names."""
    with pytest.raises(kind) as caught:
        make()
    lines = str(caught.value).split("\n")
    places = [line for line in lines if line.startswith("  at ")]
    assert all("test_nn_packing.py:" in line for line in places), places
    return "\n".join(line for line in lines if line not in places)


E = gc.errors
LSTM = nn.LSTM(4, 6)
ERRORS = {
    "LSTM: input_size is 0; it must be above 0": (
        lambda: nn.LSTM(0, 6),
        E.AttributeValueError,
    ),
    "GRU: hidden_size is 2.5; it must be an int": (lambda: nn.GRU(4, 2.5), E.ArgumentError),  # type: ignore[arg-type]
    "LSTM: dropout is 1.5; it must be a probability from 0 to 1": (
        lambda: nn.LSTM(4, 6, 2, dropout=1.5),
        E.AttributeValueError,
    ),
    "LSTM: proj_size is 6; it must be 0, for no projection, or below hidden_size, 6": (
        lambda: nn.LSTM(4, 6, proj_size=6),
        E.AttributeValueError,
    ),
    "RNN: nonlinearity is 'elu'; it must be 'tanh' or 'relu'": (
        lambda: nn.RNN(4, 6, nonlinearity="elu"),
        E.AttributeValueError,
    ),
    "RNNCell: nonlinearity is 'elu'; it must be 'tanh' or 'relu'": (
        lambda: nn.RNNCell(4, 6, nonlinearity="elu"),
        E.AttributeValueError,
    ),
    "GRU: batch_first is 1; it must be True or False": (
        lambda: nn.GRU(4, 6, batch_first=1),  # type: ignore[arg-type]
        E.ArgumentError,
    ),
    "LSTM: the input has 1 axes; it must have 3, or 2 for one sequence without a batch\n"
    "  the input: f32[4]": (lambda: LSTM(gc.zeros(4)), E.ShapeError),
    "LSTM: the input has 5 features, the layer takes 4\n  the input: f32[7, 2, 5]": (
        lambda: LSTM(gc.zeros(7, 2, 5)),
        E.ShapeError,
    ),
    "LSTM: the sequence has no steps\n  the input: f32[0, 2, 4]": (
        lambda: LSTM(gc.zeros(0, 2, 4)),
        E.ShapeError,
    ),
    "LSTM: the input has dtype float64, the weights float32\n"
    "  hint: convert the input, input.to(gc.float32), or the layer, layer.to(gc.float64)": (
        lambda: LSTM(gc.zeros(7, 2, 4, dtype=gc.float64)),
        E.DTypeError,
    ),
    "LSTM: hx must be the pair (h_0, c_0)": (
        lambda: LSTM(gc.zeros(7, 2, 4), gc.zeros(1, 2, 6)),
        E.ArgumentError,
    ),
    "LSTM: c_0 has shape (1, 3, 6); it must have (1, 2, 6), which is (layers, batch, hidden)": (
        lambda: LSTM(gc.zeros(7, 2, 4), (gc.zeros(1, 2, 6), gc.zeros(1, 3, 6))),
        E.ShapeError,
    ),
    "LSTM: h_0 has shape (1, 1, 6); it must have (1, 6), which is (layers, hidden)": (
        lambda: LSTM(gc.zeros(7, 4), (gc.zeros(1, 1, 6), gc.zeros(1, 6))),
        E.ShapeError,
    ),
    "GRUCell: the input has shape (2, 5); it must have (batch, 4) or (4,)": (
        lambda: nn.GRUCell(4, 6)(gc.zeros(2, 5)),
        E.ShapeError,
    ),
    "LSTMCell: c has shape (2, 5); it must have (2, 6), as the input has (2, 4)": (
        lambda: nn.LSTMCell(4, 6)(gc.zeros(2, 4), (gc.zeros(2, 6), gc.zeros(2, 5))),
        E.ShapeError,
    ),
    "LSTMCell: hx must be the pair (h, c)": (
        lambda: nn.LSTMCell(4, 6)(gc.zeros(2, 4), gc.zeros(2, 6)),
        E.ArgumentError,
    ),
    "pack_padded_sequence: lengths [1, 2] are not sorted, longest first\n"
    "  hint: pass enforce_sorted=False, which sorts them": (
        lambda: pack_padded_sequence(gc.zeros(2, 2), [1, 2]),
        E.AttributeValueError,
    ),
    "pack_padded_sequence: a length of 3 for an input of 2 steps": (
        lambda: pack_padded_sequence(gc.zeros(2, 2), [3, 2]),
        E.ShapeError,
    ),
    "lengths: 0 is among them; every sequence must have at least one element": (
        lambda: pack_padded_sequence(gc.zeros(2, 2), [1, 0]),
        E.AttributeValueError,
    ),
    "lengths: 1 lengths for a batch of 2 sequences": (
        lambda: pack_padded_sequence(gc.zeros(2, 2), [1]),
        E.ShapeError,
    ),
    "pad_packed_sequence: total_length is 1, the longest sequence has 2 steps": (
        lambda: pad_packed_sequence(pack_sequence([gc.zeros(2)]), total_length=1),
        E.AttributeValueError,
    ),
    "pad_sequence: needs a list of tensors, at least one": (
        lambda: pad_sequence([]),
        E.ArgumentError,
    ),
    "pad_sequence: sequences of shapes (2, 3) and (2, 4) differ beside their length": (
        lambda: pad_sequence([gc.zeros(2, 3), gc.zeros(2, 4)]),
        E.ShapeError,
    ),
    "pad_sequence: padding_side is 'up'; it must be 'left' or 'right'": (
        lambda: pad_sequence([gc.zeros(2)], padding_side="up"),
        E.AttributeValueError,
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_the_whole_text_of_errors(text: str) -> None:
    make, kind = ERRORS[text]
    assert text_of(make, kind) == text


def test_dropout_of_one_layer_is_warned_about() -> None:
    with pytest.warns(E.GraphcWarning) as caught:
        nn.LSTM(4, 6, dropout=0.5)
    assert str(caught[0].message) == (
        "LSTM: dropout=0.5 acts between layers, and there is one layer only"
    )
