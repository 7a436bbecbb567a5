"""U-Net (Ronneberger et al. 2015) for masks: double convolutions, skips, cross entropy and dice."""

import graphc as torch
import graphc.nn as nn
import graphc.nn.functional as F


class DoubleConv(nn.Sequential):
    def __init__(self, inputs, outputs):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class UNet(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        inputs = 1
        for width in widths:
            self.downs.append(DoubleConv(inputs, width))
            inputs = width
        for width in reversed(widths):
            self.ups.append(nn.ConvTranspose2d(2 * width, width, kernel_size=2, stride=2))
            self.ups.append(DoubleConv(2 * width, width))
        self.bottleneck = DoubleConv(widths[-1], 2 * widths[-1])
        self.final = nn.Conv2d(widths[0], 1, kernel_size=1)

    def forward(self, x):
        skips = []
        for down in self.downs:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        skips = skips[::-1]
        for k in range(0, len(self.ups), 2):
            x = self.ups[k](x)
            skip = skips[k // 2]
            if x.shape != skip.shape:
                x = F.interpolate(x, size=skip.shape[2:])
            x = self.ups[k + 1](torch.cat((skip, x), dim=1))
        return self.final(x)


def make(small):
    return UNet((3, 6)) if small else UNet((16, 32, 64, 128))


def batch(random, small):
    side, count = (9, 2) if small else (40, 2)
    images = random.randn(count, 1, side, side)
    return images, (images + random.randn(count, 1, side, side) > 0.5).astype(images.dtype)


def loss(model, images, masks):
    logits = model(images)
    share = torch.sigmoid(logits)
    both = (share * masks).sum(dim=(1, 2, 3))
    dice = 1 - (2 * both + 1) / (share.sum(dim=(1, 2, 3)) + masks.sum(dim=(1, 2, 3)) + 1)
    return F.binary_cross_entropy_with_logits(logits, masks) + dice.mean()


def optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.99)
