"""Points of a Poisson process sorted into cells: their number is drawn, and is a size."""

import numpy as np

import graphc as gc


def main(rate=40.0, cells=7):
    uniform = gc.input("uniform", (gc.dim("room"),), gc.float64)
    cuts = gc.input("cells", (), gc.int64)

    gaps = -gc.log1p(-uniform) / rate
    times = gc.cumsum(gaps, 0)
    arrived = times[times < 1.0]  # as many as fall into the unit interval
    cell = gc.floor(arrived * cuts).astype(gc.int64)
    counts = gc.zeros((cuts,), gc.int64).at[cell].add(1)
    busy, first, sizes = gc.unique(cell, return_inverse=True, return_counts=True)
    rows = gc.reshape(gc.repeat(counts, 2), (cuts, -1))
    run = gc.compile([uniform, cuts], [arrived, counts, busy, sizes, first, rows])

    numbers = np.random.default_rng(4).random(200)
    found = run(numbers, cells)
    print(f"{len(found[0])} arrivals in {len(found[2])} of {cells} cells, at most {found[1].max()}")
    keys = ("arrived", "counts", "busy", "sizes", "inverse", "rows")
    return {"uniform": numbers, "gaps": -np.log1p(-numbers) / rate, **dict(zip(keys, found))}


if __name__ == "__main__":
    main()
