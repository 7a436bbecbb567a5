"""Exercise: SGD, Adam and RMSprop on one model, their losses as a plot (needs matplotlib)."""

import sys

import graphc as torch
import graphc.nn as nn
import graphc.optim as optim

CHOICES = {
    "SGD": lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9),
    "Adam": lambda parameters: optim.Adam(parameters, lr=0.01),
    "RMSprop": lambda parameters: optim.RMSprop(parameters, lr=0.01),
}


def make_model():
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))


def make_data():
    """Two spirals, one within the other."""
    t = torch.linspace(0.5, 3.0, 100) * 3.14159
    arms = [
        torch.stack([t * torch.cos(t + s), t * torch.sin(t + s)], dim=1) for s in (0.0, 3.14159)
    ]
    return torch.cat(arms) / 10, torch.cat([torch.zeros(100), torch.ones(100)]).long()


def train(model, optimizer, x, y, steps):
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def compare(steps=200):
    torch.manual_seed(0)
    start = {k: v.clone() for k, v in make_model().state_dict().items()}
    x, y = make_data()
    curves = {}
    for name, choose in CHOICES.items():
        model = make_model()
        model.load_state_dict(start)
        curves[name] = train(model, choose(model.parameters()), x, y, steps)
        print(f"{name:8} {curves[name][0]:.4f} -> {curves[name][-1]:.4f}")
    return curves


def plot(curves, path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    for name, losses in curves.items():
        axes.plot(losses, label=name)
    axes.set(
        xlabel="step", ylabel="cross entropy", yscale="log", title="one model, three optimizers"
    )
    axes.legend()
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


if __name__ == "__main__":
    plot(compare(), sys.argv[1] if len(sys.argv) > 1 else "optimizers.png")
