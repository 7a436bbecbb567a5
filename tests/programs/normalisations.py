"""Normalisations, written out."""

from .corpus import normal, positive, program


@program(
    x=normal("n d"), scale=positive("d"), shift=normal("d"), mean=normal("d"), var=positive("d")
)
def batch_norm_with_running_statistics(m, x, scale, shift, mean, var):
    centre = m.mean(x, axis=0)
    spread = m.mean((x - centre) ** 2, axis=0)
    y = (x - centre) / m.sqrt(spread + 1e-5) * scale + shift
    return y, 0.9 * mean + 0.1 * centre, 0.9 * var + 0.1 * spread


@program(x=normal("n c 4 3"), scale=positive("c"), shift=normal("c"))
def batch_norm_of_images(m, x, scale, shift):
    mean = m.mean(x, axis=(0, 2, 3), keepdims=True)
    var = m.var(x, axis=(0, 2, 3), keepdims=True)
    shape = (1, x.shape[1], 1, 1)
    y = (x - mean) * m.rsqrt(var + 1e-5)
    return y * m.reshape(scale, shape) + m.reshape(shift, shape)


@program(x=normal("n s d"), scale=positive("d"), shift=normal("d"))
def layer_norm(m, x, scale, shift):
    mean = m.mean(x, axis=-1, keepdims=True)
    var = m.mean((x - mean) ** 2, axis=-1, keepdims=True)
    return (x - mean) / m.sqrt(var + 1e-5) * scale + shift


@program(x=normal("n d"), a=normal("n d"), scale=positive("d"), shift=normal("d"), w=normal("d d"))
def residual_layer_norm_twice(m, x, a, scale, shift, w):
    def norm(z):
        z = z - m.mean(z, axis=-1, keepdims=True)
        return z * m.rsqrt(m.mean(z * z, axis=-1, keepdims=True) + 1e-5) * scale + shift

    y = norm(x + a)
    return norm(y + m.relu(y @ w)) + m.mean(x, axis=0)


@program(x=normal("n 6 3 4"), scale=positive("6"), shift=normal("6"))
def group_norm(m, x, scale, shift):
    n, c, h, w = x.shape
    g = m.reshape(x, (n, 3, c // 3 * h * w))
    mean, var = m.mean(g, axis=2, keepdims=True), m.var(g, axis=2, keepdims=True)
    y = m.reshape((g - mean) / m.sqrt(var + 1e-5), (n, c, h, w))
    return y * m.reshape(scale, (c, 1, 1)) + m.reshape(shift, (c, 1, 1))


@program(x=normal("n c 4 5"), style=normal("n c 3 3"))
def adaptive_instance_norm(m, x, style):
    mean, std = m.mean(x, axis=(2, 3), keepdims=True), m.std(x, axis=(2, 3), keepdims=True)
    to_mean = m.mean(style, axis=(2, 3), keepdims=True)
    to_std = m.std(style, axis=(2, 3), keepdims=True)
    return (x - mean) / (std + 1e-5) * to_std + to_mean


@program(x=normal("n s d"), scale=positive("d"), w=normal("d k"))
def rms_norm_into_linear(m, x, scale, w):
    y = x * m.rsqrt(m.mean(x * x, axis=-1, keepdims=True) + 1e-6) * scale
    return y @ w


@program(x=normal("n d"), v=normal("d k"), g=positive("k"), b=normal("k"))
def weight_norm_linear(m, x, v, g, b):
    w = g * v / m.sqrt(m.sum(v * v, axis=0))
    return m.tanh(x @ w + b)


@program(x=normal("n d"), w=normal("k d"), u=normal("k"))
def spectral_norm(m, x, w, u):
    for _ in range(2):
        v = u @ w
        v = v / (m.sqrt(m.sum(v * v)) + 1e-12)
        u = w @ v
        u = u / (m.sqrt(m.sum(u * u)) + 1e-12)
    sigma = m.sum(u * (w @ v))
    return x @ m.transpose(w / sigma), sigma


@program(x=normal("n 5 3 3"))
def local_response_norm(m, x):
    padded = m.pad(x * x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    total = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return x / (2.0 + 0.3 * total) ** 0.75


@program(w=normal("c 2 3 3"), x=normal("n c d"), g=positive("c"))
def weight_standardisation(m, w, x, g):
    flat = m.reshape(w, (w.shape[0], -1))
    flat = (flat - m.mean(flat, axis=1, keepdims=True)) / (
        m.std(flat, axis=1, keepdims=True) + 1e-5
    )
    return m.reshape(flat, w.shape) * m.reshape(g, (-1, 1, 1, 1)), m.mean(x, axis=(0, 2)) * g


@program(symbolic=None, x=normal("n d"), rough=10.0)
def whitening_by_newton_schulz(m, x):
    z = x - m.mean(x, axis=0)
    cov = (m.transpose(z) @ z) / x.shape[0] + 0.1 * m.eye(x.shape[1], x)
    trace = m.sum(cov * m.eye(x.shape[1], x))
    y, one = m.eye(x.shape[1], x), m.eye(x.shape[1], x)
    scaled = cov / trace
    for _ in range(4):
        y = 0.5 * (3 * y - y @ y @ y @ scaled)
    return z @ (y / m.sqrt(trace)), m.sum((y - one) ** 2)


@program(x=normal("n d"), low=normal("d"), high=normal("d"))
def min_max_scaling_with_l2_rows(m, x, low, high):
    least, most = m.min(x, axis=0), m.max(x, axis=0)
    scaled = (x - least) / (most - least) * (high - low) + low
    return scaled / m.sqrt(m.sum(scaled**2, axis=1, keepdims=True) + 1e-8), m.sum(x, axis=1)


@program(x=normal("n d"), scale=positive("d"), bias=normal("d"))
def dynamic_tanh_and_softmax_temperature(m, x, scale, bias):
    y = m.tanh(0.5 * x) * scale + bias
    temperature = m.softplus(m.mean(y, axis=1, keepdims=True))
    return m.softmax(y / temperature, axis=1), m.max(y, axis=0)
