"""Statistics: likelihoods, estimators, filters."""

import math

from .corpus import bits, integers, normal, positive, program, spread


@program(x=normal("n d"), means=normal("k d"), logvar=normal("k d", 0.3), logits=normal("k"))
def gaussian_mixture_em_step(m, x, means, logvar, logits):
    gap = m.expand_dims(x, 1) - means
    log_p = -0.5 * m.sum(gap**2 * m.exp(-logvar) + logvar + math.log(2 * math.pi), axis=2)
    joint = log_p + m.log_softmax(logits, axis=0)
    total = m.logsumexp(joint, axis=1, keepdims=True)
    share = m.exp(joint - total)
    count = m.sum(share, axis=0)
    new = (m.transpose(share) @ x) / m.expand_dims(count, 1)
    second = (m.transpose(share) @ (x * x)) / m.expand_dims(count, 1)
    return m.mean(total), new, second - new**2, count / m.sum(count)


@program(z=normal("4 2"), mean=normal("2"), q=positive(), r=positive())
def kalman_filter(m, z, mean, q, r):
    one = m.eye(2, z)
    f = m.constant([[1.0, 0.1], [0.0, 1.0]], z)
    p, loss = one, 0.0
    for t in range(4):
        mean, p = f @ mean, f @ p @ m.transpose(f) + q * one
        s = p + r * one
        det = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
        turned = m.stack([m.stack([s[1, 1], -s[0, 1]]), m.stack([-s[1, 0], s[0, 0]])])
        gap = z[t] - mean
        loss = loss + 0.5 * (m.log(det) + m.sum(gap * ((turned / det) @ gap)))
        gain = p @ (turned / det)
        mean, p = mean + gain @ gap, (one - gain) @ p
    return loss, mean, p


@program(x=normal("n d"), w=normal("d"), b=normal(), y=bits("n"))
def logistic_regression_map(m, x, w, b, y):
    logits = x @ w + b
    fit = m.mean(m.softplus(logits) - m.as_float(y, x) * logits)
    return fit + 0.5 * m.sum(w * w) + 0.05 * b * b


@program(x=normal("n d"), w=normal("d", 0.5), y=integers("n", below="9"), exposure=positive("n"))
def poisson_regression(m, x, w, y, exposure):
    rate = x @ w + m.log(exposure)
    loss = m.mean(m.exp(rate) - m.as_float(y, x) * rate)
    return loss + 0.1 * m.sum(m.absolute(w)), m.mean(m.exp(rate))


@program(x=normal("n d"), v=normal("d"), rough=10.0)
def principal_axis_by_power_iteration(m, x, v):
    z = x - m.mean(x, axis=0)
    for _ in range(5):
        v = m.transpose(z) @ (z @ v)
        v = v / m.sqrt(m.sum(v * v))
    along = z @ v
    return v, m.mean(along**2), m.sum((z - m.expand_dims(along, 1) * v) ** 2)


@program(x=normal("n"), at=normal("m"), width=positive())
def kernel_density(m, x, at, width):
    gap = (m.expand_dims(at, 1) - x) / width
    density = m.mean(m.exp(-0.5 * gap**2), axis=1) / (width * math.sqrt(2 * math.pi))
    return density, m.mean(m.log(density))


@program(
    symbolic=None,
    sizes={"n": 5},
    x=normal("n 2"),
    y=normal("n"),
    scale=positive(),
    noise=positive(),
)
def gaussian_process_likelihood(m, x, y, scale, noise):
    n = x.shape[0]
    square = m.sum((m.expand_dims(x, 1) - x) ** 2, axis=2)
    k = m.exp(-0.5 * square / scale**2) + noise * m.eye(n, x)
    rows, loss = [], 0.0  # type: ignore[var-annotated]
    for i in range(n):  # Cholesky and forward substitution, row by row
        row = []  # type: ignore[var-annotated]
        for j in range(i + 1):
            rest = k[i, j] - sum(row[q] * rows[j][q] if j < i else row[q] ** 2 for q in range(j))
            row.append(m.sqrt(rest) if i == j else rest / rows[j][j])
        rows.append(row)
    solved = []  # type: ignore[var-annotated]
    for i in range(n):
        z = (y[i] - sum(rows[i][q] * solved[q] for q in range(i))) / rows[i][i]
        solved.append(z)
        loss = loss + 0.5 * z * z + m.log(rows[i][i])
    return loss


@program(
    sizes={"s": 5},
    start=normal("k"),
    move=normal("k k"),
    emit=normal("k v"),
    seen=integers("n s", below="v"),
)
def hidden_markov_forward(m, start, move, emit, seen):
    log_move, log_emit = m.log_softmax(move, axis=1), m.transpose(m.log_softmax(emit, axis=1))
    alpha = m.log_softmax(start, axis=0) + m.take(log_emit, seen[:, 0], axis=0)
    for t in range(1, 5):
        step = m.logsumexp(m.expand_dims(alpha, 2) + log_move, axis=1)
        alpha = step + m.take(log_emit, seen[:, t], axis=0)
    return m.mean(m.logsumexp(alpha, axis=1))


@program(sizes={"s": 4}, emit=normal("n s k"), move=normal("k k"), tags=integers("n s", below="k"))
def linear_chain_crf(m, emit, move, tags):
    picked = m.take_along_axis(emit, m.expand_dims(tags, 2), 2)[:, :, 0]
    score = m.sum(picked, axis=1)
    alpha = emit[:, 0]
    for t in range(1, 4):
        pair = tags[:, t - 1] * move.shape[1] + tags[:, t]
        score = score + m.take(m.reshape(move, (-1,)), pair, axis=0)
        alpha = m.logsumexp(m.expand_dims(alpha, 2) + move, axis=1) + emit[:, t]
    return m.mean(m.logsumexp(alpha, axis=1) - score)


@program(x=normal("n d"), draws=integers("b n", below="n"))
def bootstrap_of_the_mean(m, x, draws):
    means = m.mean(m.take(x, draws, axis=0), axis=1)
    return m.mean(means, axis=0), m.std(means, axis=0), m.mean(x, axis=0)


@program(x=normal("n d"))
def correlation_matrix(m, x):
    z = x - m.mean(x, axis=0, keepdims=True)
    cov = m.transpose(z) @ z
    spread = m.sqrt(m.sum(z * z, axis=0))
    return cov / (m.expand_dims(spread, 1) * m.expand_dims(spread, 0))


@program(x=normal("n d"), w=normal("d"), y=normal("n", 2.0), scale=positive())
def student_t_regression(m, x, w, y, scale):
    e = (y - x @ w) / scale
    loss = m.mean(2.5 * m.log1p(e * e / 4)) + m.log(scale)
    weights = 5 / (4 + e * e)
    return loss + 0.5 * m.sum(w * w) / 10, m.sum(weights * y) / m.sum(weights)


@program(x=normal("n d"), w=normal("d k"), b=normal("k"), y=normal("n"))
def quantile_regression(m, x, w, b, y):
    levels = m.constant([0.1, 0.5, 0.9], x)
    e = m.expand_dims(y, 1) - (x @ w[:, :3] + b[:3])
    crossing = m.sum(m.relu(e[:, 1:] - e[:, :-1]))
    return m.mean(m.maximum(levels * e, (levels - 1) * e)) + 0.1 * crossing


@program(x=normal("n d"), w=normal("d"), time=spread("n"), died=bits("n", 0.7))
def cox_partial_likelihood(m, x, w, time, died):
    risk = x @ w
    alive = m.expand_dims(time, 0) >= m.expand_dims(time, 1)
    seen = m.as_float(died, x)
    total = m.log(m.sum(m.where(alive, m.exp(risk), 0.0), axis=1))
    return -m.sum(seen * (risk - total)) / (m.sum(seen) + 1) + 0.01 * m.sum(w * w)


@program(x=spread("n"), y=normal("n"))
def gini_and_ranked_losses(m, x, y):
    ordered = m.sort(x)
    heights = m.cumsum(m.exp(ordered), axis=0)
    order = m.argsort(x)
    return (
        m.mean(heights / heights[-1]),
        m.mean(m.take(y, order, axis=0) * heights),
        m.max(x) - m.min(x),
    )


@program(x=normal("n d"), y=normal("m d"), width=positive())
def maximum_mean_discrepancy(m, x, y, width):
    def kernel(a, b):
        return m.exp(-m.sum((m.expand_dims(a, 1) - b) ** 2, axis=2) / (2 * width * width))

    return m.mean(kernel(x, x)) + m.mean(kernel(y, y)) - 2 * m.mean(kernel(x, y))


@program(symbolic=None, x=normal("n 2"), y=normal("n 2"))
def distance_correlation(m, x, y):
    def centred(z):
        away = m.sqrt(m.sum((m.expand_dims(z, 1) - z) ** 2, axis=2) + 1e-3)
        rows = m.mean(away, axis=0, keepdims=True)
        return away - rows - m.mean(away, axis=1, keepdims=True) + m.mean(away)

    a, b = centred(x), centred(y)
    return m.mean(a * b) / m.sqrt(m.mean(a * a) * m.mean(b * b))


@program(skill=normal("m"), hard=normal("k"), sharp=positive("k"), right=bits("m k"))
def item_response(m, skill, hard, sharp, right):
    logits = sharp * (m.expand_dims(skill, 1) - hard)
    fit = m.sum(m.where(right, m.softplus(-logits), m.softplus(logits)))
    prior = 0.5 * m.sum(skill**2) + 0.5 * m.sum(hard**2) + 0.5 * m.sum(m.log(sharp) ** 2)
    return fit + prior, m.mean(skill)


@program(sizes={"s": 8}, large={"s": 8}, x=normal("n s"), a=normal("3", 0.3), logvar=normal())
def autoregressive_likelihood(m, x, a, logvar):
    past = m.stack([x[:, 2 - k : 7 - k] for k in range(3)], axis=2)
    e = x[:, 3:] - past @ a
    return 0.5 * m.mean(e * e * m.exp(-logvar) + logvar) + m.sum(m.absolute(a))


@program(
    sizes={"n": 3, "m": 4, "d": 2},
    theta=normal("n d"),
    momentum=normal("n d"),
    x=normal("m d"),
    y=bits("m"),
    rough=10.0,
)
def hamiltonian_monte_carlo_step(m, theta, momentum, x, y):
    def potential(t):
        logits = t @ m.transpose(x)
        fit = m.where(m.expand_dims(y, 0), m.softplus(-logits), m.softplus(logits))
        return m.sum(fit, axis=1) + 0.5 * m.sum(t * t, axis=1)

    start = potential(theta) + 0.5 * m.sum(momentum**2, axis=1)
    moved = theta
    for _ in range(2):
        momentum = momentum - 0.05 * m.grad(lambda t: m.sum(potential(t)), moved)
        moved = moved + 0.1 * momentum
        momentum = momentum - 0.05 * m.grad(lambda t: m.sum(potential(t)), moved)
    end = potential(moved) + 0.5 * m.sum(momentum**2, axis=1)
    return m.where(m.expand_dims(end < start, 1), moved, theta), m.minimum(1.0, m.exp(start - end))


@program(x=normal("n d"), t=integers("n", below="k"), weights=positive("n"), means=normal("k d"))
def weighted_naive_bayes(m, x, t, weights, means):
    member = m.one_hot(t, means.shape[0], x) * m.expand_dims(weights, 1)
    count = m.sum(member, axis=0) + 1.0
    centre = (m.transpose(member) @ x + means) / m.expand_dims(count, 1)
    spread = (m.transpose(member) @ (x * x) + 1 + means**2) / m.expand_dims(count, 1) - centre**2
    gap = m.expand_dims(x, 1) - centre
    scores = m.log(count / m.sum(count)) - 0.5 * m.sum(gap**2 / spread + m.log(spread), axis=2)
    return m.log_softmax(scores, axis=1)
