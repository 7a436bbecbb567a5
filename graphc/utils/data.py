"""`graphc.data` under PyTorch's name.

from graphc.utils.data import DataLoader, Dataset
"""

from graphc.data import *  # noqa: F403
from graphc.data import __all__ as __all__
