"""Optimizers written by hand: steps along gradients, which are differentiated again."""

from typing import Any

from .corpus import normal, positive, program


def _bowl(m, x, y):
    return lambda w: m.mean((x @ w - y) ** 2) + 0.1 * m.sum(m.cos(w))


_DATA: Any = {"x": normal("n d"), "y": normal("n"), "w": normal("d")}


@program(**_DATA, mean=normal("d"), second=positive("d"))
def adam_step(m, x, y, w, mean, second):
    g = m.grad(_bowl(m, x, y), w)
    mean = 0.9 * mean + 0.1 * g
    second = 0.999 * second + 0.001 * g * g
    step = (mean / (1 - 0.9**3)) / (m.sqrt(second / (1 - 0.999**3)) + 1e-8)
    return w - 0.01 * step, mean, second


@program(**_DATA, mean=normal("d"), second=positive("d"))
def adamw_with_clipped_norm(m, x, y, w, mean, second):
    g = m.grad(_bowl(m, x, y), w)
    norm = m.sqrt(m.sum(g * g) + 1e-12)
    g = g * m.minimum(1.0, 1.0 / (norm + 1e-6))
    mean, second = 0.9 * mean + 0.1 * g, 0.99 * second + 0.01 * g * g
    return w * (1 - 0.01 * 0.1) - 0.01 * mean / (m.sqrt(second) + 1e-6), norm


@program(**_DATA, square=positive("d"), average=normal("d", 0.05), velocity=normal("d"))
def centred_rmsprop(m, x, y, w, square, average, velocity):
    g = m.grad(_bowl(m, x, y), w)
    square, average = 0.99 * square + 0.01 * g * g, 0.99 * average + 0.01 * g
    velocity = 0.9 * velocity + g / m.sqrt(square - average**2 + 1e-3)
    return w - 0.02 * velocity, square, average


@program(**_DATA, mean=normal("d"))
def lion(m, x, y, w, mean):
    g = m.grad(_bowl(m, x, y), w)
    return w * (1 - 0.01) - 0.1 * m.sign(0.9 * mean + 0.1 * g), 0.99 * mean + 0.01 * g


@program(**_DATA, mean=normal("d"), second=positive("d"))
def lamb(m, x, y, w, mean, second):
    g = m.grad(_bowl(m, x, y), w)
    mean, second = 0.9 * mean + 0.1 * g, 0.99 * second + 0.01 * g * g
    step = mean / (m.sqrt(second) + 1e-6) + 0.01 * w
    trust = m.sqrt(m.sum(w * w)) / m.sqrt(m.sum(step * step))
    return w - 0.1 * m.clip(trust, 0.0, 10.0) * step


@program(
    x=normal("n d"), y=normal("n k"), w=normal("d k"), rows=positive("d"), columns=positive("k")
)
def adafactor(m, x, y, w, rows, columns):
    g = m.grad(lambda w: m.mean((m.tanh(x @ w) - y) ** 2), w)
    square = g * g + 1e-6
    rows = 0.9 * rows + 0.1 * m.mean(square, axis=1)
    columns = 0.9 * columns + 0.1 * m.mean(square, axis=0)
    scale = m.expand_dims(rows / m.mean(rows), 1) * columns
    step = g / m.sqrt(scale)
    step = step / m.maximum(1.0, m.sqrt(m.mean(step * step)))
    return w - 0.1 * step, rows, columns


@program(**_DATA, velocity=normal("d"))
def nesterov_momentum(m, x, y, w, velocity):
    g = m.grad(_bowl(m, x, y), w + 0.9 * velocity)
    velocity = 0.9 * velocity - 0.1 * g
    return w + velocity, velocity


@program(**_DATA, rough=100.0)
def newton_step_for_two_weights(m, x, y, w):
    def f(v):
        inner = m.concatenate([v, w[2:]], axis=0)
        return m.mean(m.softplus(-y * (x @ inner))) + 0.5 * m.sum(inner * inner)

    v = w[:2]
    g = m.grad(f, v)
    a = m.grad(lambda u: m.grad(f, u)[0], v)
    b = m.grad(lambda u: m.grad(f, u)[1], v)
    det = a[0] * b[1] - a[1] * b[0]
    step = m.stack([b[1] * g[0] - a[1] * g[1], a[0] * g[1] - b[0] * g[0]], axis=0) / det
    return v - step


@program(**_DATA, rough=20.0)
def hessian_vector_product(m, x, y, w):
    f = _bowl(m, x, y)
    way = m.sin(m.arange(w.shape[0], w))
    curve = m.grad(lambda w: m.sum(m.grad(f, w) * way), w)
    return w - m.grad(f, w) / (1 + m.absolute(m.sum(curve * way)))


@program(**_DATA)
def backtracking_line_search(m, x, y, w):
    f = _bowl(m, x, y)
    g = m.grad(f, w)
    slope, start, length = m.sum(g * g), f(w), 1.0
    taken = 0.0 * slope
    for _ in range(5):
        enough = f(w - length * g) <= start - 1e-2 * length * slope
        taken = m.where(m.logical_and(enough, taken == 0.0), length, taken)
        length = length * 0.5
    return w - taken * g


@program(**_DATA)
def sharpness_aware(m, x, y, w):
    f = _bowl(m, x, y)
    g = m.grad(f, w)
    uphill = w + 0.05 * g / (m.sqrt(m.sum(g * g)) + 1e-12)
    return w - 0.1 * m.grad(f, uphill), f(uphill) - f(w)


@program(x=normal("n d"), y=normal("n k"), w=normal("d k"), velocity=normal("d k"))
def orthogonalised_momentum(m, x, y, w, velocity):
    g = m.grad(lambda w: m.mean((m.tanh(x @ w) - y) ** 2), w)
    velocity = 0.95 * velocity + g
    z = velocity / (m.sqrt(m.sum(velocity * velocity)) + 1e-7)
    for _ in range(3):
        gram = m.transpose(z) @ z
        z = 1.5 * z - 0.5 * z @ gram
    return w - 0.1 * z


@program(x=normal("n d"), w=normal("d"), y=normal("n"), rough=10.0)
def conjugate_gradients(m, x, w, y):
    def product(v):
        return m.transpose(x) @ (x @ v) + v

    r = m.transpose(x) @ y - product(w)
    p, rr = r, m.sum(r * r)
    for _ in range(3):
        ap = product(p)
        step = rr / m.sum(p * ap)
        w, r = w + step * p, r - step * ap
        new = m.sum(r * r)
        p, rr = r + new / rr * p, new
    return w, rr


@program(g=normal("d"), s=normal("3 d"), y=positive("3 d", 0.5, 1.5))
def lbfgs_two_loops(m, g, s, y):
    q, kept = g, []
    pairs = [(s[i] * s[i] * y[i] + 0.1 * s[i], s[i]) for i in range(3)]
    for a, b in reversed(pairs):
        rho = 1.0 / (m.sum(a * b) + 3.0)
        alpha = rho * m.sum(b * q)
        kept.append((rho, alpha, a, b))
        q = q - alpha * a
    a, b = pairs[-1]
    q = q * (m.sum(a * b) + 3.0) / (m.sum(a * a) + 1.0)
    for rho, alpha, a, b in reversed(kept):
        q = q + b * (alpha - rho * m.sum(a * q))
    return -q


@program(x=normal("n d"), y=normal("n"), w=normal("e d"))
def two_steps_of_training_unrolled(m, x, y, w):
    def f(w):
        hidden = m.tanh(x @ m.transpose(w[:-1]))
        return m.mean((hidden @ w[-1, : w.shape[0] - 1] - y) ** 2)

    fast = w
    for _ in range(2):
        fast = fast - 0.3 * m.grad(f, fast)
    return f(fast)


@program(**_DATA, slow=normal("d"), total=positive("d"))
def adagrad_with_moving_average(m, x, y, w, slow, total):
    g = m.grad(_bowl(m, x, y), w)
    total = total + g * g
    w = w - 0.1 * g / (m.sqrt(total) + 1e-10)
    return w, 0.99 * slow + 0.01 * w, total
