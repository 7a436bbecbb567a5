"""MNIST, FashionMNIST, CIFAR10, CIFAR100 from local files, and scikit-learn's Digits.

Nothing is fetched: the files are expected where torchvision keeps them, and an error says which
to put where. Items are pairs (image, label): an array (height, width) or (height, width, 3) of
uint8, and an int.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphc.core.ir import caller
from graphc.data.dataset import Dataset
from graphc.data.vision.formats import (
    DatasetFileError,
    find_file,
    parse_cifar_binary,
    parse_cifar_python,
    parse_idx,
    read_bytes,
    read_member,
)
from graphc.eager.engine.tensor import wrap
from graphc.errors import ArgumentError


class VisionDataset(Dataset):
    """Images with labels, and functions to apply to each.

    Attributes:
        data: the images.
        targets: the labels.
        classes: the labels' names.

    Example:
        >>> import graphc as gc
        >>> class Squares(gc.data.vision.datasets.VisionDataset):
        ...     classes = ["even", "odd"]
        ...     data, targets = gc.arange(4) ** 2, [0, 1, 0, 1]
        >>> Squares("nowhere", True, None, None)[3]
        (tensor(9), 1)
    """

    data: Any
    targets: Any
    classes: ClassVar[list[str]] = []

    def __init__(
        self, root: Any, train: bool, transform: Callable[[Any], Any] | None,
        target_transform: Callable[[Any], Any] | None,
    ) -> None:  # fmt: skip
        self.root = root
        self.train = train
        self.transform = transform
        self.target_transform = target_transform

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The labels by their names.

        Example:
            >>> import graphc as gc
            >>> class Coins(gc.data.vision.datasets.VisionDataset):
            ...     classes = ["heads", "tails"]
            >>> Coins(None, True, None, None).class_to_idx
            {'heads': 0, 'tails': 1}
        """
        return {name: k for k, name in enumerate(self.classes)}

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = self._item(index)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def _item(self, index: int) -> tuple[np.ndarray, int]:
        return self.data[index], int(self.targets[index])

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        lines.append(f"    Split: {'Train' if self.train else 'Test'}")
        if self.transform is not None:
            text = repr(self.transform).replace("\n", "\n" + " " * 11)
            lines += ["    StandardTransform", f"Transform: {text}"]
        return "\n".join(lines)


class MNIST(VisionDataset):
    """Handwritten digits, 28 x 28, from the IDX files of the published dataset.

    Args:
        root: a folder; the files are looked for in `root/MNIST/raw`, `root/raw` and `root`,
            plain or with .gz.
        train: the 60,000 training images, or the 10,000 test images.
        transform: applied to each image.
        target_transform: applied to each label.
        download: accepted; files that are there are used, others are not fetched.

    Raises:
        DatasetFileError: a file is missing or not of its format.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.datasets.MNIST.classes[3]
        '3 - three'
    """

    classes: ClassVar[list[str]] = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six",
        "7 - seven", "8 - eight", "9 - nine",
    ]  # fmt: skip
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    }

    def __init__(
        self, root: Any, train: bool = True, transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, train, transform, target_transform)
        images = self._read("images-idx3")
        labels = self._read("labels-idx1")
        if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
            raise DatasetFileError(
                f"{type(self).__name__}: images {images.shape} and labels {labels.shape} do not "
                "belong together",
                where=caller(),
            )
        self.data = wrap(images)
        self.targets = wrap(labels.astype(np.int64))
        self._images, self._labels = images, labels.tolist()

    def _read(self, kind: str) -> np.ndarray:
        name = f"{'train' if self.train else 't10k'}-{kind}-ubyte"
        title = type(self).__name__
        folders = [Path(self.root) / title / "raw", Path(self.root) / "raw", Path(self.root)]
        path = find_file(folders, name)
        if path is None:
            raise DatasetFileError(
                f"{title}: neither {name} nor {name}.gz is in {folders[0]}",
                where=caller(),
                hint=f"graphc fetches nothing: put the four published files into {folders[0]}",
            )
        return parse_idx(read_bytes(path, self.md5.get(path.name, "")), path.name)

    def _item(self, index: int) -> tuple[np.ndarray, int]:
        return self._images[index], self._labels[index]


class FashionMNIST(MNIST):
    """Pictures of clothes, 28 x 28, in MNIST's format; arguments as for `MNIST`.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.datasets.FashionMNIST.classes[7]
        'Sneaker'
    """

    classes: ClassVar[list[str]] = [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker",
        "Bag", "Ankle boot",
    ]  # fmt: skip
    md5: ClassVar[dict[str, str]] = {
        "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
    }


class CIFAR10(VisionDataset):
    """Colour photos, 32 x 32, in ten classes, from the published binary or Python version.

    Args:
        root: a folder with `cifar-10-batches-bin`, `cifar-10-batches-py`, or one of the published
            archives, which is read without being unpacked.
        train: the 50,000 training images, or the 10,000 test images.
        transform: applied to each image.
        target_transform: applied to each label.
        download: accepted; files that are there are used, others are not fetched.

    Raises:
        DatasetFileError: no version is there whole, or a file is not of its format.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.datasets.CIFAR10.classes[0]
        'airplane'
    """

    classes: ClassVar[list[str]] = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip
    folder, archive = "cifar-10-batches", "cifar-10"
    label_bytes, label_key = 1, b"labels"
    train_names = tuple(f"data_batch_{k}" for k in range(1, 6))
    test_names: tuple[str, ...] = ("test_batch",)
    md5: ClassVar[dict[str, str]] = {
        "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }

    def __init__(
        self, root: Any, train: bool = True, transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(root, train, transform, target_transform)
        names = self.train_names if train else self.test_names
        parts = [self._read(name) for name in names]
        self.data = np.concatenate([images for images, _ in parts])
        self.targets = np.concatenate([labels for _, labels in parts]).tolist()

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        root = Path(self.root)
        for path in (root / f"{self.folder}-bin" / f"{name}.bin", root / f"{name}.bin"):
            if path.is_file():
                return parse_cifar_binary(read_bytes(path), self.label_bytes, path.name)
        for path in (root / f"{self.folder}-py" / name, root / name):
            if path.is_file():
                content = read_bytes(path, self.md5.get(name, ""))
                return parse_cifar_python(content, self.label_key, path.name)
        binary = root / f"{self.archive}-binary.tar.gz"
        if binary.is_file() and (found := read_member(binary, f"{name}.bin")) is not None:
            return parse_cifar_binary(found, self.label_bytes, f"{name}.bin")
        python = root / f"{self.archive}-python.tar.gz"
        if python.is_file() and (found := read_member(python, name)) is not None:
            return parse_cifar_python(found, self.label_key, name)
        raise DatasetFileError(
            f"{type(self).__name__}: {name} is in no version of the dataset in {root}",
            [f"looked for {self.folder}-bin/{name}.bin, {self.folder}-py/{name}, "
             f"{binary.name} and {python.name}"],
            where=caller(),
            hint=f"graphc fetches nothing: put the published {binary.name} into {root}",
        )  # fmt: skip


class CIFAR100(CIFAR10):
    """Colour photos, 32 x 32, in a hundred classes; arguments as for `CIFAR10`.

    Example:
        >>> import graphc as gc
        >>> try:
        ...     gc.data.vision.datasets.CIFAR100("nowhere")
        ... except RuntimeError as error:
        ...     print(str(error).splitlines()[0])
        CIFAR100: train is in no version of the dataset in nowhere
    """

    classes: ClassVar[list[str]] = []
    folder, archive = "cifar-100", "cifar-100"
    label_bytes, label_key = 2, b"fine_labels"
    train_names = ("train",)
    test_names = ("test",)
    md5: ClassVar[dict[str, str]] = {
        "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    }

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        root = Path(self.root)
        for path in (root / "cifar-100-binary" / f"{name}.bin", root / f"{name}.bin"):
            if path.is_file():
                return parse_cifar_binary(read_bytes(path), self.label_bytes, path.name)
        path = root / "cifar-100-python" / name
        if path.is_file():
            content = read_bytes(path, self.md5.get(name, ""))
            return parse_cifar_python(content, self.label_key, path.name)
        return super()._read(name)


class Digits(VisionDataset):
    """The 1,797 handwritten digits, 8 x 8, that scikit-learn carries (values 0 to 16).

    Args:
        train: the first 1,437 images, or the other 360.
        transform: applied to each image, an array (8, 8) of uint8, scaled to 0 .. 255.
        target_transform: applied to each label.
        root: accepted for likeness, and not used.
        download: accepted for likeness, and not used.

    Raises:
        ArgumentError: scikit-learn is not installed.

    Example:
        >>> import graphc as gc
        >>> gc.data.vision.datasets.Digits.classes[3]
        '3'
    """

    classes: ClassVar[list[str]] = [str(k) for k in range(10)]

    def __init__(
        self, train: bool = True, transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None, *,
        root: str | PathLike[str] | None = None, download: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(None, train, transform, target_transform)
        try:
            from sklearn.datasets import load_digits
        except ImportError:
            raise ArgumentError(
                "Digits: scikit-learn, which carries the images, is not installed",
                where=caller(),
                hint="pip install scikit-learn",
            ) from None
        found = load_digits()
        chosen = slice(0, 1437) if train else slice(1437, None)
        self.data = np.clip(found.images[chosen] * 16, 0, 255).astype(np.uint8)
        self.targets = found.target[chosen].astype(np.int64).tolist()


__all__ = ["CIFAR10", "CIFAR100", "Digits", "FashionMNIST", "MNIST", "VisionDataset"]
