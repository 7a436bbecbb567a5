"""A DDPM's U-Net (Ho et al. 2020): time embeddings, group norm, attention, nearest upsampling."""

import math

import graphc as torch
import graphc.nn as nn
import graphc.nn.functional as F


def timestep_embedding(t, dim, dtype):
    half = dim // 2
    freqs = torch.exp(-math.log(10000) * torch.arange(half, dtype=dtype) / half)
    args = t[:, None].to(dtype) * freqs[None]
    return torch.cat([torch.cos(args), torch.sin(args)], dim=-1)


class ResBlock(nn.Module):
    def __init__(self, inputs, outputs, emb, groups):
        super().__init__()
        self.norm1 = nn.GroupNorm(groups, inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.emb = nn.Linear(emb, outputs)
        self.norm2 = nn.GroupNorm(groups, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        h = h + self.emb(F.silu(emb))[:, :, None, None]
        h = self.conv2(F.silu(self.norm2(h)))
        return self.skip(x) + h


class Attention(nn.Module):
    def __init__(self, channels, groups):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, 3, c, h * w).unbind(1)
        weight = torch.einsum("bcq,bck->bqk", q, k) * c**-0.5
        out = torch.einsum("bqk,bck->bcq", weight.softmax(dim=-1), v)
        return x + self.proj(out.reshape(b, c, h, w))


class DiffusionUNet(nn.Module):
    def __init__(self, channels, width, mults, groups):
        super().__init__()
        emb = 4 * width
        self.width = width
        self.time = nn.Sequential(nn.Linear(width, emb), nn.SiLU(), nn.Linear(emb, emb))
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        kept, now = [width], width
        for level, mult in enumerate(mults):
            self.downs.append(ResBlock(now, mult * width, emb, groups))
            now = mult * width
            kept.append(now)
            if level < len(mults) - 1:
                self.downs.append(nn.Conv2d(now, now, 3, stride=2, padding=1))
                kept.append(now)
        self.middle = nn.ModuleList(
            [
                ResBlock(now, now, emb, groups),
                Attention(now, groups),
                ResBlock(now, now, emb, groups),
            ]
        )
        for level, mult in reversed(list(enumerate(mults))):
            for _ in range(2):
                self.ups.append(ResBlock(now + kept.pop(), mult * width, emb, groups))
                now = mult * width
            if level:
                self.ups.append(nn.Conv2d(now, now, 3, padding=1))
        self.out = nn.Sequential(
            nn.GroupNorm(groups, now), nn.SiLU(), nn.Conv2d(now, channels, 3, padding=1)
        )

    def forward(self, x, t):
        emb = self.time(timestep_embedding(t, self.width, x.dtype))
        x = self.first(x)
        kept = [x]
        for layer in self.downs:
            x = layer(x, emb) if isinstance(layer, ResBlock) else layer(x)
            kept.append(x)
        for layer in self.middle:
            x = layer(x, emb) if isinstance(layer, ResBlock) else layer(x)
        for layer in self.ups:
            if isinstance(layer, ResBlock):
                x = layer(torch.cat([x, kept.pop()], dim=1), emb)
            else:
                x = layer(F.interpolate(x, scale_factor=2, mode="nearest"))
        return self.out(x)


def make(small):
    return DiffusionUNet(1, 4, (1, 2), 2) if small else DiffusionUNet(3, 32, (1, 2, 2), 8)


def batch(random, small):
    shape = (2, 1, 6, 6) if small else (4, 3, 16, 16)
    return random.randn(*shape), random.randn(*shape), random.randint(0, 1000, shape[0])


def loss(model, images, noise, t):
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=images.dtype)
    kept = torch.cumprod(1.0 - betas, dim=0)[t].view(-1, 1, 1, 1)
    noisy = kept.sqrt() * images + (1 - kept).sqrt() * noise
    return F.mse_loss(model(noisy, t), noise)


def optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-4, eps=1e-4)
