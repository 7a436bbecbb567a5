"""Recurrent cells and what runs over sequences."""

from typing import Any

from .corpus import integers, normal, positive, program

_RNN: Any = {"x": normal("n 4 d"), "wx": normal("d e"), "wh": normal("e e"), "b": normal("e")}


@program(**_RNN)
def elman_network(m, x, wx, wh, b):
    h = m.zeros((wh.shape[0],), x)
    for t in range(4):
        h = m.tanh(x[:, t] @ wx + h @ wh + b)
    return h, m.mean(h * h) + 0.01 * m.sum(wh * wh)


@program(
    x=normal("n 3 d"),
    wx=normal("d 8"),
    wh=normal("2 8"),
    b=normal("8"),
    h=normal("n 2"),
    c=normal("n 2"),
)
def long_short_term_memory(m, x, wx, wh, b, h, c):
    states = []
    for t in range(3):
        gates = x[:, t] @ wx + h @ wh + b
        i, f, g, o = (gates[:, 2 * k : 2 * k + 2] for k in range(4))
        c = m.sigmoid(f + 1.0) * c + m.sigmoid(i) * m.tanh(g)
        h = m.sigmoid(o) * m.tanh(c)
        states.append(h)
    return m.stack(states, axis=1), c


@program(x=normal("n 3 d"), wx=normal("d 6"), wh=normal("2 6"), b=normal("6"), h=normal("n 2"))
def gated_recurrent_unit(m, x, wx, wh, b, h):
    for t in range(3):
        a, r = x[:, t] @ wx + b, h @ wh
        reset, update = m.sigmoid(a[:, :2] + r[:, :2]), m.sigmoid(a[:, 2:4] + r[:, 2:4])
        h = update * h + (1 - update) * m.tanh(a[:, 4:] + reset * r[:, 4:])
    return h


@program(**_RNN, out=normal("6 k"), t=integers("n", below="k"), sizes={"e": 3}, large={"e": 3})
def bidirectional_classifier(m, x, wx, wh, b, out, t):
    ends = []
    for order in (range(4), range(3, -1, -1)):
        h = 0.0
        for k in order:
            h = m.tanh(x[:, k] @ wx + b) if k == order[0] else m.tanh(x[:, k] @ wx + h @ wh + b)
        ends.append(h)
    return m.cross_entropy(m.concatenate(ends, axis=1) @ out, t)


@program(xs=normal("s n d"), h=normal("n e"), wx=normal("d e"), wh=normal("e e"))
def network_by_scan(m, xs, h, wx, wh):
    def step(h, x):
        h = m.tanh(x @ wx + h @ wh)
        return h, m.sum(h, axis=1)

    h, sums = m.scan(step, h, xs)
    return h, sums, m.mean(sums**2)


@program(seed=1, xs=normal("s n d"), h=normal("n d"), w=normal("d d"), scale=positive("d"))
def layer_norm_recurrence_by_scan(m, xs, h, w, scale):
    def step(carry, x):
        h, total = carry
        z = x + h @ w
        z = z - m.mean(z, axis=1, keepdims=True)
        h = m.tanh(scale * z / m.sqrt(m.mean(z * z, axis=1, keepdims=True) + 1e-5))
        return (h, total + m.sum(h)), h

    (h, total), hs = m.scan(step, (h, 0.0 * m.sum(h)), xs)
    return total, m.max(hs, axis=0)


@program(x=normal("n 5 d"), a=normal("d"), b=normal("d"), c=normal("d"), w=normal("d"))
def diagonal_state_space(m, x, a, b, c, w):
    decay = m.sigmoid(a)
    h, ys = 0.0 * x[:, 0], []
    for t in range(5):
        h = decay * h + (1 - decay) * b * x[:, t]
        ys.append(m.sum(h * c, axis=1) + x[:, t] @ w)
    return m.stack(ys, axis=1)


@program(x=normal("n 4 d"), f=normal("n 4 d"), i=normal("n 4 d"))
def cumulative_gates(m, x, f, i):
    keep = m.cumsum(-m.softplus(-f), axis=1)
    total = m.cumsum(m.exp(-keep) * m.sigmoid(i) * x, axis=1)
    return total * m.exp(keep)


@program(
    source=normal("n 4 e"), state=normal("n e"), w=normal("e e"), u=normal("e e"),
    out=normal("e v"), embed=normal("v e"), target=integers("n 3", below="v"),
)  # fmt: skip
def decoder_with_teacher_forcing(m, source, state, w, u, out, embed, target):
    loss = 0.0
    for t in range(3):
        scores = m.einsum("nse,ne->ns", source, state @ w)
        context = m.einsum("ns,nse->ne", m.softmax(scores, axis=1), source)
        before = m.take(embed, target[:, t - 1] if t else 0 * target[:, 0], axis=0)
        state = m.tanh(context + before + state @ u)
        loss = loss + m.cross_entropy(state @ out, target[:, t])
    return loss / 3, state


@program(x=normal("n 4"), w=normal("e e"), win=normal("e"), y=normal("n"), out=normal("e"))
def echo_state_readout(m, x, w, win, y, out):
    w = w / (1 + m.sqrt(m.sum(w * w)))
    h = 0.0
    for t in range(4):
        drive = m.expand_dims(x[:, t], 1) * win
        h = 0.3 * h + 0.7 * m.tanh(drive if t == 0 else drive + h @ w)
    return m.mean((h @ out - y) ** 2) + 0.1 * m.sum(out**2)


@program(seed=1, x=normal("n 6 d"), w1=normal("d e"), w2=normal("d e"), g=normal("e e"))
def dilated_causal_convolutions(m, x, w1, w2, g):
    def layer(z, a, b, gap):
        before = m.pad(z, ((0, 0), (gap, 0), (0, 0)))[:, : z.shape[1]]
        return z @ a + before @ b

    h = m.tanh(layer(x, w1, w2, 1)) * m.sigmoid(layer(x, w2, w1, 1))
    return h + m.relu(layer(h, g, m.transpose(g), 2)), m.mean(h, axis=1)
