"""Write a layer: parameters, settings, a text; run it eagerly, compile it, train, save and load."""

import math
import tempfile
from pathlib import Path

import graphc as gc
import graphc.nn as nn
import graphc.nn.functional as F


class Fourier(nn.Module):
    """Sines and cosines of each feature at learnt frequencies, weighted: (N, features) -> (N, out).

    A Linear layer draws straight lines; this one draws waves.
    """

    def __init__(self, features, out, waves=8, bias=True):
        super().__init__()
        self.features, self.out, self.waves = features, out, waves
        # What is assigned as a Parameter is trained, saved, and moved with the layer.
        self.frequency = nn.Parameter(gc.arange(1, waves + 1).float().repeat(features, 1))
        self.weight = nn.Parameter(gc.empty(out, 2 * features * waves))
        if bias:
            self.bias = nn.Parameter(gc.zeros(out))
        else:
            self.register_parameter("bias", None)  # known to be absent: state dicts agree
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.weight, std=1 / math.sqrt(2 * self.features * self.waves))

    def forward(self, x):
        angles = (x.unsqueeze(-1) * self.frequency).flatten(1)
        return F.linear(gc.cat([angles.sin(), angles.cos()], dim=1), self.weight, self.bias)

    def extra_repr(self):
        return f"features={self.features}, out={self.out}, waves={self.waves}"


gc.manual_seed(0)
layer = Fourier(1, 1)
print(layer, "with", sum(p.numel() for p in layer.parameters()), "parameters")

# Eagerly: every line runs at once, and gradients are there after backward.
x = gc.linspace(-3, 3, 64).unsqueeze(1)
target = x.abs()  # a kink, which no single wave has
F.mse_loss(layer(x), target).backward()
print("eager", tuple(layer(x).shape), "slope of the first frequency", layer.frequency.grad[0, 0])

# Compiled: the whole training step, the optimizer's too, is one program.
optimizer = gc.optim.Adam(layer.parameters(), lr=0.02)


@gc.jit.compile
def step(x, target):
    optimizer.zero_grad()
    loss = F.mse_loss(layer(x), target)
    loss.backward()
    optimizer.step()
    return loss


losses = [step(x, target).item() for _ in range(300)]
print(f"loss {losses[0]:.3f} -> {losses[-1]:.5f} in {len(step.variants)} program")
assert losses[-1] < 0.01 * losses[0]

folder = Path(tempfile.mkdtemp())
# Parameters by their names, for a layer that the reader's code makes ...
gc.save(layer.state_dict(), folder / "fourier.safetensors")
other = Fourier(1, 1)
other.load_state_dict(gc.load(folder / "fourier.safetensors"))
print("loaded", gc.equal(other(x), layer(x)))

# ... or the traced layer with its parameters, which runs where its class is not there.
gc.jit.save(gc.jit.trace(layer, x), folder / "fourier.gcz")
print("archived", gc.allclose(gc.jit.load(folder / "fourier.gcz")(x), layer(x), atol=1e-6))
