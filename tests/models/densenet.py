"""DenseNet-BC (Huang et al. 2017): bottlenecks, growth 12, transitions that halve channels."""

import graphc as torch
import graphc.nn as nn
import graphc.nn.functional as F


class Bottleneck(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, 4 * growth, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x):
        out = self.conv1(F.relu(self.bn1(x)))
        out = self.conv2(F.relu(self.bn2(out)))
        return torch.cat([out, x], 1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.bn = nn.BatchNorm2d(inputs)
        self.conv = nn.Conv2d(inputs, outputs, kernel_size=1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, layers, growth=12, classes=10):
        super().__init__()
        planes = 2 * growth
        self.conv1 = nn.Conv2d(3, planes, kernel_size=3, padding=1, bias=False)
        parts = []
        for stage in range(3):
            for _ in range(layers):
                parts.append(Bottleneck(planes, growth))
                planes += growth
            if stage < 2:
                parts.append(Transition(planes, planes // 2))  # type: ignore[arg-type]
                planes = planes // 2
        self.features = nn.Sequential(*parts)
        self.bn = nn.BatchNorm2d(planes)
        self.linear = nn.Linear(planes, classes)

    def forward(self, x):
        out = self.features(self.conv1(x))
        out = F.adaptive_avg_pool2d(F.relu(self.bn(out)), 1)
        return self.linear(torch.flatten(out, 1))


def make(small):
    return DenseNet(1, 4) if small else DenseNet(6)


def batch(random, small):
    side, count = (8, 3) if small else (16, 4)
    return random.randn(count, 3, side, side), random.randint(0, 10, count)


def loss(model, images, labels):
    return F.cross_entropy(model(images), labels, label_smoothing=0.1)


def optimizer(model):
    return torch.optim.SGD(
        model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4
    )
