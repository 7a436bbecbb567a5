"""What PyTorch keeps under `utils`: `data` and `checkpoint`.

from graphc.utils.data import DataLoader
"""

from graphc.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
