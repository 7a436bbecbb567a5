"""A bandit with several arms, by REINFORCE: choices drawn in the program, rewards outside."""

import numpy as np

import graphc as gc


def main(arms=4, batch=100, steps=60, rate=0.3):
    pays = np.linspace(0, 1, arms)
    gc.manual_seed(0)
    taste = gc.parameter("taste", np.zeros(arms))
    choose = gc.compile([], gc.multinomial(gc.softmax(taste), batch, replacement=True))

    chosen = gc.input("chosen", (batch,), gc.int64)
    reward = gc.input("reward", (batch,), gc.float64)
    better = reward - gc.mean(reward)
    gain = gc.mean(gc.log_softmax(taste)[chosen] * better)
    updates = {taste: taste + rate * gc.grad(gain, taste)}
    learn = gc.compile([chosen, reward], gc.mean(reward), updates)

    rng = np.random.default_rng(13)
    history = []
    for _ in range(steps):
        picked = choose()
        paid = pays[picked] + 0.1 * rng.standard_normal(batch)
        before = taste.value
        mean = float(learn(picked, paid))
        history.append((before, picked, paid, taste.value, mean))
    print(f"mean reward {history[0][4]:.3f} to {history[-1][4]:.3f}")
    return {"history": history, "rate": rate}


if __name__ == "__main__":
    main()
