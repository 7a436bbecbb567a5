"""Signals and images: filters, windows, resampling, transforms by products."""

import math

import numpy as np

from .corpus import integers, normal, positive, program, spread


def _filtered(m, x, kernel):
    """The last two axes filtered with a 3 by 3 kernel, without padding."""
    h, w = x.shape[-2], x.shape[-1]
    total = 0.0
    for i in range(3):
        for j in range(3):
            if kernel[i][j] != 0:
                total = total + kernel[i][j] * x[..., i : h - 2 + i, j : w - 2 + j]
    return total


@program(image=normal("n p q"))
def sobel_edges(m, image):
    gx = _filtered(m, image, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    gy = _filtered(m, image, [[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    return m.sqrt(gx * gx + gy * gy + 1e-3), m.mean(image, axis=(1, 2))


@program(image=normal("n p q"), sigma=positive())
def separable_gaussian_blur(m, image, sigma):
    places = m.constant([-2.0, -1.0, 0.0, 1.0, 2.0], image)
    taps = m.exp(-0.5 * (places / sigma) ** 2)
    taps = taps / m.sum(taps)
    x = m.pad(image, ((0, 0), (2, 2), (2, 2)))
    h, w = image.shape[1], image.shape[2]
    x = sum(taps[i] * x[:, i : h + i] for i in range(5))
    return sum(taps[i] * x[:, :, i : w + i] for i in range(5))


@program(a=positive("n p q"), b=positive("n p q"))
def structural_similarity(m, a, b):
    box = [[1 / 9] * 3] * 3
    ma, mb = _filtered(m, a, box), _filtered(m, b, box)
    va, vb = _filtered(m, a * a, box) - ma * ma, _filtered(m, b * b, box) - mb * mb
    cov = _filtered(m, a * b, box) - ma * mb
    top = (2 * ma * mb + 1e-2) * (2 * cov + 3e-2)
    return 1 - m.mean(top / ((ma**2 + mb**2 + 1e-2) * (va + vb + 3e-2)))


@program(image=normal("n 5 4"))
def bilinear_resize(m, image):
    def along(x, axis, size):
        old = x.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.minimum(at.astype(int), old - 2)
        shape = [1, 1, 1]
        shape[axis] = size
        part = m.reshape(m.constant(at - low, x), tuple(shape))
        a = m.take(x, m.indices(low, x), axis=axis)
        return a + part * (m.take(x, m.indices(low + 1, x), axis=axis) - a)

    return along(along(image, 1, 8), 2, 7)


@program(signal=normal("n 16"), window=positive("8"))
def power_spectrum_by_products(m, signal, window):
    frames = m.stack([signal[:, k : k + 8] for k in range(0, 9, 4)], axis=1) * window
    angle = -2 * math.pi * np.outer(np.arange(8), np.arange(5)) / 8
    re = frames @ m.constant(np.cos(angle), signal)
    im = frames @ m.constant(np.sin(angle), signal)
    return m.log(re * re + im * im + 1e-2), m.mean(re * re + im * im, axis=1)


@program(image=normal("n c 6 5"), w=normal("3 c 3 3"), b=normal("3"))
def convolution_by_unfolding(m, image, w, b):
    n, c, h, q = image.shape
    cut = [image[:, :, i : h - 2 + i, j : q - 2 + j] for i in range(3) for j in range(3)]
    columns = m.reshape(m.stack(cut, axis=2), (n, c * 9, (h - 2) * (q - 2)))
    y = m.reshape(w, (w.shape[0], -1)) @ columns + m.expand_dims(b, 1)
    return m.relu(m.reshape(y, (n, w.shape[0], h - 2, q - 2)))


@program(image=normal("n 6 7"))
def box_filter_by_integral_image(m, image):
    total = m.pad(m.cumsum(m.cumsum(image, axis=1), axis=2), ((0, 0), (1, 0), (1, 0)))
    box = total[:, 3:, 3:] - total[:, :-3, 3:] - total[:, 3:, :-3] + total[:, :-3, :-3]
    return box / 9, m.var(image, axis=(1, 2))


@program(image=normal("n m"), centres=normal("k"), width=positive())
def soft_histogram(m, image, centres, width):
    gap = (m.expand_dims(image, 2) - centres) / width
    share = m.softmax(-gap * gap, axis=2)
    counts = m.mean(share, axis=(0, 1))
    return counts, -m.sum(counts * m.log(counts + 1e-9)), m.mean(share, axis=1)


@program(image=spread("n 6 6"))
def morphological_gradient(m, image):
    def around(pick, x):
        x = pick(pick(x[:, 2:], x[:, 1:-1]), x[:, :-2])
        return pick(pick(x[:, :, 2:], x[:, :, 1:-1]), x[:, :, :-2])

    return around(m.maximum, image) - around(m.minimum, image)


@program(frames=positive("n s d"), mel=positive("d k"))
def log_mel_with_differences(m, frames, mel):
    energy = m.log(frames @ mel + 1e-6)
    energy = energy - m.mean(energy, axis=1, keepdims=True)
    first = energy[:, 1:] - energy[:, :-1]
    return m.concatenate([energy[:, 1:], first], axis=2), m.std(energy, axis=1)


@program(image=normal("n 5 6"), at=positive("n m 2", 0.6, 3.3))
def sampling_at_places(m, image, at):
    low = m.floor(m.detach(at))
    part = at - low
    low = m.as_index(low)
    flat = m.reshape(image, (-1, 30))

    def picked(i, j):
        return m.take_along_axis(flat, (low[:, :, 0] + i) * 6 + low[:, :, 1] + j, 1)

    y, x = part[:, :, 0], part[:, :, 1]
    top = picked(0, 0) * (1 - x) + picked(0, 1) * x
    return top * (1 - y) + (picked(1, 0) * (1 - x) + picked(1, 1) * x) * y


@program(image=normal("n 6 7"), width=positive("2"))
def bilateral_filter(m, image, width):
    centre = image[:, 1:-1, 1:-1]
    total, result = 0.0, 0.0
    for i in range(3):
        for j in range(3):
            near = image[:, i : 4 + i, j : 5 + j]
            far = ((i - 1) ** 2 + (j - 1) ** 2) / width[0] ** 2
            weight = m.exp(-0.5 * far - 0.5 * ((near - centre) / width[1]) ** 2)
            total, result = total + weight, result + weight * near
    return result / total


@program(image=normal("n 6 6", 0.3))
def harris_corners(m, image):
    ix, iy = image[:, 1:-1, 2:] - image[:, 1:-1, :-2], image[:, 2:, 1:-1] - image[:, :-2, 1:-1]
    box = [[1.0] * 3] * 3
    a, b, c = (_filtered(m, z, box) for z in (ix * ix, iy * iy, ix * iy))
    return a * b - c * c - 0.05 * (a + b) ** 2


@program(image=normal("n 8 4"))
def laplacian_pyramid(m, image):
    levels, x = [], image
    for _ in range(2):
        n, h, w = x.shape
        small = m.mean(m.reshape(x, (n, h // 2, 2, w // 2, 2)), axis=(2, 4))
        levels.append(x - m.repeat(m.repeat(small, 2, axis=1), 2, axis=2))
        x = small
    return [*levels, x, sum(m.mean(m.absolute(v + 0.01)) for v in levels)]


@program(x=normal("n 8 8"), table=positive("8 8", 1.0, 2.0), rough=10.0)
def cosine_transform_with_soft_rounding(m, x, table):
    k = np.arange(8)
    basis = np.cos(math.pi / 8 * np.outer(k, k + 0.5)) * np.where(k == 0, 8**-0.5, 0.5)[:, None]
    c = m.constant(basis, x)
    y = (c @ x @ m.transpose(c)) / table
    y = y - m.sin(2 * math.pi * y) / (2 * math.pi)
    return m.transpose(c) @ (y * table) @ c


@program(x=normal("n 12"), taps=normal("3"), gain=normal("n"))
def causal_filter_and_decimation(m, x, taps, gain):
    padded = m.pad(x, ((0, 0), (2, 0)))
    y = sum(taps[k] * padded[:, 2 - k : 14 - k] for k in range(3))
    return m.tanh(y)[:, ::3] * m.expand_dims(gain, 1), m.flip(y, 1)[:, 1:5]


@program(rgb=positive("n 3 4 5"), mix=normal("3 3"), t=integers("n", below="3"))
def colour_space_and_gray_world(m, rgb, mix, t):
    mean = m.mean(rgb, axis=(2, 3), keepdims=True)
    balanced = rgb / mean * m.mean(mean, axis=1, keepdims=True)
    turned = m.einsum("oc,nchw->nohw", mix, balanced)
    place = m.reshape(t, (-1, 1, 1, 1))
    return turned, m.max(m.min(rgb, axis=1), axis=(1, 2)), m.sum(m.where(place == 1, rgb, 0.0))
