"""Write a layer: parameters, settings, a text; run it eagerly, compile it, train, save and load."""

import math
import tempfile
from dataclasses import InitVar
from pathlib import Path

import graphc as gc
import graphc.nn as nn
import graphc.nn.functional as F


@nn.layer  # the annotated fields are settings: __init__ and the text follow from them
class Fourier(nn.Module):
    """Sines and cosines of each feature at learnt frequencies, weighted: (N, features) -> (N, out).

    A Linear layer draws straight lines; this one draws waves.
    """

    features: int
    out: int
    waves: int = 8
    bias: InitVar[bool] = True  # not kept, but handed to __post_init__

    def __post_init__(self, bias):
        # What is assigned as a Parameter is trained, saved, and moved with the layer.
        self.frequency = nn.Parameter(gc.arange(1, self.waves + 1).float().repeat(self.features, 1))
        self.weight = nn.Parameter(gc.empty(self.out, 2 * self.features * self.waves))
        if bias:
            self.bias = nn.Parameter(gc.zeros(self.out))
        else:
            self.register_parameter("bias", None)  # known to be absent: state dicts agree
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.weight, std=1 / math.sqrt(2 * self.features * self.waves))

    def forward(self, x):
        angles = (x.unsqueeze(-1) * self.frequency).flatten(1)
        return F.linear(gc.cat([angles.sin(), angles.cos()], dim=1), self.weight, self.bias)


# A layer that is one function's call needs no more than its settings.
@nn.layer(F.leaky_relu)
class Leaky(nn.Module):
    negative_slope: float = 0.2
    inplace: bool = False


print(Leaky(), Leaky(0.5)(gc.tensor([-2.0, 2.0])))

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
