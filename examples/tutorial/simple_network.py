"""A feedforward network for pictures of 28 x 28, and how it prints."""

import graphc as torch
import graphc.nn as nn


class SimpleNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc2 = nn.Linear(512, 256)
        self.fc3 = nn.Linear(256, 10)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        x = x.view(-1, 784)
        x = self.dropout(self.relu(self.fc1(x)))
        x = self.dropout(self.relu(self.fc2(x)))
        return self.fc3(x)


def main():
    model = SimpleNetwork()
    print(model)
    print("parameters:", sum(p.numel() for p in model.parameters()))
    model.eval()
    with torch.no_grad():
        output = model(torch.randn(32, 1, 28, 28))
    print(output.shape)
    return model


if __name__ == "__main__":
    main()
