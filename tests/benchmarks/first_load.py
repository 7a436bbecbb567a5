"""One process from its start to the first result of a ConvNet from a file; prints a line.

`first_load.py PATH save` writes the file, `first_load.py PATH` loads and runs it. Run by `run.py`.
"""

import sys

import numpy as np

import graphc as gc

if sys.argv[2:] == ["save"]:
    nn = gc.nn
    model = nn.Sequential(
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    ).eval()  # fmt: skip
    traced = gc.jit.trace(model, gc.zeros(2, 1, 28, 28), dynamic_axes={0: {0: "n"}})
    gc.jit.save(traced, sys.argv[1])
else:
    model = gc.jit.load(sys.argv[1])
    assert model(np.zeros((8, 1, 28, 28), np.float32)).shape == (8, 10)
print("numba" in sys.modules)
