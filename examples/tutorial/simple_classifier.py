"""A binary classifier: a shuffled loader, binary cross entropy, Adam, five epochs."""

import graphc as torch
import graphc.nn as nn
import graphc.optim as optim
from graphc.data import DataLoader, TensorDataset


class SimpleClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Linear(5, 8)
        self.relu = nn.ReLU()
        self.layer2 = nn.Linear(8, 1)
        self.sigmoid = nn.Sigmoid()

    def forward(self, x):
        return self.sigmoid(self.layer2(self.relu(self.layer1(x))))


def make_data():
    x = torch.randn(100, 5)
    y = (x.sum(dim=1, keepdim=True) > 0).float()
    return x, y


def train(model, loader, epochs=5):
    criterion = nn.BCELoss()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = criterion(model(inputs), targets)
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total / len(loader))
        print(f"epoch {epoch + 1}, loss {losses[-1]:.4f}")
    return losses


def main():
    torch.manual_seed(0)
    loader = DataLoader(TensorDataset(*make_data()), batch_size=10, shuffle=True)
    return train(SimpleClassifier(), loader)


if __name__ == "__main__":
    main()
