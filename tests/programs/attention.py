"""Variants of attention."""

import math

from .corpus import bits, integers, normal, program, spread


def _heads(m, x, count):
    n, s, d = x.shape
    return m.transpose(m.reshape(x, (n, s, count, d // count)), (0, 2, 1, 3))


def _joined(m, x):
    n, h, s, e = x.shape
    return m.reshape(m.transpose(x, (0, 2, 1, 3)), (n, s, h * e))


@program(x=normal("n s d"), wq=normal("d d"), wk=normal("d d"), wv=normal("d d"), wo=normal("d d"))
def causal_multi_head(m, x, wq, wk, wv, wo):
    q, k, v = (_heads(m, x @ w, 2) for w in (wq, wk, wv))
    scores = q @ m.transpose(k, (0, 1, 3, 2)) / math.sqrt(q.shape[-1])
    places = m.arange(x.shape[1], x)
    later = m.expand_dims(places, 0) > m.expand_dims(places, 1)
    weights = m.softmax(m.where(later, -1e9, scores), axis=-1)
    return _joined(m, weights @ v) @ wo + x


@program(large={"s": 5}, q=normal("n s d"), k=normal("n s d"), v=normal("n s e"), table=normal("9"))
def relative_position_bias(m, q, k, v, table):
    s = q.shape[1]
    places = [[i - j + s - 1 for j in range(s)] for i in range(s)]
    bias = m.take(table, m.indices(places, table), axis=0)
    weights = m.softmax(m.einsum("nqd,nkd->nqk", q, k) / 2.0 + bias, axis=-1)
    return m.einsum("nqk,nke->nqe", weights, v)


@program(q=normal("n h s e"), k=normal("n h s e"), v=normal("n h s e"))
def alibi(m, q, k, v):
    places = m.arange(q.shape[2], q)
    distance = m.expand_dims(places, 0) - m.expand_dims(places, 1)
    slopes = m.reshape(2.0 ** (-(m.arange(q.shape[1], q) + 1)), (-1, 1, 1))
    scores = q @ m.swapaxes(k, 2, 3) + slopes * m.minimum(distance, 0)
    scores = m.where(distance > 0, -1e9, scores)
    return m.softmax(scores, axis=-1) @ v


@program(q=normal("n s d"), k=normal("n s d"), v=normal("n s d"))
def rotary(m, q, k, v):
    half = q.shape[2] // 2
    rates = 10.0 ** (-m.arange(half, q) / half)
    angle = m.expand_dims(m.arange(q.shape[1], q), 1) * rates

    def turned(x):
        a, b = x[..., :half], x[..., half:]
        return m.concatenate(
            [a * m.cos(angle) - b * m.sin(angle), a * m.sin(angle) + b * m.cos(angle)], axis=-1
        )

    weights = m.softmax(turned(q) @ m.transpose(turned(k), (0, 2, 1)), axis=-1)
    return weights @ v


@program(large={"d": 4}, q=normal("n s d"), k=normal("n s d"))
def interleaved_rotary_scores(m, q, k):
    angle = m.expand_dims(m.arange(q.shape[1], q), 1) * m.constant([1.0, 0.1], q)

    def turned(x):
        a, b = x[..., 0::2], x[..., 1::2]
        pair = m.stack(
            [a * m.cos(angle) - b * m.sin(angle), b * m.cos(angle) + a * m.sin(angle)], axis=-1
        )
        return m.reshape(pair, x.shape)

    return m.einsum("nqd,nkd->nqk", turned(q), turned(k))


@program(large={"d": 4}, x=normal("n s d"), wq=normal("d d"), wk=normal("d 2"), wv=normal("d 2"))
def multi_query(m, x, wq, wk, wv):
    q, k, v = _heads(m, x @ wq, 2), x @ wk, x @ wv
    scores = m.einsum("nhqe,nke->nhqk", q, k) / math.sqrt(2)
    return m.einsum("nhqk,nke->nqhe", m.softmax(scores, axis=-1), v)


@program(q=normal("n 4 s e"), k=normal("n 2 s e"), v=normal("n 2 s e"))
def grouped_query(m, q, k, v):
    k, v = m.repeat(k, 2, axis=1), m.repeat(v, 2, axis=1)
    return m.softmax(q @ m.swapaxes(k, -1, -2), axis=-1) @ v


@program(q=spread("n s d"), k=spread("n s d"), v=normal("n s e"))
def linear_attention(m, q, k, v):
    def feature(x):
        return m.where(x > 0, x + 1, m.exp(m.minimum(x, 0)))  # elu(x) + 1

    q, k = feature(q), feature(k)
    memory = m.einsum("nsd,nse->nde", k, v)
    total = m.expand_dims(m.sum(k, axis=1), 2)
    return m.einsum("nsd,nde->nse", q, memory) / (q @ total)


@program(q=normal("n s d"), k=normal("n s d"), v=normal("n s e"))
def causal_linear_attention(m, q, k, v):
    q, k = m.softplus(q), m.softplus(k)
    outer = m.expand_dims(k, 3) * m.expand_dims(v, 2)
    top = m.einsum("nsd,nsde->nse", q, m.cumsum(outer, axis=1))
    return top / m.sum(q * m.cumsum(k, axis=1), axis=-1, keepdims=True)


@program(q=normal("n s d"), k=normal("n m d"), v=normal("n m e"), keep=bits("n m", 0.8))
def cross_with_padding_mask(m, q, k, v, keep):
    scores = q @ m.transpose(k, (0, 2, 1)) / math.sqrt(q.shape[-1])
    scores = m.where(m.expand_dims(keep, 1), scores, -1e9)
    weights = m.softmax(scores, axis=2)
    used = m.expand_dims(m.as_float(keep, q), 2)
    return weights @ v + m.sum(v * used, axis=1, keepdims=True) / (
        m.sum(used, axis=1, keepdims=True) + 1e-6
    )


@program(q=normal("n s d"), k=normal("n s d"), v=normal("n s e"))
def sliding_window(m, q, k, v):
    places = m.arange(q.shape[1], q)
    gap = m.expand_dims(places, 1) - m.expand_dims(places, 0)
    seen = m.logical_and(gap >= 0, gap < 3)
    scores = m.where(seen, q @ m.transpose(k, (0, 2, 1)), -1e9)
    top = m.exp(scores - m.max(scores, axis=-1, keepdims=True))
    return (top / m.sum(top, axis=-1, keepdims=True)) @ v


@program(q=normal("n d"), keys=normal("n s d"), wq=normal("d k"), wk=normal("d k"), v=normal("k"))
def additive_attention(m, q, keys, wq, wk, v):
    energy = m.tanh(m.expand_dims(q @ wq, 1) + keys @ wk) @ v
    weights = m.softmax(energy, axis=1)
    return m.sum(m.expand_dims(weights, 2) * keys, axis=1), -m.sum(weights * m.log(weights), axis=1)


@program(
    q=normal("n h s e"),
    k=normal("n h s e"),
    v=normal("n h s e"),
    before=normal("h h"),
    after=normal("h h"),
)
def talking_heads(m, q, k, v, before, after):
    scores = m.einsum("nhqe,nhke,hg->ngqk", q, k, before)
    weights = m.einsum("ngqk,gh->nhqk", m.softmax(scores, axis=-1), after)
    return m.einsum("nhqk,nhke->nqhe", weights, v)


@program(q=normal("n s d"), k=normal("n 6 d"), v=normal("n 6 e"))
def online_softmax_in_blocks(m, q, k, v):
    top = m.zeros((q.shape[1], 1), q) - 1e9
    total, result = 0.0, 0.0
    for start in range(0, 6, 2):
        scores = q @ m.transpose(k[:, start : start + 2], (0, 2, 1))
        new = m.maximum(top, m.max(scores, axis=-1, keepdims=True))
        part, fade = m.exp(scores - new), m.exp(top - new)
        total = total * fade + m.sum(part, axis=-1, keepdims=True)
        result = result * fade + part @ v[:, start : start + 2]
        top = new
    return result / total


@program(q=normal("n s d"), k=normal("n s d"), v=normal("n s d"), scale=normal())
def cosine_attention_with_gate(m, q, k, v, scale):
    def unit(x):
        return x / m.sqrt(m.sum(x * x, axis=-1, keepdims=True) + 1e-12)

    weights = m.softmax(unit(q) @ m.transpose(unit(k), (0, 2, 1)) * m.exp(scale), axis=-1)
    return m.sigmoid(q) * (weights @ v) + (1 - m.sigmoid(q)) * v


@program(x=normal("n s d"), latents=normal("3 d"), w=normal("d d"))
def perceiver_pooling(m, x, latents, w):
    weights = m.softmax(latents @ m.transpose(x @ w, (0, 2, 1)), axis=-1)
    pooled = weights @ x
    return m.reshape(pooled, (-1, 3 * x.shape[2])), m.mean(pooled, axis=1)


@program(x=normal("n s d"), projection=normal("d m"), at=integers("n", below="s"))
def random_features_and_one_place(m, x, projection, at):
    phi = m.exp(x @ projection - 0.5 * m.sum(x * x, axis=-1, keepdims=True)) / math.sqrt(5)
    kernel = phi @ m.transpose(phi, (0, 2, 1))
    rows = kernel / m.sum(kernel, axis=-1, keepdims=True)
    place = m.expand_dims(m.expand_dims(at, 1), 2)
    chosen = m.take_along_axis(rows @ x, m.broadcast_to(place, (x.shape[0], 1, x.shape[2])), 1)
    return chosen[:, 0]
