"""A model whose branch depends on a value: the graph is another one from call to call."""

import graphc as torch
import graphc.nn as nn


class DynamicModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.small = nn.Linear(10, 5)
        self.large = nn.Linear(10, 5)
        self.out = nn.Linear(5, 1)

    def forward(self, x):
        if x.mean() > 0:
            x = torch.relu(self.small(x))
        else:
            x = torch.tanh(self.large(x))
        return self.out(x)


def main():
    torch.manual_seed(0)
    model = DynamicModel()
    x = torch.randn(4, 10).abs()
    for sign in (1.0, -1.0):
        model.zero_grad()
        model(sign * x).sum().backward()
        used = [name for name, p in model.named_parameters() if p.grad is not None]
        print(f"mean {(sign * x).mean():+.2f}: gradients for {', '.join(used)}")
    return model


if __name__ == "__main__":
    main()
