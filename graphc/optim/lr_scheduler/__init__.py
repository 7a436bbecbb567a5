"""Learning-rate schedulers, with PyTorch's names, arguments and values."""

from graphc.optim.lr_scheduler.composed import ChainedScheduler, SequentialLR
from graphc.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from graphc.optim.lr_scheduler.cyclic import CyclicLR
from graphc.optim.lr_scheduler.functions import LambdaLR, MultiplicativeLR
from graphc.optim.lr_scheduler.one_cycle import OneCycleLR
from graphc.optim.lr_scheduler.plateau import ReduceLROnPlateau
from graphc.optim.lr_scheduler.ramps import ConstantLR, LinearLR, PolynomialLR
from graphc.optim.lr_scheduler.scheduler import LRScheduler
from graphc.optim.lr_scheduler.steps import ExponentialLR, MultiStepLR, StepLR

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip
