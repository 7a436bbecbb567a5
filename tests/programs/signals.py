"""Signals and geometry: transforms written out, pictures read at computed places, rotations."""

import numpy as np

from .corpus import normal, program


def _fractions(m, places):
    whole = m.floor(places)
    return m.as_index(whole), places - whole


@program(seed=266, image=normal("n 6 6"), flow=normal("n 2 6 6", 0.7))
def warping_by_optical_flow(m, image, flow):
    rows, columns = np.mgrid[0:6, 0:6]
    y, dy = _fractions(m, m.clip(flow[:, 0] + m.constant(rows, image), 0.0, 4.999))
    x, dx = _fractions(m, m.clip(flow[:, 1] + m.constant(columns, image), 0.0, 4.999))
    flat = m.reshape(image, (image.shape[0], 36))

    def at(below, right):
        places = m.reshape((y + below) * 6 + x + right, (image.shape[0], 36))
        return m.reshape(m.take_along_axis(flat, places, 1), (image.shape[0], 6, 6))

    upper = at(0, 0) * (1 - dx) + at(0, 1) * dx
    lower = at(1, 0) * (1 - dx) + at(1, 1) * dx
    warped = upper * (1 - dy) + lower * dy
    rough = m.mean((flow[:, :, 1:] - flow[:, :, :-1]) ** 2)
    rough = rough + m.mean((flow[..., 1:] - flow[..., :-1]) ** 2)
    return warped, m.mean(m.sqrt((warped - image) ** 2 + 1e-3)) + 0.1 * rough


@program(seed=3825, theta=normal("n 2 3", 0.4), image=normal("n 3 5 5"))
def spatial_transformer(m, theta, image):
    line = np.linspace(-1, 1, 4)
    grid = np.stack([np.tile(line, 4), np.repeat(line, 4), np.ones(16)])
    places = theta @ m.constant(grid, theta)
    x, dx = _fractions(m, m.clip(2 * (places[:, 0] + 1), 0.0, 3.999))
    y, dy = _fractions(m, m.clip(2 * (places[:, 1] + 1), 0.0, 3.999))
    dx, dy = m.expand_dims(dx, 1), m.expand_dims(dy, 1)
    flat = m.reshape(image, (image.shape[0], 3, 25))

    def at(below, right):
        index = m.expand_dims((y + below) * 5 + x + right, 1)
        return m.take_along_axis(flat, m.broadcast_to(index, (image.shape[0], 3, 16)), 2)

    upper = at(0, 0) * (1 - dx) + at(0, 1) * dx
    return upper * (1 - dy) + (at(1, 0) * (1 - dx) + at(1, 1) * dx) * dy


@program(re=normal("n 8"), im=normal("n 8"))
def fourier_transform_by_butterflies(m, re, im):
    count, order = re.shape[0], (0, 4, 2, 6, 1, 5, 3, 7)
    re, im = (m.stack([part[:, i] for i in order], 1) for part in (re, im))
    for half in (1, 2, 4):
        angle = -np.pi * np.arange(half) / half
        cos, sin = m.constant(np.cos(angle), re), m.constant(np.sin(angle), re)
        r = m.reshape(re, (count, 4 // half, 2, half))
        i = m.reshape(im, (count, 4 // half, 2, half))
        tr, ti = r[:, :, 1] * cos - i[:, :, 1] * sin, r[:, :, 1] * sin + i[:, :, 1] * cos
        re = m.reshape(m.stack([r[:, :, 0] + tr, r[:, :, 0] - tr], 2), (count, 8))
        im = m.reshape(m.stack([i[:, :, 0] + ti, i[:, :, 0] - ti], 2), (count, 8))
    return re, im, m.mean(m.log(re * re + im * im + 1e-2))


@program(x=normal("n 8"))
def wavelet_shrinkage(m, x):
    details, smooth = [], x
    for _ in range(3):
        even, odd = smooth[:, ::2], smooth[:, 1::2]
        details.append((even - odd) * 0.5**0.5)
        smooth = (even + odd) * 0.5**0.5
    waves = m.concatenate([smooth, *reversed(details)], axis=1)
    kept = m.sign(waves) * m.relu(m.abs(waves) - 0.3)
    return waves, m.sum(kept * kept) / m.sum(waves * waves), m.sum(m.abs(waves), axis=0)


def _cross(m, a, b):
    x, y, z = range(3)
    parts = [a[:, i] * b[:, j] - a[:, j] * b[:, i] for i, j in ((y, z), (z, x), (x, y))]
    return m.stack(parts, 1)


@program(a=normal("n 3"), b=normal("n 3"), q=normal("n 4"))
def quaternion_rotations(m, a, b, q):
    q = q / m.sqrt(m.sum(q * q, axis=1, keepdims=True))
    real, axis = q[:, :1], q[:, 1:]
    turned = a + 2 * _cross(m, axis, _cross(m, axis, a) + real * a)
    volume = m.sum(_cross(m, a, b) * turned, axis=1)
    return turned, volume, m.mean((turned - b) ** 2)
