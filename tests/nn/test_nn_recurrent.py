"""Recurrent layers take the values of loops written in NumPy, and PyTorch's with gradients."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from attending import close

import graphc as gc
from graphc import nn
from graphc.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
STEPS, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def step(kind: str, x: Any, state: Any, w: Any, activation: Any = np.tanh) -> Any:
    """One step as the papers have it; w holds w_ih, w_hh, b_ih, b_hh and maybe w_hr."""
    w_ih, w_hh, b_ih, b_hh, w_hr = w
    n = w_hh.shape[0] // {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    h = state[0]
    a, b = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
    if kind == "RNN":
        return (activation(a + b),)
    if kind == "LSTM":
        i, f, g, o = np.split(a + b, 4, -1)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        return (h if w_hr is None else h @ w_hr.T), c
    r = sigmoid(a[..., :n] + b[..., :n])
    z = sigmoid(a[..., n : 2 * n] + b[..., n : 2 * n])
    new = np.tanh(a[..., 2 * n :] + r * b[..., 2 * n :])
    return ((1 - z) * new + z * h,)


def weights(layer: Any, number: int, suffix: str) -> list[Any]:
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
    found = [getattr(layer, f"{k}_l{number}{suffix}", None) for k in kinds]
    values = [None if p is None else p.detach().numpy().astype(np.float64) for p in found]
    return [0.0 if k in (2, 3) and v is None else v for k, v in enumerate(values)]


def loops(kind: str, layer: Any, x: np.ndarray, states: Any) -> tuple[np.ndarray, list[Any]]:
    """The layer as loops over layers, directions and steps; x is (steps, batch, features)."""
    activation = np.tanh if getattr(layer, "nonlinearity", "tanh") == "tanh" else relu
    suffixes = ("", "_reverse") if layer.bidirectional else ("",)
    ends = []
    for number in range(layer.num_layers):
        sides = []  # type: ignore[var-annotated]
        for side, suffix in enumerate(suffixes):
            w = weights(layer, number, suffix)
            state = [s[number * len(suffixes) + side] for s in states]
            order = range(len(x)) if side == 0 else range(len(x) - 1, -1, -1)
            out = [None] * len(x)
            for t in order:
                state = step(kind, x[t], state, w, activation)
                out[t] = state[0]
            sides.append(np.stack(out))  # type: ignore[arg-type]
            ends.append(state)
        x = np.concatenate(sides, -1)
    return x, [np.stack(s) for s in zip(*ends)]


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


# kind, options, whether states are given
CONFIGS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "rnn": ("RNN", {}, False),
    "rnn_relu": ("RNN", {"nonlinearity": "relu"}, True),
    "rnn_deep": ("RNN", {"num_layers": 3, "bidirectional": True}, True),
    "rnn_no_bias": ("RNN", {"bias": False, "batch_first": True}, False),
    "lstm": ("LSTM", {}, False),
    "lstm_states": ("LSTM", {}, True),
    "lstm_two": ("LSTM", {"num_layers": 2}, True),
    "lstm_both_ways": ("LSTM", {"bidirectional": True}, True),
    "lstm_deep": ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}, True),
    "lstm_no_bias": ("LSTM", {"bias": False, "num_layers": 2}, False),
    "lstm_projected": ("LSTM", {"proj_size": 2}, True),
    "lstm_projected_deep": (
        "LSTM",
        {"proj_size": 3, "num_layers": 2, "bidirectional": True},
        True,
    ),
    "lstm_projected_no_bias": ("LSTM", {"proj_size": 3, "bias": False}, False),
    "gru": ("GRU", {}, False),
    "gru_states": ("GRU", {"batch_first": True}, True),
    "gru_deep": ("GRU", {"num_layers": 2, "bidirectional": True}, True),
    "gru_no_bias": ("GRU", {"bias": False}, True),
    "lstm_dropped_nothing": ("LSTM", {"num_layers": 2, "dropout": 0.0}, False),
}


def build(case: str, dtype: Any = gc.float32) -> tuple[str, Any, Any, Any]:
    """The kind, a layer, an input (steps first) and states for a configuration."""
    kind, options, with_states = CONFIGS[case]
    gc.manual_seed(4)
    layer = LAYERS[kind](FEATURES, HIDDEN, dtype=dtype, **options)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(STEPS, BATCH, FEATURES)).astype(dtype.numpy)
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    sizes = [layer.proj_size or HIDDEN] + [HIDDEN] * (kind == "LSTM")
    states = [rng.normal(size=(count, BATCH, n)).astype(dtype.numpy) for n in sizes]
    if not with_states:
        states = [0 * s for s in states]
    return kind, layer, x, states


def called(layer: Any, kind: str, x: Any, states: Any) -> tuple[Any, list[Any]]:
    """Output and last states of a layer of either library."""
    hx = None if states is None else tuple(states) if kind == "LSTM" else states[0]
    output, last = layer(x, hx)
    return output, list(last) if kind == "LSTM" else [last]


@pytest.mark.parametrize("case", CONFIGS)
def test_layers_are_the_loops(case: str) -> None:
    kind, layer, x, states = build(case)
    given = gc.tensor(np.swapaxes(x, 0, 1) if layer.batch_first else x)
    tensors = [gc.tensor(s) for s in states] if CONFIGS[case][2] else None
    output, last = called(layer, kind, given, tensors)
    expected, ends = loops(kind, layer, x, states)
    close(output, np.swapaxes(expected, 0, 1) if layer.batch_first else expected)
    for a, b in zip(last, ends, strict=True):
        close(a, b)


@pytest.mark.parametrize("case", CONFIGS)
def test_layers_of_one_sequence(case: str) -> None:
    kind, layer, x, states = build(case)
    tensors = [gc.tensor(s[:, 0]) for s in states] if CONFIGS[case][2] else None
    output, last = called(layer, kind, gc.tensor(x[:, 0]), tensors)
    expected, ends = loops(kind, layer, x[:, :1], [s[:, :1] for s in states])
    close(output, expected[:, 0])
    for a, b in zip(last, ends, strict=True):
        close(a, b[:, 0])


LENGTHS = (3, 5, 1)


@pytest.mark.parametrize("case", CONFIGS)
def test_layers_of_packed_sequences(case: str) -> None:
    kind, layer, x, states = build(case)
    tensors = [gc.tensor(s) for s in states] if CONFIGS[case][2] else None
    packed = pack_padded_sequence(gc.tensor(x), LENGTHS, enforce_sorted=False)
    output, last = called(layer, kind, packed, tensors)
    assert isinstance(output, PackedSequence)
    padded, lengths = pad_packed_sequence(output)
    assert lengths.tolist() == list(LENGTHS)
    for k, n in enumerate(LENGTHS):
        one = [s[:, k : k + 1] for s in states]
        expected, ends = loops(kind, layer, x[:n, k : k + 1], one)
        close(padded[:n, k], expected[:, 0])
        assert (padded[n:, k] == 0).all()
        for a, b in zip(last, ends, strict=True):
            close(a[:, k], b[:, 0])


def torch_twin(torch: Any, case: str, dtype: str) -> tuple[Any, Any]:
    """A layer with the parameters of PyTorch's, and PyTorch's."""
    kind, options, _ = CONFIGS[case]
    _, layer, _, _ = build(case, getattr(gc, dtype))
    theirs = getattr(torch.nn, kind)(FEATURES, HIDDEN, dtype=getattr(torch, dtype), **options)
    assert [n for n, _ in layer.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    state = {key: gc.tensor(value.numpy()) for key, value in theirs.state_dict().items()}
    layer.load_state_dict(state)
    return layer, theirs


def compare(torch: Any, mine: Any, theirs: Any, results: Any, expected: Any, tolerance: float):
    """Values, then the gradients of inputs and parameters of one random functional of them."""
    rng = np.random.default_rng(9)
    total, other = 0, 0
    for a, b in zip(results, expected, strict=True):
        close(a, b.detach().numpy(), tolerance)
        weight = rng.normal(size=a.shape).astype(a.dtype.numpy)
        total = total + (a * gc.tensor(weight)).sum()
        other = other + (b * torch.tensor(weight)).sum()
    total.backward()  # type: ignore[attr-defined]
    other.backward()  # type: ignore[attr-defined]
    for a, b in zip(mine, theirs, strict=True):
        if b.grad is None:
            assert a.grad is None
        else:
            close(a.grad, b.grad.numpy(), 5 * tolerance)


FORMS = [("batch", "float32"), ("batch", "float64"), ("single", "float64"), ("packed", "float64")]


@pytest.mark.parity
@pytest.mark.parametrize("form, dtype", FORMS)
@pytest.mark.parametrize("case", CONFIGS)
@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
def test_layers_as_pytorch(case: str, form: str, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    kind, _, x, states = build(case, getattr(gc, dtype))
    layer, theirs = torch_twin(torch, case, dtype)
    if form == "single":
        x, states = x[:, 0], [s[:, 0] for s in states]
    elif layer.batch_first and form == "batch":
        x = np.swapaxes(x, 0, 1).copy()
    given = CONFIGS[case][2]
    inputs = [gc.tensor(v, requires_grad=True) for v in (x, *(states if given else ()))]
    others = [torch.tensor(v, requires_grad=True) for v in (x, *(states if given else ()))]
    mine, other = inputs[0], others[0]
    if form == "packed":
        pack = torch.nn.utils.rnn.pack_padded_sequence
        mine = pack_padded_sequence(mine, LENGTHS, enforce_sorted=False)  # type: ignore[assignment]
        other = pack(other, torch.tensor(LENGTHS), enforce_sorted=False)
    output, last = called(layer, kind, mine, inputs[1:] or None)
    expected, ends = called(theirs, kind, other, others[1:] or None)
    if form == "packed":
        for a, b in zip(output[1:], expected[1:], strict=True):
            assert a.tolist() == b.tolist()
        output, expected = output.data, expected.data
    compare(
        torch,
        [*inputs, *layer.parameters()],
        [*others, *theirs.parameters()],
        [output, *last],
        [expected, *ends],
        1e-5 if dtype == "float32" else 1e-11,
    )


CELLS = {
    "rnn": ("RNNCell", {}),
    "rnn_relu": ("RNNCell", {"nonlinearity": "relu"}),
    "rnn_no_bias": ("RNNCell", {"bias": False}),
    "lstm": ("LSTMCell", {}),
    "lstm_no_bias": ("LSTMCell", {"bias": False}),
    "gru": ("GRUCell", {}),
    "gru_no_bias": ("GRUCell", {"bias": False}),
}


def cell_values(kind: str, single: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    rng = np.random.default_rng(2)
    lead = () if single else (BATCH,)
    states = [rng.normal(size=(*lead, HIDDEN)) for _ in range(2 if kind == "LSTMCell" else 1)]
    return rng.normal(size=(*lead, FEATURES)), states


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("case", CELLS)
def test_cells(case: str, with_state: bool, single: bool) -> None:
    kind, options = CELLS[case]
    cell = getattr(nn, kind)(FEATURES, HIDDEN, dtype=gc.float64, **options)  # type: ignore[arg-type]
    x, states = cell_values(kind, single)
    states = states if with_state else [0 * s for s in states]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    w = [getattr(cell, n) for n in names]
    w = [0.0 if p is None else p.detach().numpy() for p in w]
    activation = relu if options.get("nonlinearity") == "relu" else np.tanh  # type: ignore[attr-defined]
    expected = step(kind.removesuffix("Cell"), x, states, [*w, None], activation)
    tensors = [gc.tensor(s) for s in states]
    hx = None if not with_state else tuple(tensors) if kind == "LSTMCell" else tensors[0]
    found = cell(gc.tensor(x), hx)
    for a, b in zip(found if kind == "LSTMCell" else (found,), expected, strict=True):
        close(a, b, 1e-12)


@pytest.mark.parity
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("case", CELLS)
def test_cells_as_pytorch(case: str, single: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    kind, options = CELLS[case]
    theirs = getattr(torch.nn, kind)(FEATURES, HIDDEN, dtype=torch.float64, **options)  # type: ignore[arg-type]
    cell = getattr(nn, kind)(FEATURES, HIDDEN, dtype=gc.float64, **options)  # type: ignore[arg-type]
    cell.load_state_dict({k: gc.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    assert repr(cell) == repr(theirs)
    x, states = cell_values(kind, single)
    inputs = [gc.tensor(v, requires_grad=True) for v in (x, *states)]
    others = [torch.tensor(v, requires_grad=True) for v in (x, *states)]
    pair = kind == "LSTMCell"
    found = cell(inputs[0], tuple(inputs[1:]) if pair else inputs[1])
    expected = theirs(others[0], tuple(others[1:]) if pair else others[1])
    compare(
        torch,
        [*inputs, *cell.parameters()],
        [*others, *theirs.parameters()],
        found if pair else [found],
        expected if pair else [expected],
        1e-11,
    )


@pytest.mark.parametrize("kind", LAYERS)
def test_initial_parameters_are_uniform(kind: str) -> None:
    stats = pytest.importorskip("scipy.stats")
    gc.manual_seed(11)
    layer = LAYERS[kind](30, 25, num_layers=2, bidirectional=True)
    bound = 1 / np.sqrt(25)
    for name, parameter in layer.named_parameters():
        values = parameter.detach().numpy().ravel()
        assert np.abs(values).max() <= bound, name
        if values.size > 500:
            assert stats.kstest(values, "uniform", (-bound, 2 * bound)).pvalue > 1e-3, name


REPRS = {
    "RNN(4, 6)": lambda nn: nn.RNN(4, 6),
    "LSTM(4, 6, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)": lambda nn: (
        nn.LSTM(4, 6, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True)
    ),
    "LSTM(4, 6, proj_size=3)": lambda nn: nn.LSTM(4, 6, proj_size=3),
    "GRU(4, 6, bias=False)": lambda nn: nn.GRU(4, 6, bias=False),
    "RNNCell(4, 6, nonlinearity=relu)": lambda nn: nn.RNNCell(4, 6, nonlinearity="relu"),
    "LSTMCell(4, 6)": lambda nn: nn.LSTMCell(4, 6),
    "GRUCell(4, 6, bias=False)": lambda nn: nn.GRUCell(4, 6, bias=False),
}


@pytest.mark.parametrize("text", REPRS)
def test_reprs(text: str) -> None:
    assert repr(REPRS[text](nn)) == text


@pytest.mark.parity
@pytest.mark.parametrize("text", REPRS)
def test_reprs_are_pytorchs(text: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert repr(REPRS[text](torch.nn)) == text


def test_layers_are_copied_and_pickled() -> None:
    layer = nn.LSTM(FEATURES, HIDDEN, num_layers=2, bidirectional=True)
    x = gc.randn(STEPS, BATCH, FEATURES)
    expected = layer(x)[0]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert (twin(x)[0] == expected).all()
        with gc.no_grad():
            twin.weight_ih_l0.zero_()
        assert (twin(x)[0] != expected).any()
    assert (layer(x)[0] == expected).all()
    assert [len(w) for w in layer.all_weights] == [4] * 4


def test_a_parameter_that_is_replaced_is_used() -> None:
    layer = nn.GRU(FEATURES, HIDDEN)
    x = gc.randn(STEPS, BATCH, FEATURES)
    before = layer(x)[0]
    layer.weight_hh_l0 = nn.Parameter(gc.zeros(3 * HIDDEN, HIDDEN))
    assert (layer(x)[0] != before).any()
    assert layer.double()(x.double())[0].dtype is gc.float64


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_compiled_function_takes_a_state_of_fixed_size(kind: str) -> None:
    cell, layer = getattr(nn, f"{kind}Cell")(FEATURES, HIDDEN), LAYERS[kind](FEATURES, HIDDEN)
    h = gc.randn(BATCH, HIDDEN)
    states = ((h, h), (h[None], h[None])) if kind == "LSTM" else (h, h[None])

    def run(x: Any) -> Any:
        first = cell(x, states[0])
        return (first[0] if kind == "LSTM" else first), layer(x[None], states[1])[0]

    x = gc.randn(BATCH, FEATURES)
    for found, wanted in zip(gc.jit.compile(run)(x), run(x), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted.detach().numpy(), atol=1e-6)
    with pytest.raises(gc.errors.ShapeError, match=rf"must have \({BATCH + 1}, {HIDDEN}\)"):
        gc.jit.compile(run)(gc.randn(BATCH + 1, FEATURES))
