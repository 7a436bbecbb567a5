"""A generative adversarial network: two models, two optimizers, two programs that share both."""

import numpy as np

import graphc as gc
from graphc import nn, optim
from graphc.nn import functional as F


def main(batch=64, steps=50):
    gc.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 2))
    critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    models = {"generator": generator, "critic": critic}
    start = {k: {n: v.numpy().copy() for n, v in m.state_dict().items()} for k, m in models.items()}
    real, z = gc.input("real", (batch, 2)), gc.input("z", (batch, 2))
    made = generator(z)
    fooled = critic(made)
    judged = F.softplus(-critic(real)).mean() + F.softplus(fooled).mean()
    wanted = F.softplus(-fooled).mean()
    judge = optim.Adam(critic.parameters(), lr=0.01, betas=(0.5, 0.9))
    forge = optim.Adam(generator.parameters(), lr=0.01, betas=(0.5, 0.9))
    train_critic = gc.compile([real, z], judged, updates=judge.updates(judged))
    train_generator = gc.compile([z], wanted, updates=forge.updates(wanted))
    draw = gc.compile([z], made)

    rng = np.random.default_rng(5)
    losses = []
    for _ in range(steps):
        truth = (rng.standard_normal((batch, 2)) * 0.5 + [2, -1]).astype(np.float32)
        noise = rng.standard_normal((2, batch, 2)).astype(np.float32)
        losses.append((float(train_critic(truth, noise[0])), float(train_generator(noise[1]))))
    centre = draw(rng.standard_normal((batch, 2)).astype(np.float32)).mean(0)
    print(f"critic {losses[-1][0]:.3f}, generator {losses[-1][1]:.3f}, centre {centre.round(2)}")
    return {"start": start, "losses": losses}


if __name__ == "__main__":
    main()
