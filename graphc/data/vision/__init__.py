"""Image datasets and transforms, named as torchvision names them."""

from graphc.data.vision import datasets, transforms

__all__ = ["datasets", "transforms"]
