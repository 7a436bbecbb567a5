"""Datasets, samplers and loaders: PyTorch's `torch.utils.data`.

loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True, num_workers=2)
for images, labels in loader: ...
"""

from graphc.data import vision
from graphc.data.collate import default_collate, default_convert
from graphc.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from graphc.data.loader import DataLoader
from graphc.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)
from graphc.data.worker import get_worker_info
from graphc.data.workers import WorkerError

__all__ = [
    "BatchSampler", "ChainDataset", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset",
    "RandomSampler", "Sampler", "SequentialSampler", "Subset", "SubsetRandomSampler",
    "TensorDataset", "WeightedRandomSampler", "WorkerError", "default_collate", "default_convert",
    "get_worker_info", "random_split", "vision",
]  # fmt: skip
