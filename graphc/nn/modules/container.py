"""`torch.nn.modules.container`."""

from graphc.nn.module.containers import ModuleDict, ModuleList, Sequential
from graphc.nn.module.parameter_containers import ParameterDict, ParameterList

__all__ = ["ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]
