"""A ConvNet with batch norm on 28 x 28 pictures in MNIST's files: workers, SGD, epochs."""

import sys
import tempfile

from pictures import write_mnist

import graphc as torch
import graphc.nn as nn
import graphc.optim as optim
from graphc.data import DataLoader
from graphc.data.vision import datasets, transforms


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(64 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)
        self.relu = nn.ReLU()

    def forward(self, x):
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = x.view(x.size(0), -1)
        return self.fc2(self.relu(self.fc1(x)))


def train(model, loader, epochs):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = model.to(device)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    losses = []
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            running += loss.item()
        losses.append(running / len(loader))
        print(f"epoch {epoch + 1}, mean loss {losses[-1]:.4f}")
    return losses


def accuracy(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for images, labels in loader:
            right += (model(images).argmax(dim=1) == labels).sum().item()
            total += labels.size(0)
    return right / total


def main(folder, epochs=2, workers=2):
    torch.manual_seed(0)
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    )
    train_set = datasets.MNIST(root=folder, train=True, download=True, transform=transform)
    test_set = datasets.MNIST(root=folder, train=False, download=True, transform=transform)
    loader = DataLoader(train_set, batch_size=64, shuffle=True, num_workers=workers)
    model = ConvNet()
    losses = train(model, loader, epochs)
    share = accuracy(model, DataLoader(test_set, batch_size=256))
    print(f"{share:.1%} of the test pictures are right")
    return losses, share


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as place:
            write_mnist(place)
            main(place)
