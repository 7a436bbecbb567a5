"""Small files of MNIST's and CIFAR's formats, made of scikit-learn's digits."""

import struct
from pathlib import Path

import numpy as np


def digits():
    """Real handwritten digits, enlarged to 28 x 28: images and labels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = np.clip(np.kron(found.images * 16, np.ones((1, 3, 3))), 0, 255).astype(np.uint8)
    return np.pad(images, ((0, 0), (2, 2), (2, 2))), found.target.astype(np.uint8)


def _write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    path.write_bytes(header + array.tobytes())


def write_mnist(folder, train=1437):
    """Files of MNIST's format under `folder`."""
    images, labels = digits()
    place = Path(folder) / "MNIST" / "raw"
    place.mkdir(parents=True, exist_ok=True)
    for name, part in (("train", slice(0, train)), ("t10k", slice(1437, None))):
        _write_idx(place / f"{name}-images-idx3-ubyte", images[part])
        _write_idx(place / f"{name}-labels-idx1-ubyte", labels[part])


def write_cifar10(folder, each=100):
    """Files of CIFAR-10's binary format: digits in colours that depend on them."""
    images, labels = digits()
    images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    place = Path(folder) / "cifar-10-batches-bin"
    place.mkdir(parents=True, exist_ok=True)
    names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
    for k, name in enumerate(names):
        rows = []
        for i in range(k * each, (k + 1) * each):
            tint = np.array([labels[i], 5, 9 - labels[i]]).reshape(3, 1, 1) * 12
            picture = np.clip(images[i][None] * 0.6 + tint, 0, 255).astype(np.uint8)
            rows.append(bytes([labels[i]]) + picture.tobytes())
        (place / name).write_bytes(b"".join(rows))
