"""Image datasets from small files of the published formats, and transforms."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.data.vision import datasets, transforms
from graphc.data.vision.formats import DatasetFileError, parse_idx
from graphc.errors import GraphcWarning

IMAGES = np.random.RandomState(0).randint(0, 256, (5, 28, 28)).astype(np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)
PHOTOS = np.random.RandomState(1).randint(0, 256, (4, 32, 32, 3)).astype(np.uint8)

pytestmark = pytest.mark.filterwarnings("ignore::graphc.errors.GraphcWarning")


def _idx(array: np.ndarray) -> bytes:
    return struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    ) + array.tobytes()  # fmt: skip


def _write_mnist(folder: Path, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "t10k"):
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            name, content = f"{split}-{kind}-ubyte", _idx(array)
            if packed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["MNIST/raw", "raw", "."])
def test_mnist_reads_idx_files_plain_and_zipped(tmp_path: Path, packed: bool, place: str) -> None:
    _write_mnist(tmp_path / place, packed)
    for train in (True, False):
        data = datasets.MNIST(tmp_path, train=train, download=True)
        assert len(data) == 5 and data.targets.tolist() == LABELS.tolist()
        image, label = data[2]
        np.testing.assert_array_equal(image, IMAGES[2])
        assert label == 4 and isinstance(label, int)


def test_a_transform_is_applied_to_each_image(tmp_path: Path) -> None:
    _write_mnist(tmp_path / "FashionMNIST/raw", True)
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    data = datasets.FashionMNIST(str(tmp_path), transform=both, target_transform=lambda t: -t)
    image, label = data[0]
    assert image.shape == (1, 28, 28) and label == -3
    np.testing.assert_allclose(image.numpy()[0], IMAGES[0] / 127.5 - 1, atol=1e-6)
    assert data.classes[9] == "Ankle boot"


def test_a_file_that_is_not_the_published_one_is_warned_about_and_read(tmp_path: Path) -> None:
    _write_mnist(tmp_path, True)
    with pytest.warns(GraphcWarning, match="train-images-idx3-ubyte.gz is not the published file"):
        datasets.MNIST(tmp_path)


def test_absent_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetFileError) as caught:
        datasets.MNIST(tmp_path, download=True)
    assert "train-images-idx3-ubyte nor train-images-idx3-ubyte.gz" in str(caught.value)
    assert f"put the four published files into {tmp_path / 'MNIST' / 'raw'}" in str(caught.value)
    with pytest.raises(DatasetFileError, match="put the published cifar-10-binary.tar.gz into"):
        datasets.CIFAR10(tmp_path, download=True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "begins with"),
        (b"\x00\x00\x08", "begins with"),
        (b"PK\x03\x04" + b"x" * 20, "begins with 50 4b 03 04"),
        (_idx(IMAGES)[:-1], "bytes of data; it has 3919"),
        (_idx(IMAGES) + b"x", "it has 3921"),
        (b"\x00\x00\x08\xff" + b"\xff" * 9, "255 axes"),
        (b"\x00\x00\x08\x03" + b"\xff" * 12, "4294967295 x 4294967295 x 4294967295"),
    ],
)
def test_what_is_no_idx_file_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(DatasetFileError, match="is not an IDX file") as caught:
        parse_idx(content, "file")
    assert why in str(caught.value)


def test_a_broken_gzip_file_is_refused(tmp_path: Path) -> None:
    _write_mnist(tmp_path, True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DatasetFileError, match="is not a whole gzip file"):
        datasets.MNIST(tmp_path)


def _cifar_binary(labels: int) -> bytes:
    rows = []
    for k, photo in enumerate(PHOTOS):
        rows.append(bytes([9] * (labels - 1) + [k]) + photo.transpose(2, 0, 1).tobytes())
    return b"".join(rows)


def _archive(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _check_cifar(data: Any, batches: int) -> None:
    assert len(data) == 4 * batches
    image, label = data[3]
    np.testing.assert_array_equal(image, PHOTOS[3])
    assert label == 3


def test_cifar_reads_binary_files_and_archives(tmp_path: Path) -> None:
    names = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]
    folder = tmp_path / "plain" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(_cifar_binary(1))
    _check_cifar(datasets.CIFAR10(tmp_path / "plain"), 5)
    _check_cifar(datasets.CIFAR10(tmp_path / "plain", train=False), 1)
    inside = {f"cifar-10-batches-bin/{name}": _cifar_binary(1) for name in names}
    _archive(tmp_path / "cifar-10-binary.tar.gz", inside)
    _check_cifar(datasets.CIFAR10(tmp_path), 5)
    (tmp_path / "cifar-100-binary").mkdir()
    for name in ("train.bin", "test.bin"):
        (tmp_path / "cifar-100-binary" / name).write_bytes(_cifar_binary(2))
    _check_cifar(datasets.CIFAR100(tmp_path, train=False), 1)


def test_cifar_reads_the_python_version_and_runs_nothing_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    content = {
        b"data": PHOTOS.transpose(0, 3, 1, 2).reshape(4, 3072), b"labels": [0, 1, 2, 3],
        b"batch_label": b"one",
    }  # fmt: skip
    (folder / "test_batch").write_bytes(pickle.dumps(content, protocol=2))
    _check_cifar(datasets.CIFAR10(tmp_path, train=False), 1)
    flag = tmp_path / "ran"

    class Attack:
        def __reduce__(self) -> Any:
            return Path.touch, (flag,)

    (folder / "test_batch").write_bytes(pickle.dumps({b"data": Attack(), b"labels": []}))
    with pytest.raises(DatasetFileError, match="it names"):
        datasets.CIFAR10(tmp_path, train=False)
    assert not flag.exists()


def test_cifar_files_of_a_wrong_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "test_batch.bin").write_bytes(_cifar_binary(1)[:-5])
    with pytest.raises(DatasetFileError, match="are no multiple of 3073"):
        datasets.CIFAR10(tmp_path, train=False)


def test_digits_are_scikit_learns() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    train, test = datasets.Digits(), datasets.Digits(train=False)
    assert (len(train), len(test)) == (1437, 360)
    assert train[0][0].shape == (8, 8) and train[0][1] == 0


def test_to_tensor_scales_bytes_alone() -> None:
    x = transforms.ToTensor()(PHOTOS[0])
    assert x.shape == (3, 32, 32) and x.dtype is gc.float32
    np.testing.assert_allclose(x.numpy(), PHOTOS[0].transpose(2, 0, 1) / 255, atol=1e-7)
    kept = transforms.ToTensor()(np.full((2, 2), 7.0, np.float32))
    assert kept.tolist() == [[[7, 7], [7, 7]]]


@pytest.mark.parity
@pytest.mark.parametrize("size", [(16, 16), (40, 20), 20, (33, 31), (64, 64), 7])
@pytest.mark.parametrize("antialias", [True, False])
def test_resize_is_pytorchs_interpolation(size: Any, antialias: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    image = np.random.RandomState(3).rand(3, 32, 48).astype(np.float32)
    own = transforms.Resize(size, antialias=antialias)(gc.tensor(image))
    shape = size if isinstance(size, tuple) else (size, int(size * 48 / 32))
    wanted = torch.nn.functional.interpolate(
        torch.tensor(image)[None], shape, mode="bilinear", antialias=antialias
    )[0]
    assert tuple(own.shape) == tuple(wanted.shape)
    np.testing.assert_allclose(own.numpy(), wanted.numpy(), atol=1e-5)  # its weights are float32


def test_resize_keeps_constant_images_and_kinds() -> None:
    image = np.full((8, 6, 3), 200, np.uint8)
    resized = transforms.Resize((5, 9))(image)
    assert resized.dtype == np.uint8 and resized.shape == (5, 9, 3) and (resized == 200).all()


def test_crops_and_flips_take_the_parts_they_say() -> None:
    image = np.arange(36, dtype=np.uint8).reshape(6, 6)
    np.testing.assert_array_equal(transforms.CenterCrop(2)(image), image[2:4, 2:4])
    assert transforms.CenterCrop(8)(image).shape == (8, 8)
    gc.manual_seed(0)
    seen = set()
    for _ in range(60):
        part = transforms.RandomCrop(5)(image)
        assert part.shape == (5, 5) and part[1, 1] - part[0, 0] == 7
        seen.add(int(part[0, 0]))
    assert seen == {0, 1, 6, 7}
    padded = transforms.RandomCrop(10, padding=2)(image)
    assert padded.shape == (10, 10) and padded.sum() == image.sum()
    with pytest.raises(gc.errors.ShapeError, match="RandomCrop: a part of"):
        transforms.RandomCrop(9)(image)
    flips = [transforms.RandomHorizontalFlip()(image)[0, 0] for _ in range(60)]
    assert set(flips) == {0, 5} and 10 < flips.count(5) < 50
    np.testing.assert_array_equal(transforms.RandomHorizontalFlip(1.0)(image), image[:, ::-1])
    assert transforms.Lambda(lambda x: x.max())(image) == 35


def test_transforms_print_as_torchvisions() -> None:
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    assert repr(both) == ("Compose(\n    ToTensor()\n    Normalize(mean=(0.5,), std=(0.5,))\n)")
    assert repr(transforms.RandomCrop(32, padding=4)) == "RandomCrop(size=(32, 32), padding=4)"
    assert repr(transforms.RandomHorizontalFlip()) == "RandomHorizontalFlip(p=0.5)"
