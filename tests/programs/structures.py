"""Graphs, sets, experts, flows, embeddings, clustering, transport."""

import math

from .corpus import bits, integers, normal, positive, program, spread


@program(
    symbolic=None,
    x=normal("m d"),
    source=integers("n", below="m"),
    target=integers("n", below="m"),
    w=normal("d k"),
    edge=positive("n"),
)
def message_passing(m, x, source, target, w, edge):
    messages = m.take(x @ w, source, axis=0) * m.expand_dims(edge, 1)
    total = m.index_add(m.zeros((x.shape[0], w.shape[1]), x), target, messages)
    count = m.index_add(m.zeros((x.shape[0],), x), target, edge)
    return m.relu(total / m.expand_dims(1 + count, 1)), m.sum(total, axis=0)


@program(adjacency=bits("m m"), x=normal("m d"), w=normal("d e"), v=normal("e k"))
def graph_convolution(m, adjacency, x, w, v):
    a = m.as_float(adjacency, x) + m.eye(x.shape[0], x)
    degree = m.rsqrt(m.sum(a, axis=1))
    a = m.expand_dims(degree, 1) * a * degree
    return m.log_softmax(a @ m.relu(a @ x @ w) @ v, axis=1), 0.5 * m.sum(w * w)


@program(
    symbolic=None,
    x=normal("m d"),
    source=integers("n", below="m"),
    target=integers("n", below="m"),
    w=normal("d k"),
    a=normal("k"),
    b=normal("k"),
)
def graph_attention(m, x, source, target, w, a, b):
    z = x @ w
    e = m.take(z @ a, source, axis=0) + m.take(z @ b, target, axis=0)
    e = m.exp(m.maximum(e, 0.2 * e))
    total = m.index_add(m.zeros((x.shape[0],), x), target, e)
    share = e / m.take(total, target, axis=0)
    sent = m.expand_dims(share, 1) * m.take(z, source, axis=0)
    return m.index_add(m.zeros(z.shape, x), target, sent)


@program(
    table=normal("v d"),
    bag=integers("n 4", below="v"),
    keep=bits("n 4", 0.7),
    w=normal("d k"),
    t=integers("n", below="k"),
)
def embedding_bag_classifier(m, table, bag, keep, w, t):
    rows = m.take(table, bag, axis=0) * m.expand_dims(m.as_float(keep, table), 2)
    mean = m.sum(rows, axis=1) / (m.sum(m.as_float(keep, table), axis=1, keepdims=True) + 1)
    return m.cross_entropy(mean @ w, t) + 0.05 * m.sum(m.sqrt(m.sum(table**2, axis=1)))


@program(
    centre=normal("v d"),
    context=normal("v d"),
    a=integers("n", below="v"),
    b=integers("n", below="v"),
    wrong=integers("n 3", below="v"),
)
def skip_gram_with_negative_samples(m, centre, context, a, b, wrong):
    u = m.take(centre, a, axis=0)
    good = m.softplus(-m.sum(u * m.take(context, b, axis=0), axis=1))
    scores = m.einsum("nd,nkd->nk", u, m.take(context, wrong, axis=0))
    return m.mean(good + m.sum(m.softplus(scores), axis=1))


@program(seed=1, x=normal("n d"), gate=normal("d 4"), w=normal("4 d e"), v=normal("4 e k"))
def mixture_of_experts(m, x, gate, w, v):
    p = m.softmax(x @ gate, axis=1)
    hidden = m.relu(m.einsum("nd,ade->nae", x, w))
    y = m.einsum("na,nae,aek->nk", p, hidden, v)
    load = m.mean(p, axis=0)
    return y, 4 * m.sum(load * load)


@program(x=normal("n d"), gate=normal("d 4"), w=normal("4 d k"))
def top_two_of_four_experts(m, x, gate, w):
    logits = x @ gate
    second = m.sort(logits, axis=1)[:, 2:3]
    kept = m.where(logits >= second, logits, -1e9)
    p = m.softmax(kept, axis=1)
    importance = m.sum(p, axis=0)
    y = m.sum(m.expand_dims(p, 2) * m.einsum("nd,adk->nak", x, w), axis=1)
    return y, m.var(importance) / m.mean(importance) ** 2


@program(u=normal("n 4 3 d"))
def capsule_routing(m, u):
    b = 0.0 * m.sum(u, axis=3)
    for _ in range(2):
        c = m.expand_dims(m.softmax(b, axis=2), 3)
        s = m.sum(c * u, axis=1, keepdims=True)
        square = m.sum(s * s, axis=3, keepdims=True)
        v = square / (1 + square) * s / m.sqrt(square + 1e-9)
        b = b + m.sum(u * v, axis=3)
    return v[:, 0]


@program(x=normal("n d"), centres=normal("k d"))
def k_means_step(m, x, centres):
    away = (
        m.sum(x**2, axis=1, keepdims=True)
        - 2 * x @ m.transpose(centres)
        + m.sum(centres**2, axis=1)
    )
    nearest = m.argmin(away, axis=1)
    member = m.one_hot(nearest, centres.shape[0], x)
    total = m.transpose(member) @ x + 0.1 * centres
    return (
        total / m.expand_dims(m.sum(member, axis=0) + 0.1, 1),
        m.sum(m.min(away, axis=1)),
        nearest,
    )


@program(x=normal("n 2"), y=normal("m 2"), rough=10.0)
def sinkhorn_distance(m, x, y):
    cost = m.sum((m.expand_dims(x, 1) - y) ** 2, axis=2)
    f, g = 0.0 * cost[:, 0], 0.0 * cost[0]
    for _ in range(4):
        f = -0.5 * m.logsumexp((m.expand_dims(g, 0) - cost) / 0.5, axis=1)
        g = -0.5 * m.logsumexp((m.expand_dims(f, 1) - cost) / 0.5, axis=0)
    plan = m.exp((m.expand_dims(f, 1) + m.expand_dims(g, 0) - cost) / 0.5)
    return m.sum(plan * cost) / m.sum(plan)


@program(x=normal("n 4"), y=normal("n 3"))
def soft_dynamic_time_warping(m, x, y):
    cost = (m.expand_dims(x, 2) - m.expand_dims(y, 1)) ** 2
    before = [0.0 * x[:, 0]] + [0.0 * x[:, 0] + 1e6] * 3
    for i in range(4):
        row = [0.0 * x[:, 0] + 1e6]
        for j in range(3):
            near = m.stack([before[j], before[j + 1], row[j]], axis=1)
            row.append(cost[:, i, j] - m.logsumexp(-near, axis=1))
        before = row
    return m.mean(before[3])


@program(x=normal("n 4"), w=normal("2 e"), v=normal("e 4"))
def affine_coupling_flow(m, x, w, v):
    logdet = 0.0
    for _ in range(2):
        a, b = x[:, :2], x[:, 2:]
        h = m.tanh(a @ w) @ v
        shift, scale = h[:, :2], m.tanh(h[:, 2:])
        x = m.concatenate([b * m.exp(scale) + shift, a], axis=1)
        logdet = logdet + m.sum(scale, axis=1)
    return -m.mean(logdet - 0.5 * m.sum(x * x, axis=1) - 2 * math.log(2 * math.pi))


@program(x=normal("n d"), u=normal("d"), w=normal("d"), b=normal())
def planar_flow(m, x, u, w, b):
    wu = m.sum(w * u)
    u = u + (m.softplus(wu) - 1 - wu) * w / m.sum(w * w)
    h = m.tanh(x @ w + b)
    det = 1 + m.expand_dims(1 - h * h, 1) * w @ u
    return x + m.expand_dims(h, 1) * u, m.mean(m.log(det + 1e-3))


@program(x=normal("n d"), codes=normal("k d"))
def vector_quantisation(m, x, codes):
    away = m.sum((m.expand_dims(x, 1) - codes) ** 2, axis=2)
    chosen = m.take(codes, m.argmin(away, axis=1), axis=0)
    loss = m.mean((m.detach(chosen) - x) ** 2) + 0.25 * m.mean((chosen - m.detach(x)) ** 2)
    return loss, x + m.detach(chosen - x)


@program(logits=normal("n k"), noise=positive("n k"), table=normal("k d"))
def gumbel_softmax(m, logits, noise, table):
    g = -m.log(-m.log(0.8 * noise))
    y = m.softmax((logits + g) / 0.7, axis=1)
    return y @ table, m.sum(y * m.log(y + 1e-9), axis=1)


@program(x=normal("n d"), w=normal("d 6"), y=normal("n"))
def mixture_density_network(m, x, w, y):
    h = x @ w
    pi, mean, logstd = m.log_softmax(h[:, :2], axis=1), h[:, 2:4], 0.3 * m.tanh(h[:, 4:])
    z = (m.expand_dims(y, 1) - mean) * m.exp(-logstd)
    return -m.mean(m.logsumexp(pi - 0.5 * z * z - logstd, axis=1)), m.sum(m.exp(pi) * mean, axis=1)


@program(x=normal("n s d"), keep=bits("n s", 0.8), w=normal("d e"), v=normal("e k"))
def deep_sets(m, x, keep, w, v):
    h = m.relu(x @ w)
    seen = m.expand_dims(keep, 2)
    total, top = m.sum(m.where(seen, h, 0.0), axis=1), m.max(m.where(seen, h, -1.0), axis=1)
    return (total + top) @ v


@program(x=normal("n d"), b=normal(), w=normal("d"), v=normal("d k"))
def factorisation_machine(m, x, b, w, v):
    pairs = (x @ v) ** 2 - (x**2) @ (v**2)
    return b + x @ w + 0.5 * m.sum(pairs, axis=1) + 0.0, m.sum(v * v) + m.sum(w * w)


@program(
    users=normal("m d"),
    items=normal("v d"),
    bu=normal("m"),
    bi=normal("v"),
    u=integers("n", below="m"),
    i=integers("n", below="v"),
    r=normal("n"),
)
def matrix_factorisation(m, users, items, bu, bi, u, i, r):
    p, q = m.take(users, u, axis=0), m.take(items, i, axis=0)
    guess = m.sum(p * q, axis=1) + m.take(bu, u, axis=0) + m.take(bi, i, axis=0) + m.mean(r)
    return m.mean((guess - r) ** 2) + 0.1 * (m.mean(p * p) + m.mean(q * q)) + 0.1 * m.sum(bu**2)


@program(
    memory=normal("n 5 d"),
    key=normal("n d"),
    strength=positive("n"),
    gate=positive("n", 0.1, 0.9),
    before=positive("n 5"),
    shift=normal("n 3"),
)
def turing_machine_addressing(m, memory, key, strength, gate, before, shift):
    norm = m.sqrt(m.sum(memory**2, axis=2) + 1e-6) * m.sqrt(
        m.sum(key**2, axis=1, keepdims=True) + 1e-6
    )
    near = m.einsum("nsd,nd->ns", memory, key) / norm
    w = m.softmax(m.expand_dims(strength, 1) * near, axis=1)
    g = m.expand_dims(gate, 1)
    w = g * w + (1 - g) * before / m.sum(before, axis=1, keepdims=True)
    s = m.softmax(shift, axis=1)
    w = sum(s[:, k : k + 1] * m.roll(w, k - 1, 1) for k in range(3))
    w = w**1.5 / m.sum(w**1.5, axis=1, keepdims=True)
    return m.einsum("ns,nsd->nd", w, memory)


@program(x=normal("n 6"), a=normal("2 2"), b=normal("3 3"), c=normal("d"))
def kronecker_layer_and_outer_products(m, x, a, b, c):
    y = m.einsum("nij,ik,jl->nkl", m.reshape(x, (-1, 2, 3)), a, b)
    outer = m.expand_dims(m.mean(y, axis=(1, 2)), 1) * c
    return m.reshape(y, (-1, 6)), outer @ c


@program(x=normal("n d"), task=integers("n", below="k"), maker=normal("k d"), w=normal("d d"))
def hypernetwork_with_film(m, x, task, maker, w):
    code = m.take(maker, task, axis=0)
    scale, shift = m.tanh(code @ w), code @ m.transpose(w)
    return m.relu(x * (1 + scale) + shift) @ w, m.sum(m.absolute(code + 0.01), axis=0)


@program(scores=spread("n s"), values=normal("n s d"))
def differentiable_ranks_and_top_pool(m, scores, values):
    gap = m.expand_dims(scores, 2) - m.expand_dims(scores, 1)
    ranks = m.sum(m.sigmoid(5 * gap), axis=1) - 0.5
    order = m.argsort(-scores, axis=1)[:, :2]
    place = m.broadcast_to(m.expand_dims(order, 2), (values.shape[0], 2, values.shape[2]))
    return ranks, m.mean(m.take_along_axis(values, place, 1), axis=1)
