"""MobileNetV2 (Sandler et al. 2018): inverted residuals, depthwise convolutions, ReLU6."""

import graphc as torch
import graphc.nn as nn


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expand):
        super().__init__()
        hidden = inputs * expand
        self.use_res_connect = stride == 1 and inputs == outputs
        layers = []
        if expand != 1:
            layers += [nn.Conv2d(inputs, hidden, 1, bias=False), nn.BatchNorm2d(hidden)]
            layers += [nn.ReLU6(inplace=True)]
        layers += [
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, outputs, 1, 1, 0, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)

    def forward(self, x):
        if self.use_res_connect:
            return x + self.conv(x)
        return self.conv(x)


# Expansion, channels, number of blocks, first stride: those of the paper, fit to small pictures.
SETTINGS = [
    (1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
]  # fmt: skip
SMALL = [(1, 4, 1, 1), (3, 6, 2, 2)]


class MobileNetV2(nn.Module):
    def __init__(self, settings, first, last, classes=10):
        super().__init__()
        features = [nn.Conv2d(3, first, 3, 1, 1, bias=False), nn.BatchNorm2d(first), nn.ReLU6(True)]
        inputs = first
        for expand, channels, count, stride in settings:
            for k in range(count):
                step = stride if k == 0 else 1
                features.append(InvertedResidual(inputs, channels, step, expand))
                inputs = channels
        features += [nn.Conv2d(inputs, last, 1, bias=False), nn.BatchNorm2d(last), nn.ReLU6(True)]
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(nn.Dropout(0.0), nn.Linear(last, classes))

    def forward(self, x):
        x = self.features(x)
        x = x.mean([2, 3])
        return self.classifier(x)


def make(small):
    return MobileNetV2(SMALL, 4, 12) if small else MobileNetV2(SETTINGS, 32, 1280)


def batch(random, small):
    side, count = (8, 3) if small else (16, 4)
    return random.randn(count, 3, side, side), random.randint(0, 10, count)


def loss(model, images, labels):
    return nn.CrossEntropyLoss()(model(images), labels)


def optimizer(model):
    return torch.optim.RMSprop(model.parameters(), lr=0.002, alpha=0.9, momentum=0.9, eps=1.0)
