"""Recurrent layers in graphs and under `gc.jit`; dropout; second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from attending import close

import graphc as gc
from graphc import nn
from graphc.core.dims import Size
from graphc.nn.functional import recurrent

LAYERS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
STEPS, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6


MODES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_a_graph_scans_the_same_steps(mode: str, reverse: bool) -> None:
    rng = np.random.default_rng(1)
    gates = MODES[mode] * HIDDEN
    shapes = [(STEPS, BATCH, FEATURES), (gates, FEATURES), (gates, HIDDEN), (gates,), (gates,)]
    shapes += [(BATCH, HIDDEN)] * (2 if mode == "LSTM" else 1)
    values = [rng.normal(size=shape) for shape in shapes]
    steps = gc.dim("steps")
    types: list[tuple[Size, ...]] = [(steps, *shapes[0][1:]), *shapes[1:]]
    nodes = [gc.input(f"x{k}", shape, gc.float64) for k, shape in enumerate(types)]
    tensors = [gc.tensor(v, requires_grad=True) for v in values]

    def results(x: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *first: Any) -> list[Any]:
        packed = (w_ih, w_hh, b_ih, b_hh, None)
        output, last = recurrent.run(mode, x, None, first, packed, reverse)
        loss = (output * output).sum() + sum((s * s * s).sum() for s in last)
        return [loss, output, *last]

    loss, *rest = results(*nodes)
    program = gc.compile(nodes, [*rest, *gc.grad(loss, nodes)])
    total, *eager = results(*tensors)
    total.backward()
    found = program(*values)
    for a, b in zip(found, [*eager, *(t.grad for t in tensors)], strict=True):
        close(b, a, 1e-10)
    # The same program for another number of steps.
    longer = rng.normal(size=(STEPS + 4, BATCH, FEATURES))
    _, *eager = results(gc.tensor(longer), *tensors[1:])
    close(eager[0], program(longer, *values[1:])[0], 1e-10)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True, "dropout": 0.3}])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_compiled_layer_takes_any_length(kind: str, options: dict[str, Any]) -> None:
    gc.manual_seed(6)
    layer = LAYERS[kind](FEATURES, HIDDEN, **options)
    compiled = gc.jit.compile(lambda x: layer(x)[0])
    for steps in (7, 3, 40):
        x = gc.randn(steps, BATCH, FEATURES)
        gc.manual_seed(steps)
        expected = layer(x)[0].detach().numpy()
        gc.manual_seed(steps)
        close(compiled(x), expected)
    assert len(compiled.variants) == 1


@pytest.mark.parametrize("kind", LAYERS)
def test_a_compiled_training_step(kind: str) -> None:
    def losses(compiled: bool) -> list[float]:
        gc.manual_seed(7)
        layer = LAYERS[kind](FEATURES, HIDDEN, num_layers=2, dropout=0.3, batch_first=True)
        optimizer = gc.optim.SGD(layer.parameters(), lr=0.5)

        def step(x: Any) -> Any:
            optimizer.zero_grad()
            loss = (layer(x)[0] - 1).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        run = gc.jit.compile(step) if compiled else step
        return [float(run(gc.randn(n, STEPS, FEATURES))) for n in (BATCH, BATCH, 5, 4)]

    found = losses(True)
    assert found == pytest.approx(losses(False), rel=1e-5)
    assert found[-1] < found[0]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_large_sequence_is_one_loop(
    kind: str, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.manual_seed(3)
    layer = LAYERS[kind](8, 64, bidirectional=True, bias=bias)
    steps = 8
    assert steps * 16 * layer.weight_hh_l0.shape[0] >= recurrent.COMPILED_ABOVE
    x = gc.randn(steps, 16, 8, requires_grad=True)
    weight = gc.randn(steps, 16, 128)

    def results() -> list[np.ndarray]:
        layer.zero_grad()
        x.grad = None
        output, last = layer(x)
        last = last if kind == "LSTM" else (last,)
        (output * weight).backward(gc.ones(steps, 16, 128))
        tensors = [output, *last, x.grad, *(p.grad for p in layer.parameters())]
        return [t.detach().numpy() for t in tensors]

    found = results()
    monkeypatch.setattr(recurrent, "COMPILED_ABOVE", 1 << 60)
    for a, b in zip(found, results(), strict=True):
        close(a, b, 1e-3)


@pytest.mark.parametrize("kind", LAYERS)
def test_dropout_acts_between_layers_in_training(kind: str) -> None:
    gc.manual_seed(0)
    layer = LAYERS[kind](FEATURES, HIDDEN, num_layers=2, dropout=0.5)
    x = gc.randn(STEPS, BATCH, FEATURES)
    gc.manual_seed(1)
    first = layer(x)[0]
    gc.manual_seed(1)
    same = layer(x)[0]
    other = layer(x)[0]
    assert (first == same).all() and (first != other).any()
    layer.eval()
    assert (layer(x)[0] == layer(x)[0]).all()
    plain = LAYERS[kind](FEATURES, HIDDEN, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    assert (plain(x)[0] == layer(x)[0]).all()
    # With everything dropped the second layer sees zeros, whatever the input.
    layer = LAYERS[kind](FEATURES, HIDDEN, num_layers=2, dropout=1.0)
    assert (layer(x)[0] == layer(x * 2)[0]).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_second_derivatives(kind: str) -> None:
    gc.manual_seed(2)
    layer = LAYERS[kind](2, 3, dtype=gc.float64)
    x = gc.randn(3, 2, 2, dtype=gc.float64, requires_grad=True)
    assert gc.autograd.gradcheck(lambda x: layer(x)[0], [x])
    assert gc.autograd.gradgradcheck(lambda x: layer(x)[0], [x])


def test_gradients_of_parts_that_are_not_used() -> None:
    rows = gc.ones(6, 2, requires_grad=True)
    parts = recurrent.pieces(rows, [3, 2, 1])
    (parts[0].sum() + 2 * parts[2].sum()).backward()
    assert rows.grad[:, 0].tolist() == [1, 1, 1, 0, 0, 2]
    with gc.no_grad():
        assert not any(p.requires_grad for p in recurrent.pieces(rows, [3, 3]))
