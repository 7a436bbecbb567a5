"""Exercise: a layer of one's own, with parameters, in a model that trains."""

import math

import graphc as torch
import graphc.nn as nn
import graphc.optim as optim


class ScaledLinear(nn.Module):
    """A linear layer whose every output has a learnt scale."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.scale = nn.Parameter(torch.ones(outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x):
        return (x @ self.weight.t()) * self.scale + self.bias

    def extra_repr(self):
        return f"inputs={self.weight.shape[1]}, outputs={self.weight.shape[0]}"


def make_model():
    return nn.Sequential(ScaledLinear(3, 16), nn.Tanh(), ScaledLinear(16, 1))


def train(model, x, y, steps=200):
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    torch.manual_seed(0)
    model = make_model()
    print(model)
    x = torch.rand(200, 3) * 2 - 1
    losses = train(model, x, torch.sin(3 * x).sum(dim=1, keepdim=True))
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
    return losses


if __name__ == "__main__":
    main()
