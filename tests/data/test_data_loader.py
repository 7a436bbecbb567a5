"""Loaders: the order of batches, worker processes and what becomes of their failures."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    WorkerError,
    get_worker_info,
    random_split,
    starting,
)


class Squares(Dataset):
    """Pairs of a picture of a number and its square."""

    def __init__(self, count: int = 50) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        return gc.full((4, 4), float(index)), index * index


class Failing(Squares):
    """Raises at one item."""

    def __getitem__(self, index: int) -> Any:
        if index == 30:
            raise ValueError(f"item {index} is bad")
        return super().__getitem__(index)


class Deadly(Squares):
    """Its process is killed at one item."""

    def __getitem__(self, index: int) -> Any:
        if index == 30:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class Slow(Squares):
    """Takes long."""

    def __getitem__(self, index: int) -> Any:
        time.sleep(3)
        return super().__getitem__(index)


class Stream(IterableDataset):
    """The numbers to 20, dealt out among the workers."""

    def __iter__(self) -> Any:
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return iter(range(first, 20, step))


class Computing(Squares):
    """Runs tensor operations in its worker, a large one among them."""

    def __getitem__(self, index: int) -> Any:
        return (gc.ones(300, 300) * index).exp().mean() * 0 + index


def _labels(workers: int, epochs: int = 2, **settings: Any) -> list[list[int]]:
    gc.manual_seed(3)
    loader = DataLoader(Squares(), batch_size=8, shuffle=True, num_workers=workers, **settings)
    return [y.tolist() for _ in range(epochs) for _, y in loader]


@pytest.mark.parametrize("workers", [1, 4])
def test_the_order_is_the_same_for_any_number_of_workers(workers: int) -> None:
    alone = _labels(0)
    assert _labels(workers) == alone
    assert _labels(workers, persistent_workers=True) == alone
    assert sorted(chain.from_iterable(alone[:7])) == [k * k for k in range(50)]
    assert alone[:7] != alone[7:]


def test_batches_hold_what_the_dataset_gives() -> None:
    for workers in (0, 2):
        for x, y in DataLoader(Squares(), batch_size=8, num_workers=workers):
            assert x.dtype is gc.float32 and y.dtype is gc.int64
            np.testing.assert_array_equal(x[:, 0, 0].numpy() ** 2, y.numpy())
            x.add_(1)  # its memory is the loader's user's


def test_drop_last_and_lengths() -> None:
    whole = DataLoader(Squares(10), batch_size=4)
    cut = DataLoader(Squares(10), batch_size=4, drop_last=True)
    assert (len(whole), len(cut)) == (3, 2) == (len(list(whole)), len(list(cut)))
    single = DataLoader(Squares(3), batch_size=None)
    assert [y for _, y in single] == [0, 1, 4]
    chosen = DataLoader(Squares(9), batch_sampler=BatchSampler(range(9), 5, False))
    assert [len(y) for _, y in chosen] == [5, 4]


def test_a_workers_exception_comes_with_its_traceback() -> None:
    with pytest.raises(ValueError, match="item 30 is bad") as caught:
        list(DataLoader(Failing(), batch_size=8, num_workers=2))
    assert "in a DataLoader worker:" in str(caught.value)
    assert "in __getitem__" in str(caught.value)


def test_a_killed_worker_is_an_error_and_not_a_hang() -> None:
    with pytest.raises(WorkerError, match="it was killed by SIGKILL"):
        list(DataLoader(Deadly(), batch_size=8, num_workers=2))


def test_a_timeout_is_an_error() -> None:
    with pytest.raises(WorkerError, match="within the timeout of 0.2 s"):
        list(DataLoader(Slow(), batch_size=2, num_workers=1, timeout=0.2))


def test_an_epoch_left_early_leaves_no_process_and_a_clean_start() -> None:
    loader = DataLoader(Squares(), batch_size=4, num_workers=2, persistent_workers=True)
    for k, (_, y) in enumerate(loader):
        if k == 2:
            break
    assert [y.tolist()[0] for _, y in loader][:3] == [0, 16, 64]
    pool = loader._pool
    assert pool is not None
    pool.close()
    assert not any(w.process.is_alive() for w in pool.workers)


def test_streams_are_shared_among_workers() -> None:
    alone = [b.tolist() for b in DataLoader(Stream(), batch_size=4)]
    assert list(chain.from_iterable(alone)) == list(range(20))
    together = [b.tolist() for b in DataLoader(Stream(), batch_size=4, num_workers=3)]
    assert sorted(chain.from_iterable(together)) == list(range(20))


def test_tensor_operations_run_in_workers_after_a_fork() -> None:
    (gc.ones(400, 400).exp() * 2).sum()  # the thread team of this process is up
    found = [b.tolist() for b in DataLoader(Computing(12), batch_size=4, num_workers=2)]
    np.testing.assert_allclose(list(chain.from_iterable(found)), range(12))


def test_workers_are_told_apart_and_seeded() -> None:
    seeds: list[Any] = []

    class Seeds(Squares):
        def __getitem__(self, index: int) -> Any:
            info = get_worker_info()
            assert info is not None
            return info.id, info.num_workers, float(gc.rand(1)), float(np.random.rand())

    gc.manual_seed(0)
    loader = DataLoader(Seeds(8), batch_size=2, num_workers=2, worker_init_fn=seeds.append)
    first = [[v.tolist() for v in batch] for batch in loader]
    assert [batch[0] for batch in first] == [[0, 0], [1, 1], [0, 0], [1, 1]]
    assert len({x for batch in first for x in batch[2]}) == 8
    gc.manual_seed(0)
    assert [[v.tolist() for v in batch] for batch in loader] == first
    assert get_worker_info() is None


def test_memory_stays_flat_over_epochs() -> None:
    def used() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    class Big(Squares):
        def __getitem__(self, index: int) -> Any:
            return gc.zeros(100, 1000)

    loader = DataLoader(Big(40), batch_size=4, num_workers=2)
    sizes = []
    for _ in range(20):
        for batch in loader:
            assert batch.shape == (4, 100, 1000)
        sizes.append(used())
    assert sizes[-1] - sizes[4] < 8e6  # one epoch's batches are 16 MB
    assert len(os.listdir("/proc/self/fd")) < 60
    assert threading.active_count() < 20


def test_processes_that_spawn_serve_too() -> None:
    data = TensorDataset(gc.arange(6), gc.arange(6) * 2)
    loader = DataLoader(data, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    assert [b[1].tolist() for b in loader] == [[0, 2, 4, 6], [8, 10]]


def test_samples_of_every_kind_are_batched() -> None:
    samples = [
        {"x": gc.ones(2), "n": 1, "f": 1.5, "s": "a", "l": [1, (2, np.ones(1))]},
        {"x": gc.zeros(2), "n": 2, "f": 2.5, "s": "b", "l": [3, (4, np.zeros(1))]},
    ]
    for workers in (0, 1):
        (batch,) = DataLoader(samples, batch_size=2, num_workers=workers)
        assert batch["x"].tolist() == [[1, 1], [0, 0]]
        assert batch["n"].tolist() == [1, 2] and batch["f"].dtype is gc.float64
        assert batch["s"] == ["a", "b"] and batch["l"][0].tolist() == [1, 3]
        assert batch["l"][1][1].tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: DataLoader([1], num_workers=-1), "num_workers=-1"),
        (lambda: DataLoader([1], batch_size=0), "batch_size must be a positive int, not 0"),
        (lambda: DataLoader([1], shuffle=True, sampler=[0]), "both sampler and shuffle"),
        (lambda: DataLoader(Stream(), shuffle=True), "an IterableDataset has no shuffle"),
        (lambda: DataLoader({1}), "set has no items by number"),
        (lambda: DataLoader([1], prefetch_factor=2), "are for num_workers > 0"),
        (lambda: next(iter(DataLoader([gc.ones(1), gc.ones(2)], batch_size=2))),
         r"samples of shapes (1,) and (2,) cannot be one batch"),
        (lambda: next(iter(DataLoader([object()]))), "samples of object cannot be one batch"),
        (lambda: TensorDataset(gc.ones(2), gc.ones(3)), "first sizes 2, 3"),
        (lambda: random_split(range(4), [1, 2]), "add up to 3, the dataset has 4 items"),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(make: Any, text: str) -> None:
    with pytest.raises(gc.errors.GraphcError) as caught:
        make()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 12


def test_parts_and_unions_of_datasets() -> None:
    both = ConcatDataset([Squares(3), Squares(4)])
    assert len(both) == 7 and both[-1][1] == 9 and both[3][1] == 0
    assert len(Squares(2) + Squares(2)) == 4
    assert list(ChainDataset([Stream(), Stream()])) == list(range(20)) * 2
    parts = random_split(range(10), [0.5, 0.25, 0.25], gc.Generator().manual_seed(0))
    assert [len(p) for p in parts] == [6, 2, 2]
    assert sorted(x for p in parts for x in (p[k] for k in range(len(p)))) == list(range(10))
    assert Subset("abcd", [3, 1])[1] == "b"


def test_samplers_draw_what_they_say() -> None:
    g = gc.Generator().manual_seed(0)
    assert sorted(RandomSampler(range(9), generator=g)) == list(range(9))
    drawn = list(RandomSampler(range(5), replacement=True, num_samples=200, generator=g))
    assert len(drawn) == 200 and set(drawn) == set(range(5))
    assert sorted(SubsetRandomSampler([4, 7, 9], g)) == [4, 7, 9]
    weighted = list(WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=g))
    assert 0 not in weighted and abs(weighted.count(2) / 4000 - 0.75) < 0.05
    assert set(WeightedRandomSampler([0.0, 1.0, 3.0], 2, False, g)) == {1, 2}


class Stuck(Squares):
    """Item 2 never comes."""

    def __getitem__(self, index: int) -> Any:
        if index == 2:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            threading.Event().wait()
        return index


def test_leaving_an_epoch_does_not_wait_for_a_stuck_worker() -> None:
    for persistent in (False, True):
        loader = DataLoader(Stuck(), num_workers=2, persistent_workers=persistent)
        running = iter(loader)
        workers = running.pool.workers  # type: ignore[attr-defined]
        assert next(running).tolist() == [0]
        del running  # what `break` does
        if persistent:
            loader._pool.close()  # type: ignore[union-attr]
        assert not any(w.process.is_alive() for w in workers)


def test_an_interrupt_while_a_batch_is_waited_for_ends_the_workers() -> None:
    running = iter(DataLoader(Stuck(), num_workers=1))
    assert [next(running).item(), next(running).item()] == [0, 1]

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            next(running)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert running.pool.is_closed and list(running) == []  # type: ignore[attr-defined]
    assert not any(w.process.is_alive() for w in running.pool.workers)  # type: ignore[attr-defined]


def test_epochs_that_share_persistent_workers_do_not_mix() -> None:
    data = TensorDataset(gc.arange(40))
    loader = DataLoader(data, batch_size=4, num_workers=2, persistent_workers=True, shuffle=True)
    first = iter(loader)
    begun = next(first)[0].tolist()
    assert sorted(v for (b,) in loader for v in b.tolist()) == list(range(40))
    second = iter(loader)
    pairs = list(zip(first, second))
    assert len(pairs) == 9
    rest = [v for (b,), _ in pairs for v in b.tolist()]
    assert sorted(begun + rest) == list(range(40))
    stream = DataLoader(Stream(), batch_size=4, num_workers=2, persistent_workers=True)
    left = iter(stream)
    taken = next(left).tolist()
    assert sorted(chain.from_iterable(b.tolist() for b in stream)) == list(range(20))
    assert sorted([*taken, *chain.from_iterable(b.tolist() for b in left)]) == list(range(20))


def test_a_workers_exception_of_a_local_class_keeps_its_text() -> None:
    class Trouble(ValueError):
        pass

    class Troubled(Squares):
        def __getitem__(self, index: int) -> Any:
            raise Trouble("about item 3") if index == 3 else LookupError(lambda: 0)

    with pytest.raises(LookupError, match="lambda"):
        list(DataLoader(Troubled(), num_workers=1))
    with pytest.raises(ValueError, match=r"Trouble: about item 3") as caught:
        list(DataLoader(Subset(Troubled(), [3]), num_workers=1))
    assert type(caught.value) is ValueError


def test_a_batch_that_does_not_pickle_is_an_error_with_a_text() -> None:
    class Functions(Squares):
        def __getitem__(self, index: int) -> Any:
            return lambda: index

    loader = DataLoader(Functions(), batch_size=None, num_workers=1)
    with pytest.raises(Exception, match="in a DataLoader worker"):
        list(loader)


AT_EXIT = """
import graphc as gc
loader = gc.data.DataLoader(
    gc.data.TensorDataset(gc.rand(100, 3)), batch_size=2, num_workers=2, persistent_workers=%s
)
running = iter(loader)
next(running)
"""

THREADED = """
import threading, sys
import numpy as np
import graphc as gc
stop = threading.Event()
def draw():
    while not stop.is_set():
        gc.rand(2)
        np.random.rand(2)
threads = [threading.Thread(target=draw) for _ in range(2)]
for thread in threads: thread.start()
sys.setswitchinterval(1e-5)
class Local(gc.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, index): return float(gc.rand(1)) + index + np.random.rand()
try:
    for _ in range(6):
        assert len(list(gc.data.DataLoader(Local(), num_workers=2, batch_size=4))) == 2
    data = gc.data.TensorDataset(gc.arange(8))
    loader = gc.data.DataLoader(data, num_workers=2, batch_size=4)
    running = iter(loader)
    kind = type(running.pool.workers[0].process).__name__
    assert [b.tolist() for (b,) in running] == [[0, 1, 2, 3], [4, 5, 6, 7]]
finally:
    stop.set()
print(kind)
"""


def run_script(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", text]
    return subprocess.run(command, capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("persistent", [False, True])
def test_a_script_that_ends_within_an_epoch_ends_silently(persistent: bool) -> None:
    done = run_script(AT_EXIT % persistent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="where fork is the default")
def test_workers_of_a_process_with_threads_that_draw() -> None:
    """What can be sent is served by processes from a server; what cannot is forked."""
    done = run_script(THREADED)
    assert done.stdout.split() == ["ForkServerProcess"], done.stdout + done.stderr


@pytest.mark.parametrize(
    "text, guarded",
    [("import graphc\n", False), ('if __name__ == "__main__":\n    main()\n', True)],
)
def test_a_main_module_without_a_guard_is_not_imported_again(
    tmp_path: Path, text: str, guarded: bool
) -> None:
    path = tmp_path / "script.py"
    path.write_text(text)
    assert starting._is_guarded(str(path)) is guarded
