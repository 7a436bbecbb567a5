"""Optimizers: `gc.optim.SGD`, `gc.optim.Adam` and others, and `gc.optim.lr_scheduler`.

Names, arguments, values and state dicts are PyTorch's. Each optimizer's arithmetic is one function
of tensors, compiled into one kernel for each parameter; a learning rate that changes compiles
nothing anew.
"""

from graphc.optim import lr_scheduler
from graphc.optim.adadelta import Adadelta
from graphc.optim.adagrad import Adagrad
from graphc.optim.adam import Adam
from graphc.optim.adamax import Adamax
from graphc.optim.adamw import AdamW
from graphc.optim.lbfgs import LBFGS
from graphc.optim.nadam import NAdam
from graphc.optim.optimizer import Optimizer
from graphc.optim.radam import RAdam
from graphc.optim.rmsprop import RMSprop
from graphc.optim.sgd import SGD
from graphc.optim.sparse_adam import SparseAdam

__all__ = [
    "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "Optimizer", "RAdam",
    "RMSprop", "SGD", "SparseAdam", "lr_scheduler",
]  # fmt: skip
