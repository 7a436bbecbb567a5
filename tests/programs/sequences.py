"""Sequences: paths through states and alignments, by loops written out and by scan."""

import numpy as np

from .corpus import integers, normal, program

_FAR = -30.0


@program(
    sizes={"s": 5, "k": 3},
    move=normal("k k"), emit=normal("n s k"), start=normal("k"),
)  # fmt: skip
def forward_backward_posteriors(m, move, emit, start):
    move, steps = m.log_softmax(move), 5
    forward = [m.log_softmax(start) + emit[:, 0]]
    for t in range(1, steps):
        arrived = m.logsumexp(m.expand_dims(forward[-1], 2) + move, 1)
        forward.append(arrived + emit[:, t])
    backward = [0 * emit[:, 0]]
    for t in range(steps - 2, -1, -1):
        ahead = m.expand_dims(emit[:, t + 1] + backward[0], 1)
        backward.insert(0, m.logsumexp(move + ahead, 2))
    joint = m.stack([a + b for a, b in zip(forward, backward)], 1)
    evidence = m.logsumexp(forward[-1], 1, keepdims=True)
    posterior = m.exp(joint - m.expand_dims(evidence, 1))
    return evidence, posterior, m.argmax(joint, axis=2)


@program(sizes={"s": 5, "k": 3}, move=normal("k k"), emit=normal("n s k"))
def viterbi_path(m, move, emit):
    score, pointers = emit[:, 0], []
    for t in range(1, 5):
        candidates = m.expand_dims(score, 2) + move
        pointers.append(m.argmax(candidates, axis=1))
        score = m.max(candidates, axis=1) + emit[:, t]
    path = [m.argmax(score, axis=1)]
    for back in reversed(pointers):
        here = m.take_along_axis(back, m.expand_dims(path[0], 1), 1)
        path.insert(0, m.squeeze(here, 1))
    return m.stack(path, 1), m.max(score, axis=1)


@program(
    sizes={"s": 7, "v": 5}, rough=10.0,
    logits=normal("s n v"), labels=integers("n 3", below="4"),
)  # fmt: skip
def connectionist_classification_by_scan(m, logits, labels):
    """The likelihood of labels of any alignment; label 0 is the blank between them."""
    scores, blank = m.log_softmax(logits), 0 * labels[:, :1]
    parts = [blank]
    for place in range(3):
        parts += [labels[:, place : place + 1] + 1, blank]
    path = m.concatenate(parts, axis=1)
    may_skip = m.concatenate([path[:, :2] > 9, (path[:, 2:] != path[:, :-2])], axis=1)
    may_skip = may_skip & (path > 0)
    first = m.take_along_axis(scores[0], path, 1)
    first = m.where(m.indices(np.arange(7), logits) < 2, first, 0 * first + _FAR)

    def step(alpha, row):
        none = 0 * alpha[:, :1] + _FAR
        one = m.concatenate([none, alpha[:, :-1]], axis=1)
        two = m.concatenate([none, none, alpha[:, :-2]], axis=1)
        two = m.where(may_skip, two, 0 * two + _FAR)
        alpha = m.logsumexp(m.stack([alpha, one, two], 0), 0) + m.take_along_axis(row, path, 1)
        return alpha, alpha[:, -1]

    alpha, ends = m.scan(step, first, scores[1:])
    return -m.mean(m.logaddexp(alpha[:, -1], alpha[:, -2])), ends


@program(sizes={"s": 5}, x=normal("s n d"), keys=normal("d d"), bias=normal("d"))
def delta_rule_memory_by_scan(m, x, keys, bias):
    def step(memory, row):
        key = m.tanh(row @ keys)
        key = key / m.sqrt(m.sum(key * key, axis=1, keepdims=True) + 1e-3)
        wrong = row + bias - m.einsum("nij,nj->ni", memory, key)
        memory = memory + 0.5 * m.expand_dims(wrong, 2) * m.expand_dims(key, 1)
        return memory, m.einsum("nij,nj->ni", memory, row)

    empty = m.expand_dims(0 * x[0], 2) + 0 * bias
    memory, recalled = m.scan(step, empty, x)
    return memory, recalled, m.max(recalled, axis=0)


@program(
    sizes={"s": 5}, large={"s": 13}, symbolic="b",
    q=normal("b h s d"), k=normal("b h s d"), v=normal("b h s d"), table=normal("s d"),
)  # fmt: skip
def relative_positions_by_skewing(m, q, k, v, table):
    batch, steps, width = q.shape[0], table.shape[0], table.shape[1]
    heads = q.shape[1]
    relative = q @ m.transpose(table)
    relative = m.concatenate([0 * relative[..., :1], relative], axis=3)
    relative = m.reshape(relative, (batch, heads, steps + 1, steps))[:, :, 1:]
    hidden = m.constant(np.triu(np.full((steps, steps), _FAR), 1), q)
    scores = (q @ m.transpose(k, (0, 1, 3, 2)) + relative) / width**0.5
    return m.softmax(scores + hidden) @ v


@program(x=normal("n s d"), w=normal("d"), sizes={"s": 9}, large={"s": 9})
def windows_of_three_and_their_summary(m, x, w):
    count, width = x.shape[0], w.shape[0]
    parts = m.reshape(x, (count, 3, 3, width))
    mixed = m.softmax(parts @ m.transpose(parts, (0, 1, 3, 2)) / width) @ parts
    weight = m.softmax(m.mean(mixed, axis=2) @ w)
    return m.sum(m.expand_dims(weight, 2) * m.max(mixed, axis=2), axis=1), weight
