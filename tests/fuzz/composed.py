"""Lines of recipes with functions that are made of several ops, as PyTorch's are."""

from __future__ import annotations

from .generate import Growing

# {0}: a float; {1}: another of its dtype; {a}: an axis of {0}; {k}: 1 to the size of that axis.
OF_FLOATS = (
    "gc.leaky_relu({0}, 0.1)", "gc.elu({0})", "gc.selu({0})", "gc.mish({0})",
    "gc.log_sigmoid({0})", "gc.relu6({0})", "gc.heaviside({0}, {1})", "gc.sinc({0})",
    "gc.clip({0}, -0.5, 0.75)", "gc.square(gc.softmax({0}, axis={a}) - 0.25)",
    "gc.deg2rad({0})", "gc.mse_loss({0}, {0} * 0.5)", "gc.logaddexp2({0}, {1})",
    "gc.binary_cross_entropy_with_logits({0}, gc.sigmoid({0} + 1.0))",
    "gc.exp2(gc.tanh({0}))", "gc.float_power(1.5 + gc.absolute({0}), 1.5)", "gc.positive({0})",
    "gc.ldexp({0}, 2)", "gc.cast(gc.isclose({0}, {1}), gc.float32)",
    "gc.reciprocal(2.0 + {0} * {0})",
    "gc.divide({0}, 2.0 + gc.cos({1}))", "gc.maximum({0}, {1}) - gc.minimum({0}, {1})",
)  # fmt: skip
OF_AXES = (
    "gc.std({0} + {0}, axis={a}, correction=0)", "gc.amax({0}, {a})", "gc.amin({0}, {a}) * 2",
    'FN["topk"]({0}, {k}, {a})[0]', 'FN["topk"]({0}, {k}, {a}, False)[0]',
    "gc.count_nonzero({0}, {a})", "gc.chunk({0}, 2, {a})[0]", "gc.chunk({0}, 3, {a})[-1]",
    "gc.flatten({0})", "gc.gather({0}, {a}, gc.argsort({0}, axis={a}))",
    "gc.array_split({0}, 3, {a})[1]", "gc.sort({0}, axis={a}) - {0}",
    "gc.check(({0} == {0}) | ({0} != {0}), 'never {{}}', {0})",
    "gc.sort(gc.sort({0}, axis={a}, descending=True)[::-1], axis=-1)",
    "gc.searchsorted(gc.cast(gc.constant(np.array([-0.5, 0.0, 1.0])), gc.{dtype}), {0})",
    "gc.one_hot(gc.argmax({0}, axis={a}), {span}, gc.float32)",
    "gc.sum({0}, axis={a}) / gc.sum(1.0 + {0} * {0}, axis={a})",
    "({0} - gc.mean({0}, axis={a}, keepdims=True))"
    " / gc.sqrt(gc.var({0}, axis={a}, keepdims=True, correction=0) + 0.1)",
    "gc.cumsum({0}, axis={a})[::-1] - gc.sum({0}, axis={a}, keepdims=True)",
    "gc.repeat({0}, 2, axis={a})", "gc.sum(gc.prod(gc.tanh({0}), axis={a}))",
)  # fmt: skip
OF_PAIRS = ("gc.outer({0}, {0})", "gc.dot({0}, {0})", "gc.vdot({0}, {0})", "gc.inner({0}, {0})")
OF_MATRICES = (
    "gc.inner({0}, {0})", "gc.tensordot({0}, {0}, axes=([0], [0]))", "gc.transpose({0}) @ {0}",
    "{0} @ gc.transpose({0})", "gc.softmax({0} @ gc.transpose({0}), axis=-1) @ {0}",
    'gc.einsum("ij,ij->j", {0}, {0})', 'gc.einsum("ij,kj,kl->il", {0}, {0}, {0})',
)  # fmt: skip


def composed(g: Growing) -> None:
    """A function of PyTorch's, or a phrase that many programs have."""
    x = g.pick("f", 1)
    rules = [OF_FLOATS, OF_AXES, OF_AXES]
    if g.nodes[x].ndim < 3:
        rules.append((OF_PAIRS, OF_MATRICES)[g.nodes[x].ndim - 1])
    a = g.axis(x)
    span = g.span(x, a)
    if not span:
        raise LookupError
    g.add(g.rng.choice(g.rng.choice(rules)).format(
        x, g.pick("f", like=x), a=a, k=g.rng.randrange(1, span + 1), span=span,
        dtype=g.nodes[x].dtype.name,
    ))  # fmt: skip


def listed(g: Growing) -> None:
    """Many pieces joined or added: 2 to 99."""
    x = g.pick(least=1)
    count = g.rng.choice((2, 3, 5, 9, 9, 20, 99))
    likes = g.names(lambda k: g.nodes[k].type == g.nodes[x].type)
    pieces = ", ".join(g.rng.choice(likes) for _ in range(count))
    a = g.rng.choice((0, g.axis(x)))
    g.add(g.rng.choice((
        f"gc.stack([{pieces}], axis={a})", f"gc.concat([{pieces}], axis={a})",
        f"gc.concat([p * 2 for p in gc.split({x}, {g.rng.choice((1, 2, 3))}, axis={a})], axis=0)",
        pieces.replace(", ", " + "),
    )))  # fmt: skip
