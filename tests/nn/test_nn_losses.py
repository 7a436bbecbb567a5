"""Losses, as functions and as layers: beside PyTorch, formulas, differences; reductions; errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import networks
import numpy as np
import pytest
from scipy import special, stats

import graphc as gc
import graphc.nn.functional as F
from graphc.errors import GraphcError, GraphcWarning

# One line a case, by names that both libraries have; `r` stands for each reduction.
CASES = """
F.mse_loss(a, b, reduction=r) | F.l1_loss(a, b, reduction=r)
F.mse_loss(a, b, weight=p.detach(), reduction=r) | F.l1_loss(a, b, weight=p.detach(), reduction=r)
F.smooth_l1_loss(a, b, reduction=r) | F.smooth_l1_loss(a, b, reduction=r, beta=0.4)
F.smooth_l1_loss(a, b, reduction=r, beta=0.0) | F.huber_loss(a, b, reduction=r)
F.huber_loss(a, b, r, 0.4) | F.huber_loss(a, b, r, weight=p.detach())
F.binary_cross_entropy(p, bits, reduction=r)
F.binary_cross_entropy(p, bits, d.detach(), reduction=r) | F.binary_cross_entropy(p, q, reduction=r)
F.binary_cross_entropy_with_logits(a, bits, reduction=r)
F.binary_cross_entropy_with_logits(a, q, d.detach(), reduction=r, pos_weight=p[0].detach() * 3)
F.binary_cross_entropy_with_logits(a * 100, bits, reduction=r)
F.cross_entropy(logits, labels, reduction=r)
F.cross_entropy(logits, labels, ch.detach(), reduction=r)
F.cross_entropy(logits, some, reduction=r) | F.cross_entropy(logits, some, ch.detach(), reduction=r)
F.cross_entropy(logits, labels, ignore_index=1, reduction=r)
F.cross_entropy(logits, labels, label_smoothing=0.2, reduction=r)
F.cross_entropy(logits, some, ch.detach(), label_smoothing=0.2, reduction=r)
F.cross_entropy(logits, probs, reduction=r)
F.cross_entropy(logits, probs, ch.detach(), label_smoothing=0.1, reduction=r)
F.cross_entropy(maps, planes, reduction=r)
F.cross_entropy(maps, planes, ch.detach(), label_smoothing=0.3, ignore_index=0, reduction=r)
F.cross_entropy(logits[0], labels[1], reduction=r)
F.cross_entropy(logits * 500, labels, reduction=r)
F.cross_entropy(maps, F.softmax(maps, 1), reduction=r)
F.cross_entropy(logits[0], probs[0], reduction=r)
F.nll_loss(F.log_softmax(logits, 1), labels, reduction=r)
F.nll_loss(logits, some, ch.detach(), reduction=r) | F.nll_loss(maps, planes, reduction=r)
F.nll_loss(logits[0], labels[0], reduction=r)
F.nll_loss(maps, planes, ch.detach(), ignore_index=3, reduction=r)
F.kl_div(t.log(p), q, reduction=r) | F.kl_div(t.log(p), t.log(q), reduction=r, log_target=True)
F.kl_div(t.log(p), bits, reduction=r) | F.poisson_nll_loss(a, counts, reduction=r)
F.poisson_nll_loss(a, counts, full=True, reduction=r)
F.poisson_nll_loss(p, counts, False, True, reduction=r) | F.gaussian_nll_loss(a, b, p, reduction=r)
F.gaussian_nll_loss(a, b, ch, True, reduction=r) | F.gaussian_nll_loss(a, b, p[:, :1], reduction=r)
F.gaussian_nll_loss(a, b, p * 1e-9, reduction=r) | F.cosine_embedding_loss(a, b, signs, reduction=r)
F.cosine_embedding_loss(a, b, signs, 0.2, reduction=r)
F.cosine_embedding_loss(c, d, signs[1], reduction=r) | F.triplet_margin_loss(a, b, p, reduction=r)
F.triplet_margin_loss(a, b, p, 0.5, 1.0, swap=True, reduction=r)
F.triplet_margin_loss(a, b, p, p=3.0, reduction=r)
F.triplet_margin_with_distance_loss(a, b, p, reduction=r)
F.triplet_margin_with_distance_loss(a, b, p, distance_function=F.l1_loss, reduction=r)
F.margin_ranking_loss(a, b, signs6, reduction=r)
F.margin_ranking_loss(a, b, signs6, 0.7, reduction=r)
F.hinge_embedding_loss(p, signs6, reduction=r) | F.hinge_embedding_loss(a, signs6, 0.4, reduction=r)
F.soft_margin_loss(a, signs6, reduction=r) | F.multi_margin_loss(logits, labels, reduction=r)
F.multi_margin_loss(logits, labels, 2, 0.5, ch.detach(), reduction=r)
F.multi_margin_loss(logits[0], labels[0], reduction=r)
F.multilabel_margin_loss(logits, many, reduction=r)
F.multilabel_margin_loss(logits[0], many[0], reduction=r)
F.multilabel_soft_margin_loss(a, bits, reduction=r)
F.multilabel_soft_margin_loss(a, bits, d.detach(), reduction=r)
"""
LINES = networks.lines(CASES)


def _run(line: str, names: dict[str, Any], reduction: str) -> list[Any]:
    return networks.flattened(eval(line, {"math": math, "r": reduction}, names))


@pytest.mark.parity
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("line", LINES)
def test_values_and_gradients_are_pytorchs(line: str, reduction: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = networks.ours(), networks.torchs(torch)
    own, wanted = _run(line, mine, reduction), _run(line, theirs, reduction)
    networks.assert_same(own, wanted)
    networks.summed(own).backward()
    networks.summed(wanted).backward()
    networks.assert_gradients(mine, theirs)


# Bounds that are no part of the gradient.
_NOT_SMOOTH = ("1e-9", "* 500", "* 100")


@pytest.mark.parametrize("line", [x for x in LINES if not any(w in x for w in _NOT_SMOOTH)])
def test_gradients_agree_with_differences(line: str) -> None:
    networks.assert_differences(lambda names: _run(line, names, "none"))


def _softmax_loss(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return -special.log_softmax(x, 1)[np.arange(len(labels)), labels]


DATA = {**networks.FLOATS, **networks.FIXED}
# Each with reduction "none": what graphc computes, and the formula.
FORMULAS: dict[str, Callable[..., Any]] = {
    "F.mse_loss(a, b, reduction='none')": lambda d: (d["a"] - d["b"]) ** 2,
    "F.l1_loss(a, b, reduction='none')": lambda d: np.abs(d["a"] - d["b"]),
    "F.huber_loss(a, b, 'none', 0.4)": lambda d: special.huber(0.4, d["a"] - d["b"]),
    "F.smooth_l1_loss(a, b, reduction='none', beta=0.4)": lambda d: (
        special.huber(0.4, d["a"] - d["b"]) / 0.4
    ),
    "F.binary_cross_entropy(p, bits, reduction='none')": lambda d: (
        -stats.bernoulli.logpmf(d["bits"], d["p"])
    ),
    "F.binary_cross_entropy_with_logits(a, bits, reduction='none')": lambda d: (
        -stats.bernoulli.logpmf(d["bits"], special.expit(d["a"]))
    ),
    "F.cross_entropy(logits, labels, reduction='none')": lambda d: (
        _softmax_loss(d["logits"], d["labels"])
    ),
    "F.kl_div(t.log(p), q, reduction='none')": lambda d: special.rel_entr(d["q"], d["p"]),
    "F.gaussian_nll_loss(a, b, p, True, reduction='none')": lambda d: (
        -stats.norm.logpdf(d["b"], d["a"], np.sqrt(d["p"]))
    ),
    "F.poisson_nll_loss(a, counts, reduction='none')": lambda d: (
        -stats.poisson.logpmf(d["counts"], np.exp(d["a"])) - special.gammaln(d["counts"] + 1)
    ),
    "F.soft_margin_loss(a, signs6, reduction='none')": lambda d: (
        np.log1p(np.exp(-d["signs6"] * d["a"]))
    ),
}  # fmt: skip


@pytest.mark.parametrize("line", FORMULAS)
def test_losses_are_their_formulas(line: str) -> None:
    (y,) = _run(line, networks.ours(), "none")
    np.testing.assert_allclose(y.detach().numpy(), FORMULAS[line](DATA), 1e-9, 1e-12)


def test_kl_div_batchmean_is_the_sum_over_the_batch() -> None:
    names = networks.ours()
    y = F.kl_div(names["p"].log(), names["q"], reduction="batchmean")
    expected = special.rel_entr(DATA["q"], DATA["p"]).sum() / 4
    assert y.item() == pytest.approx(expected)


def test_means_are_over_what_counts() -> None:
    logits, labels = DATA["logits"], DATA["some"]
    used = labels >= 0
    each = _softmax_loss(logits[used], labels[used])
    y = F.cross_entropy(gc.tensor(logits), gc.tensor(labels))
    assert y.item() == pytest.approx(each.mean())
    shares = DATA["ch"][labels[used]]
    y = F.cross_entropy(gc.tensor(logits), gc.tensor(labels), gc.tensor(DATA["ch"]))
    assert y.item() == pytest.approx((each * shares).sum() / shares.sum())
    nothing = F.cross_entropy(gc.tensor(logits), gc.full((5,), -100, dtype=gc.int64))
    assert math.isnan(nothing.item())


# Layers: what is made, what it is called with.
LAYERS = """
nn.MSELoss()(a, b) | nn.MSELoss(reduction="sum")(a, b) | nn.L1Loss()(a, b)
nn.SmoothL1Loss(beta=0.3)(a, b) | nn.HuberLoss("sum", 0.5)(a, b) | nn.BCELoss()(p, bits)
nn.BCELoss(d.detach(), reduction="none")(p, bits) | nn.BCEWithLogitsLoss()(a, bits)
nn.BCEWithLogitsLoss(d.detach(), pos_weight=d.detach())(a, bits)
nn.CrossEntropyLoss()(logits, labels)
nn.CrossEntropyLoss(ch.detach(), ignore_index=1, label_smoothing=0.1)(logits, labels)
nn.NLLLoss(ch.detach(), ignore_index=2)(logits, labels)
nn.KLDivLoss(reduction="batchmean", log_target=True)(t.log(p), t.log(q))
nn.PoissonNLLLoss()(a, counts) | nn.PoissonNLLLoss(False, True)(p, counts)
nn.GaussianNLLLoss()(a, b, p) | nn.GaussianNLLLoss(full=True, eps=0.5, reduction="sum")(a, b, p)
nn.CosineEmbeddingLoss(0.1)(a, b, signs) | nn.TripletMarginLoss(0.5, 1.0, swap=True)(a, b, p)
nn.TripletMarginWithDistanceLoss(margin=0.5)(a, b, p) | nn.MarginRankingLoss(0.2)(a, b, signs6)
nn.HingeEmbeddingLoss(0.2)(a, signs6) | nn.SoftMarginLoss(reduction="none")(a, signs6)
nn.MultiMarginLoss(2, 0.5, ch.detach())(logits, labels) | nn.MultiLabelMarginLoss()(logits, many)
nn.MultiLabelSoftMarginLoss()(a, bits)
"""


@pytest.mark.parity
@pytest.mark.parametrize("line", networks.lines(LAYERS))
def test_layers_are_pytorchs(line: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    mine, theirs = networks.ours(), networks.torchs(torch)
    own, wanted = _run(line, mine, ""), _run(line, theirs, "")
    networks.assert_same(own, wanted)
    networks.summed(own).backward()
    networks.summed(wanted).backward()
    networks.assert_gradients(mine, theirs)
    layer = line[: line.index(")(") + 1]
    assert repr(eval(layer, {}, mine)) == repr(eval(layer, {}, theirs))


def test_weights_of_losses_are_buffers() -> None:
    layer = gc.nn.CrossEntropyLoss(gc.ones(3))
    assert list(layer.state_dict()) == ["weight"]
    assert list(gc.nn.BCEWithLogitsLoss(pos_weight=gc.ones(1)).state_dict()) == ["pos_weight"]
    assert not list(layer.parameters())


def test_old_arguments_are_understood_and_warned_of() -> None:
    x = gc.tensor([1.0, 3.0])
    with pytest.warns(GraphcWarning, match="reduction='sum'"):
        assert F.mse_loss(x, gc.zeros(2), size_average=False).item() == 10
    with pytest.warns(GraphcWarning, match="reduction='none'"):
        assert gc.nn.L1Loss(reduce=False).reduction == "none"


def test_broadcast_targets_are_warned_of() -> None:
    with pytest.warns(GraphcWarning, match="seldom meant"):
        F.mse_loss(gc.zeros(3, 1), gc.zeros(7))


ERRORS = [
    ("F.mse_loss(t.ones(2), t.ones(2), reduction='avg')", "reduction='avg'"),
    ("F.cross_entropy(t.ones(2, 3), t.ones(2))", "class indices must be integers, not float32"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0]))", "the target must have (2,), not (1,)"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0, 3]))", "3"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0, -1]))", "-1"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0, 1]), t.ones(2))",
     "weight has shape (2,), the input has 3"),
    ("F.cross_entropy(t.ones(2, 3), t.tensor([0, 1]), label_smoothing=2.0)", "label_smoothing=2.0"),
    ("F.binary_cross_entropy(t.ones(2), t.ones(3))", "input (2,), target (3,)"),
    ("F.binary_cross_entropy_with_logits(t.ones(2), t.ones(3))", "input (2,), target (3,)"),
    ("F.huber_loss(t.ones(2), t.ones(2), delta=0.0)", "delta=0.0"),
    ("F.smooth_l1_loss(t.ones(2), t.ones(2), beta=-1.0)", "beta=-1.0"),
    ("F.triplet_margin_loss(t.ones(1, 2), t.ones(1, 2), t.ones(1, 2), margin=0.0)", "margin=0.0"),
    ("F.cosine_embedding_loss(t.ones(2, 2), t.ones(2, 2), t.ones(3))", "(3,)"),
    ("F.gaussian_nll_loss(t.ones(2, 3), t.ones(2, 3), t.ones(3))", "var has shape (3,)"),
    ("F.multi_margin_loss(t.ones(2, 3), t.tensor([0, 1]), p=3)", "p=3"),
    ("F.multilabel_margin_loss(t.ones(2, 3), t.tensor([0, 1]))", "multilabel_margin_loss"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), ERRORS)
def test_errors_say_what_is_wrong(source: str, text: str) -> None:
    with pytest.raises(GraphcError) as found:
        eval(source, {"F": F, "t": gc})
    message = str(found.value)
    assert text in message
    assert len(message.splitlines()) <= 12


@pytest.mark.parametrize("count", [1, 5])
def test_a_mean_over_a_symbolic_axis_divides_by_its_size(count: int) -> None:
    n = gc.dim("n")
    logs, q, ids = gc.input("logs", (n, 4)), gc.input("q", (n, 4)), gc.input("ids", (2, n), "int64")
    table = np.arange(12, dtype=np.float32).reshape(4, 3)
    program = gc.compile([logs, q, ids], [
        F.kl_div(logs, q, reduction="batchmean"),
        F.embedding_bag(ids, gc.constant(table), mode="mean"),
    ])  # fmt: skip
    draw = np.random.default_rng(0)
    own, other = draw.dirichlet(np.ones(4), (2, count)).astype(np.float32)
    bags = draw.integers(0, 4, (2, count))
    loss, means = program(np.log(own), other, bags)
    np.testing.assert_allclose(loss, special.rel_entr(other, own).sum() / count, rtol=1e-5)
    np.testing.assert_allclose(means, table[bags].mean(1), rtol=1e-6)
