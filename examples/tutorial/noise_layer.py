"""A layer of one's own with a Python branch: noise while training, none in evaluation."""

import graphc as torch
import graphc.nn as nn


class NoisyLinear(nn.Module):
    def __init__(self, inputs, outputs, std=0.1):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        self.std = std

    def forward(self, x):
        x = self.linear(x)
        if self.training:
            x = x + self.std * torch.randn_like(x)
        return x


def main():
    torch.manual_seed(0)
    layer = NoisyLinear(4, 2)
    x = torch.ones(3, 4)
    first, second = layer(x), layer(x)
    print("training, differ:", not torch.equal(first, second))
    layer.eval()
    first, second = layer(x), layer(x)
    print("evaluation, differ:", not torch.equal(first, second))
    return layer


if __name__ == "__main__":
    main()
