"""Learners: machines of energies, experts and graphs, and losses that sort or count."""

from typing import Any

import numpy as np

from .corpus import bits, integers, normal, positive, program


def _free_energy(m, v, w, seen, hidden):
    return -m.sum(m.softplus(v @ w + hidden), axis=1) - v @ seen


_MACHINE: dict[str, Any] = {"w": normal("d k"), "seen": normal("d"), "hidden": normal("k")}


@program(v=bits("n d"), **_MACHINE, u=positive("n k", 0.0, 1.0), z=positive("n d", 0.0, 1.0))
def contrastive_divergence(m, v, w, seen, hidden, u, z):
    v = m.as_float(v, w)
    h = m.as_float(u < m.sigmoid(v @ w + hidden), w)
    dreamt = m.detach(m.as_float(z < m.sigmoid(h @ m.transpose(w) + seen), w))
    gap = _free_energy(m, v, w, seen, hidden) - _free_energy(m, dreamt, w, seen, hidden)
    return m.mean(gap), m.sum(dreamt, axis=0)


@program(large={"d": 4}, v=bits("n d"), **_MACHINE)
def pseudo_likelihood(m, v, w, seen, hidden):
    v, total = m.as_float(v, w), 0.0
    before = _free_energy(m, v, w, seen, hidden)
    for place in range(4):
        flipped = m.where(m.indices(np.arange(4), w) == place, 1 - v, v)
        gap = _free_energy(m, flipped, w, seen, hidden) - before
        total = total + m.mean(m.log(m.sigmoid(gap)))
    return 4 * total


@program(
    x=positive("n d", 0.05, 0.95), keep=bits("n d", 0.7),
    w=normal("d k"), b=normal("k"), back=normal("d"),
)  # fmt: skip
def denoising_autoencoder_with_tied_weights(m, x, keep, w, b, back):
    code = m.sigmoid((m.as_float(keep, x) * x) @ w + b)
    z = m.sigmoid(code @ m.transpose(w) + back)
    losses = -m.sum(x * m.log(z) + (1 - x) * m.log(1 - z), axis=1)
    slopes = m.expand_dims(code * (1 - code), 1) * m.expand_dims(w, 0)
    return m.mean(losses) + 0.1 * m.mean(m.sum(slopes**2, axis=(1, 2))), m.argmax(losses, axis=0)


_WORDS = integers("n", below="v")


@program(
    things=normal("v d"), links=normal("k d"), link=integers("n", below="k"),
    head=_WORDS, tail=_WORDS, wrong=_WORDS,
)  # fmt: skip
def translations_in_embedding_space(m, things, links, link, head, tail, wrong):
    unit = things / m.sqrt(m.sum(things**2, axis=1, keepdims=True))
    aim = unit[head] + links[link]
    near = m.sum(m.abs(aim - unit[tail]), axis=1)
    far = m.sqrt(m.sum((aim - unit[wrong]) ** 2, axis=1) + 1e-3)
    return m.mean(m.softplus(1 + near - far)), near


_NODES = integers("n", below="m")


@program(x=normal("m d"), w=normal("d e"), source=_NODES, target=_NODES)
def convolution_over_edges_by_degree(m, x, w, source, target):
    degree = m.index_add(0 * x[:, 0], target, m.as_float(source >= 0, x)) + 1
    share = m.rsqrt(degree)
    h = x @ w
    sent = h[source] * m.expand_dims(share[source] * share[target], 1)
    h = m.index_add(h * m.expand_dims(share**2, 1), target, sent)
    return m.log_softmax(h), m.silu(h), degree


@program(x=normal("n d"), gate=normal("d 4"), w=normal("4 d e"), v=normal("4 e d"))
def experts_of_limited_capacity(m, x, gate, w, v):
    p = m.softmax(x @ gate)
    chosen = m.one_hot(m.argmax(p, axis=1), 4, x)
    place = m.cumsum(chosen, axis=0) * chosen
    kept = m.as_float(place <= 2, x) * chosen
    sent = m.einsum("ne,nd->end", kept, x)
    h = m.tanh(m.einsum("end,edf->enf", sent, w))
    y = m.einsum("end,ne->nd", m.einsum("enf,efd->end", h, v), kept * p)
    return y, 4 * m.sum(m.mean(chosen, axis=0) * m.mean(p, axis=0)), place


@program(p=positive("n 6", 0.05, 0.95), t=bits("n 6"))
def lovasz_hinge(m, p, t):
    t = m.as_float(t, p)
    wrong = 1 - (4 * p - 2) * (2 * t - 1)
    order = m.argsort(-m.detach(wrong), axis=1)
    wrong, t = (m.take_along_axis(part, order, 1) for part in (wrong, t))
    whole = m.sum(t, axis=1, keepdims=True)
    jaccard = 1 - (whole - m.cumsum(t, axis=1)) / (whole + m.cumsum(1 - t, axis=1))
    slope = m.concatenate([jaccard[:, :1], jaccard[:, 1:] - jaccard[:, :-1]], axis=1)
    return m.mean(m.sum(m.relu(wrong) * slope, axis=1)), slope


@program(x=normal("n d"), label=integers("n", below="k"))
def triplets_of_the_hardest(m, x, label):
    gaps = m.expand_dims(x, 0) - m.expand_dims(x, 1)
    distance = m.sqrt(m.sum(gaps**2, axis=2) + 1e-3)
    same = m.as_float(m.expand_dims(label, 0) == m.expand_dims(label, 1), x)
    near, far = m.max(distance * same, axis=1), m.min(distance + 100 * same, axis=1)
    return m.mean(m.softplus(near - far)), m.sum(m.as_float(near > far, x))


@program(
    x=normal("n d", 0.5), w=normal("d"), zero=normal("d"), spread=normal(),
    y=integers("n", below="6"),
)  # fmt: skip
def counts_with_too_many_zeros(m, x, w, zero, spread, y):
    """A negative binomial likelihood, inflated at zero."""
    y, mean, r = m.as_float(y, x), m.exp(3 * m.tanh(x @ w / 3)), m.exp(spread) + 0.5
    counted = r * m.log(r / (r + mean)) + y * m.log(mean / (r + mean))
    for k in range(6):
        counted = counted + m.where(y > k, m.log(r + k), 0 * y)
    logit = x @ zero
    both = m.where(y == 0, m.logaddexp(counted, logit), counted)
    return -m.mean(both - m.softplus(logit)), mean


@program(sizes={"s": 3}, x=normal("n d"), w=normal("d e"), v=normal("e k"))
def spikes_with_a_surrogate_slope(m, x, w, v):
    charge, spikes, out = 0 * (x @ w), 0 * (x @ w), 0.0
    for _ in range(3):
        charge = 0.9 * charge * (1 - m.detach(spikes)) + x @ w
        soft = m.sigmoid(5 * (charge - 1))
        spikes = m.detach(m.as_float(charge > 1, x) - soft) + soft
        out = out + spikes @ v
    return m.log_softmax(out), m.sum(m.detach(spikes))


@program(x=normal("n 4"), w=normal("4 3"), b=normal("3"))
def soft_tree_and_maxout(m, x, w, b):
    gate = m.sigmoid(x @ w + b)
    root, left, right = gate[:, 0], gate[:, 1], gate[:, 2]
    leaves = m.stack(
        [root * left, root * (1 - left), (1 - root) * right, (1 - root) * (1 - right)], 1
    )
    pairs = m.max(m.reshape(x, (x.shape[0], 2, 2)), axis=2)
    return leaves, pairs, m.log(m.mean(leaves, axis=0)), -m.mean(leaves * m.log(leaves + 1e-6))
