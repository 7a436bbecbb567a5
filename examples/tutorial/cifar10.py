"""Exercise: a classifier of colour pictures in CIFAR-10's files, with augmentation."""

import sys
import tempfile

from pictures import write_cifar10

import graphc as torch
import graphc.nn as nn
import graphc.optim as optim
from graphc.data import DataLoader
from graphc.data.vision import datasets, transforms


def make_model():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10),
    )  # fmt: skip


def main(folder, epochs=3):
    torch.manual_seed(0)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    augmented = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=2),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    train_set = datasets.CIFAR10(folder, train=True, download=True, transform=augmented)
    loader = DataLoader(train_set, batch_size=32, shuffle=True, num_workers=2)
    model = make_model()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * len(loader))
    losses = []
    for epoch in range(epochs):
        running = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model(images), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            running += loss.item()
        losses.append(running / len(loader))
        print(f"epoch {epoch + 1}, mean loss {losses[-1]:.4f}")
    return losses


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1], epochs=10)
    else:
        with tempfile.TemporaryDirectory() as place:
            write_cifar10(place)
            main(place)
