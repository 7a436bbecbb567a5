"""A character model: embedding, LSTM and a linear layer of `gc.nn`, trained in a graph."""

import numpy as np

import graphc as gc
from graphc import nn, optim

TEXT = "the quick brown fox jumps over the lazy dog and runs away from the lazy dog "


class Model(nn.Module):
    """The next character's logits."""

    def __init__(self, letters, hidden):
        super().__init__()
        self.embedding = nn.Embedding(letters, 8)
        self.lstm = nn.LSTM(8, hidden, batch_first=True)
        self.out = nn.Linear(hidden, letters)

    def forward(self, x):
        states, _ = self.lstm(self.embedding(x))
        return self.out(states)


def main(length=12, hidden=16, steps=40):
    letters = sorted(set(TEXT))
    codes = np.array([letters.index(c) for c in TEXT])
    windows = np.stack([codes[k : k + length + 1] for k in range(0, len(codes) - length, 4)])

    gc.manual_seed(0)
    model = Model(len(letters), hidden)
    start = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    x = gc.input("x", (len(windows), length), gc.int64)
    t = gc.input("t", (len(windows), length), gc.int64)
    logits = model(x)
    loss = gc.cross_entropy(logits.reshape(-1, len(letters)), t.reshape(-1))
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    step = gc.compile([x, t], loss, updates=optimizer.updates(loss))
    losses = [float(step(windows[:, :-1], windows[:, 1:])) for _ in range(steps)]
    print(f"loss {losses[0]:.3f} to {losses[-1]:.3f} (uniform: {np.log(len(letters)):.3f})")
    return {"windows": windows, "start": start, "losses": losses}


if __name__ == "__main__":
    main()
