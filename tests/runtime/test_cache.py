"""The folder of compiled kernels: whole entries or none, whoever crashes, damages or intrudes."""

import ast
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from interrupting import instructions, interrupt

from graphc.config import override
from graphc.errors import GraphcWarning
from graphc.runtime.base import kernel as kernels
from graphc.runtime.base.kernel import Kernel, key
from graphc.runtime.base.symbols import forbidden, undefined
from graphc.runtime.objects import cache, loader, trust
from graphc.runtime.objects.cache import Cache

KEY = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
CAP = 1 << 20


def scale(factor):
    """A kernel that no other test has: y = factor * x in float32."""
    return Kernel(
        "scale",
        f"""
def scale(args, lo, hi):
    x = buffer(args, 0, f32)
    y = buffer(args, 1, f32)
    for i in range(lo, hi):
        y[i] = x[i] * f32({factor})
""",
    )


def call(address, args, lo, hi):
    words = np.array(args, np.int64)
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)(words.ctypes.data, lo, hi)


def scales_by(address, factor):
    x = np.array([1.0, -2.0, 0.0, np.inf], np.float32)
    y = np.zeros_like(x)
    call(address, [x.ctypes.data, y.ctypes.data], 0, len(x))
    return np.array_equal(y, x * np.float32(factor))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "cache"
    with override(cache_dir=str(path), cache_size=CAP):
        yield path


@pytest.fixture
def empty_process(monkeypatch):
    """As if this process had loaded nothing yet."""
    monkeypatch.setattr(loader, "_addresses", {})
    monkeypatch.setattr(loader, "compiled", [])


def run_python(code, folder, **kwargs):
    """Start a fresh interpreter on `code` with the cache in `folder`."""
    environment = {**os.environ, "GRAPHC_CACHE_DIR": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


KERNEL_CODE = """
from graphc.runtime.base.kernel import Kernel
SOURCE = '''
def scale(args, lo, hi):
    x = buffer(args, 0, f32)
    for i in range(lo, hi):
        x[i] = x[i] * f32(2.5)
'''
kernel = Kernel("scale", SOURCE)
"""


def test_what_is_written_is_read(tmp_path):
    store = Cache(tmp_path / "new" / "folder", CAP)
    assert store.read(KEY) is None
    assert store.write(KEY, b"code")
    assert store.read(KEY) == b"code"
    assert Cache(store.path, CAP).read(KEY) == b"code"
    assert store.info().entries == 1


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_folder_is_made_for_its_owner_alone(tmp_path):
    Cache(tmp_path / "new", CAP)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_an_empty_payload_is_an_entry(tmp_path):
    store = Cache(tmp_path, CAP)
    store.write(KEY, b"")
    assert store.read(KEY) == b""


@pytest.mark.parametrize("kept", [0, 1, 40, 87, 88, 90, 187])
def test_a_truncated_entry_is_absent(tmp_path, kept):
    store = Cache(tmp_path, CAP)
    store.write(KEY, bytes(range(100)))
    path = tmp_path / (KEY + cache.SUFFIX)
    path.write_bytes(path.read_bytes()[:kept])
    assert store.read(KEY) is None


def test_every_flipped_bit_makes_an_entry_absent(tmp_path):
    store = Cache(tmp_path, CAP)
    store.write(KEY, b"some code")
    path = tmp_path / (KEY + cache.SUFFIX)
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert store.read(KEY) is None, f"bit {bit}"
    path.write_bytes(whole + b"\0")
    assert store.read(KEY) is None


def test_another_keys_entry_is_absent(tmp_path):
    store = Cache(tmp_path, CAP)
    store.write(KEY, b"code")
    os.rename(tmp_path / (KEY + cache.SUFFIX), tmp_path / (OTHER + cache.SUFFIX))
    assert store.read(OTHER) is None


def test_a_damaged_entry_is_compiled_again_and_replaced(folder, empty_process):
    kernel = scale(1.25)
    loader.load([kernel])
    path = folder / (key(kernel) + cache.SUFFIX)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    loader._addresses.clear()
    (address,) = loader.load([kernel])
    assert loader.compiled == ["scale", "scale"]
    assert path.read_bytes() == whole
    assert scales_by(address, 1.25)


def test_a_valid_entry_that_calls_python_is_not_loaded(folder, empty_process):
    kernel = scale(1.375)
    loader.load([kernel])
    cache.current().write(key(kernel), elf_needing("PyErr_Print"))
    loader._addresses.clear()
    (address,) = loader.load([kernel])
    assert loader.compiled == ["scale", "scale"]
    assert scales_by(address, 1.375)


def elf_needing(name):
    """An object file whose function calls `name`."""
    import llvmlite.binding as llvm

    from graphc.runtime.base import target

    text = f"declare void @{name}()\ndefine void @f() {{\n call void @{name}()\n ret void\n}}"
    return target.machine().emit_object(llvm.parse_assembly(text))


def test_undefined_symbols_are_read_from_the_object():
    assert undefined(elf_needing("PyErr_Print")) == ["PyErr_Print"]
    assert forbidden(elf_needing("PyErr_Print")) == ["PyErr_Print"]
    assert undefined(elf_needing("expf")) == ["expf"]
    assert forbidden(elf_needing("expf")) == []
    with pytest.raises(ValueError, match="damaged"):
        undefined(elf_needing("expf")[:200])


def test_a_writer_killed_midway_leaves_no_entry(tmp_path):
    code = f"""
        import os, sys, time
        from pathlib import Path
        from graphc.runtime.objects.cache import Cache
        store = Cache(Path({str(tmp_path)!r}), 1 << 30)
        store.write({OTHER!r}, b"whole")
        real = os.fdopen
        class Slow:
            def __init__(self, file): self.file = file
            def __enter__(self): return self
            def __exit__(self, *rest): self.file.close()
            def write(self, data):
                self.file.write(data[: len(data) // 2])
                self.file.flush()
                print("half", flush=True)
                time.sleep(60)
        os.fdopen = lambda *args: Slow(real(*args))
        store.write({KEY!r}, bytes(10000))
    """
    writer = run_python(code, tmp_path)
    assert writer.stdout.readline() == "half\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait(20)
    writer.stdout.close()
    writer.stderr.close()
    store = Cache(tmp_path, CAP)
    assert store.read(KEY) is None
    assert store.read(OTHER) == b"whole"
    (left,) = [path for path in tmp_path.iterdir() if path.name.startswith("tmp-")]
    store.evict()
    assert left.exists(), "a young temporary may be another writer's"
    os.utime(left, (0, 0))
    (tmp_path / "listed.json").unlink()
    store.evict()
    assert not left.exists()
    assert store.write(KEY, b"now") and store.read(KEY) == b"now"


def test_eight_processes_compile_the_same_kernel_at_once(tmp_path):
    code = KERNEL_CODE + textwrap.dedent(
        """
        import ctypes, sys
        import numpy as np
        sys.stdin.readline()
        from graphc.runtime.objects import loader
        (address,) = loader.load([kernel])
        x = np.arange(5, dtype=np.float32)
        args = np.array([x.ctypes.data])
        ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)(args.ctypes.data, 0, 5)
        print(x.tolist())
        """
    )
    folder = tmp_path / "shared"
    processes = [run_python(code, folder, stdin=subprocess.PIPE) for _ in range(8)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert (out, errors) == ("[0.0, 2.5, 5.0, 7.5, 10.0]\n", "")
    assert sorted(path.suffix for path in folder.iterdir()) == [cache.SUFFIX, ".json"]


def test_a_warm_start_imports_no_numba_and_compiles_nothing(tmp_path):
    code = KERNEL_CODE + textwrap.dedent(
        """
        import sys
        from graphc.runtime.objects import loader; from graphc.runtime.machine import machine
        step = machine.Step(loader.load([kernel])[0], 0, 1 << 14, grain=16)
        table = machine.Table([step], [(0, 0)])
        import numpy as np
        x = np.ones(1 << 14, np.float32)
        frame = machine.Frame(table, 1, 1, threads=2)
        frame.externals[0] = x.ctypes.data
        frame.run()
        assert (x == 2.5).all()
        print(loader.compiled, "numba" in sys.modules)
        """
    )
    results = []
    for _ in range(2):
        out, errors = run_python(code, tmp_path / "cache").communicate(timeout=120)
        assert errors == ""
        results.append(out)
    assert results[0].endswith("True\n") and "'scale'" in results[0]
    assert results[1] == "[] False\n"


def test_a_kernel_is_loaded_once(folder, empty_process):
    a, b = scale(3.0), scale(4.0)
    first = loader.load([a, b, a])
    assert first[0] == first[2] != first[1]
    assert loader.load([b]) == [first[1]]
    assert len(loader.compiled) == 2
    assert scales_by(first[0], 3.0) and scales_by(first[1], 4.0)


def test_keys_are_of_every_file_that_makes_code_of_sources():
    runtime = Path(kernels.__file__).parent.parent
    hashed = {p for pattern in kernels._COMPILED_BY for p in runtime.glob(pattern)}
    reached, waiting = set(), [runtime / "objects" / "compiler.py"]
    while waiting:
        path = waiting.pop()
        reached.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            for name in names:
                found = runtime / f"{name.removeprefix('graphc.runtime.').replace('.', '/')}.py"
                makes = found.parent.name in ("objects", "language") and found.is_file()
                waiting += [found] if makes and found not in reached else []
    assert len(reached) > 10
    assert reached <= hashed


def test_keys_tell_sources_names_and_kinds_apart():
    base = Kernel("f", "def f(args, lo, hi):\n    pass\n")
    others = [
        Kernel("f", base.source + " "),
        Kernel("g", base.source),
        Kernel("f", base.source, "machine"),
        Kernel("f", base.source, returns=True),
        Kernel("fd", base.source[1:]),
    ]
    assert len({key(kernel) for kernel in (base, *others)}) == 6
    assert key(base) == key(Kernel("f", base.source))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused_with_one_warning(tmp_path, mode):
    path = tmp_path / "open"
    Cache(path, CAP).write(KEY, b"planted")
    path.chmod(mode)
    with pytest.warns(GraphcWarning, match="others may write to it") as caught:
        store = Cache(path, CAP)
        assert store.read(KEY) is None
        assert not store.write(OTHER, b"code")
    assert len(caught) == 1
    assert not store.info().usable


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_folder_in_one_that_others_can_write_to_is_refused(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.warns(GraphcWarning, match="others may write to its parent"):
        Cache(tmp_path / "open" / "cache", CAP)
    (tmp_path / "open").chmod(0o1777)
    assert Cache(tmp_path / "open" / "cache", CAP).write(KEY, b"code")


@pytest.mark.skipif(os.name != "posix", reason="owners are POSIX's")
def test_another_users_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.warns(GraphcWarning, match="it belongs to another user"):
        assert Cache(tmp_path, CAP).read(KEY) is None


def test_a_refused_folder_still_runs_kernels(tmp_path, empty_process):
    path = tmp_path / "file"
    path.write_text("not a folder")
    with override(cache_dir=str(path)), pytest.warns(GraphcWarning) as caught:
        (address,) = loader.load([scale(5.5)])
        loader.load([scale(5.75)])
    assert len(caught) == 1
    assert scales_by(address, 5.5)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_or_read_only_disk_costs_one_warning(tmp_path, empty_process, monkeypatch, code):
    def fail(*args, **places):
        raise OSError(code, os.strerror(code))

    with override(cache_dir=str(tmp_path)):
        cache.current()
        monkeypatch.setattr(os, "replace", fail)
        with pytest.warns(GraphcWarning, match=os.strerror(code)) as caught:
            (address,) = loader.load([scale(6.5 + code)])
            loader.load([scale(6.75 + code)])
    assert len(caught) == 1
    assert scales_by(address, 6.5 + code)
    assert list(tmp_path.iterdir()) == [], "the temporaries are gone"


def test_a_disk_that_fills_while_writing_leaves_nothing(tmp_path, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *rest):
            self.file.close()

        def write(self, data):
            self.file.write(data[:10])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = Cache(tmp_path, CAP)
    real = os.fdopen
    monkeypatch.setattr(os, "fdopen", lambda *args: Full(real(*args)))
    with pytest.warns(GraphcWarning, match="No space left"):
        assert not store.write(KEY, b"code")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_still_read(tmp_path):
    Cache(tmp_path, CAP).write(KEY, b"code")
    tmp_path.chmod(0o500)
    try:
        store = Cache(tmp_path, CAP)
        assert store.read(KEY) == b"code"
        with pytest.warns(GraphcWarning):
            assert not store.write(OTHER, b"code")
    finally:
        tmp_path.chmod(0o700)


def test_the_least_recently_used_go_first(tmp_path):
    store = Cache(tmp_path, 10_000)
    keys = [f"{number:064x}" for number in range(12)]
    for age, name in enumerate(keys):
        store.write(name, bytes(912))  # 1000 bytes with the header
        os.utime(tmp_path / (name + cache.SUFFIX), (1000 + age, 1000 + age))
    assert store.read(keys[0]) is not None, "reading an old entry makes it young"
    assert store.evict() == 3
    assert store.read(keys[0]) is not None
    assert [store.read(name) for name in keys[1:4]] == [None] * 3
    assert all(store.read(name) is not None for name in keys[4:])
    assert store.evict() == 0


def test_time_of_use_is_refreshed_at_most_once_an_hour(tmp_path):
    store = Cache(tmp_path, CAP)
    store.write(KEY, b"code")
    path = tmp_path / (KEY + cache.SUFFIX)
    recent = time.time() - cache.HOUR / 2
    os.utime(path, (recent, recent))
    store.read(KEY)
    assert path.stat().st_mtime == pytest.approx(recent, abs=1)
    old = time.time() - 2 * cache.HOUR
    os.utime(path, (old, old))
    store.read(KEY)
    assert path.stat().st_mtime > old + cache.HOUR


def test_a_cap_of_zero_keeps_nothing_and_says_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = Cache(tmp_path / "none", 0)
        assert not store.write(KEY, b"code")
    assert not (tmp_path / "none").exists()


def test_info_and_clear(folder):
    cache.current().write(KEY, b"code")
    (folder / "tmp-left").write_bytes(b"half")
    (folder / "notes.txt").write_text("the user's own")
    found = cache.info()
    assert (found.folder, found.usable, found.reason) == (str(folder), True, "")
    assert (found.entries, found.nbytes, found.cap) == (1, 88 + 4, CAP)
    assert cache.clear() == 1
    assert cache.info().entries == 0
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_the_default_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.default_folder() == tmp_path / "graphc"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/someone")
    assert str(cache.default_folder()) == "/home/someone/.cache/graphc"


def test_a_source_that_does_not_compile_names_the_kernel(folder, empty_process):
    with pytest.raises(RuntimeError, match=r"kernel broken doesn't compile\n(.|\n)*'missing'"):
        loader.load([Kernel("broken", "def broken(args, lo, hi):\n    missing(lo)\n")])
    source = "def shout(args, lo, hi):\n    print(lo)\n"
    with pytest.raises(RuntimeError, match=r"kernel shout calls .* not a C function"):
        loader.load([Kernel("shout", source)])
    (address,) = loader.load([scale(7.5)])
    assert scales_by(address, 7.5)


def test_a_large_folder_is_not_listed_at_every_store(tmp_path, monkeypatch):
    listings = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listings.append(path) or real(path))  # type: ignore[func-returns-value]
    keys = [f"{number:064x}" for number in range(40)]
    for name in keys[:10]:
        store = Cache(tmp_path, 20_000)  # as another process would
        store.write(name, bytes(912))
        assert store.evict() == 0
    assert len(listings) == 1
    for name in keys[10:]:
        store.write(name, bytes(912))
        store.evict()
        assert len(os.listdir(tmp_path)) <= 30
    assert len(listings) < 20, "what was written since tells when the cap may be passed"
    long_ago = time.time() - 2 * cache.MINUTE
    os.utime(tmp_path / "listed.json", (long_ago, long_ago))
    before = len(listings)
    store.evict()
    store.evict()
    assert len(listings) == before + 1
    for text in ("", "[]", '{"nbytes": "x", "took_s": 1}', '{"nbytes": 1}', "null"):
        (tmp_path / "listed.json").write_text(text)
        before = len(listings)
        store.evict()
        assert len(listings) == before + 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root gives files away")
class TestOtherUsers:
    """Root's cache where user 12345 can do something about it."""

    def test_a_parent_of_another_users_is_refused(self, tmp_path):
        (tmp_path / "theirs" / "deep").mkdir(parents=True)
        os.chown(tmp_path / "theirs", 12345, 12345)
        with pytest.warns(GraphcWarning, match="theirs belongs to another user"):
            store = Cache(tmp_path / "theirs" / "deep" / "cache", CAP)
        assert not store.write(KEY, b"code") and store.read(KEY) is None

    def test_a_link_of_another_users_is_refused(self, tmp_path):
        (tmp_path / "ours").mkdir(mode=0o700)
        os.symlink(tmp_path / "ours", tmp_path / "link")
        assert trust.refusal(tmp_path / "link") == ""
        os.lchown(tmp_path / "link", 12345, 12345)
        assert "link" in trust.refusal(tmp_path / "link")
        (tmp_path / "theirs").mkdir()
        os.symlink("../ours", tmp_path / "theirs" / "link")
        os.chown(tmp_path / "theirs", 12345, 12345)
        assert "theirs belongs to another user" in trust.refusal(tmp_path / "theirs" / "link")

    def test_entries_of_others_are_not_read(self, tmp_path):
        store = Cache(tmp_path, CAP)
        for spoil in (
            lambda path: os.chown(path, 12345, 12345),
            lambda path: os.chmod(path, 0o666),
            lambda path: (os.rename(path, tmp_path / "x"), os.symlink(tmp_path / "x", path)),  # type: ignore[func-returns-value]
            lambda path: (os.unlink(path), os.mkdir(path)),  # type: ignore[func-returns-value]
            lambda path: (os.rmdir(path), os.mkfifo(path)),  # type: ignore[func-returns-value]
        ):
            if not (tmp_path / (KEY + cache.SUFFIX)).is_dir():
                store.write(KEY, b"code")
                assert store.read(KEY) == b"code"
            spoil(tmp_path / (KEY + cache.SUFFIX))
            assert store.read(KEY) is None

    def test_a_folder_that_is_swapped_after_the_check_is_not_used(self, tmp_path):
        path = tmp_path / "cache"
        store = Cache(path, CAP)
        store.write(KEY, b"ours")
        path.rename(tmp_path / "away")
        path.mkdir()
        Cache(path, CAP).write(KEY, b"planted")
        os.chown(path, 12345, 12345)
        assert store.read(KEY) is None
        with pytest.warns(GraphcWarning, match="another user"):
            assert not store.write(OTHER, b"code")
        assert sorted(p.name for p in path.iterdir()) == [KEY + cache.SUFFIX]

    def test_a_folder_that_the_user_makes_anew_is_used(self, tmp_path):
        store = Cache(tmp_path / "cache", CAP)
        store.write(KEY, b"old")
        shutil.rmtree(tmp_path / "cache")
        assert store.read(KEY) is None
        (tmp_path / "cache").mkdir(mode=0o700)
        assert store.write(KEY, b"new") and store.read(KEY) == b"new"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_parent_that_a_group_may_write_to_must_be_the_users_own_group(tmp_path, monkeypatch):
    (tmp_path / "shared" / "cache").mkdir(parents=True, mode=0o700)
    (tmp_path / "shared").chmod(0o775)
    monkeypatch.setattr(trust, "_is_own_group", lambda group: False)
    assert "a group may write to its parent" in trust.refusal(tmp_path / "shared" / "cache")
    monkeypatch.setattr(trust, "_is_own_group", lambda group: True)
    assert trust.refusal(tmp_path / "shared" / "cache") == ""


@pytest.mark.skipif(os.name != "posix", reason="homes are POSIX's")
@pytest.mark.parametrize("given", ["", "~/kernels"])
def test_a_user_without_a_home_compiles(tmp_path, given):
    code = """
        import os, pwd
        def missing(uid):
            raise KeyError(uid)
        pwd.getpwuid = missing
        import numpy as np
        import graphc as gc
        from graphc.runtime.objects import cache
        x = gc.input("x", (3,))
        assert gc.compile([x], x * 3.0)(np.ones(3, np.float32)).tolist() == [3, 3, 3]
        print(cache.info().usable, cache.info().folder)
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {"GRAPHC_CACHE_DIR": given, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path,
    )  # fmt: skip
    name = "~/kernels" if given else f"graphc-{os.geteuid()}"
    assert done.stdout.split() == ["True", str(tmp_path / name)], done.stderr


def test_an_interrupt_while_an_entry_is_written_leaves_no_temporary(tmp_path):
    store = Cache(tmp_path, CAP)

    def write():
        store.write(KEY, bytes(1000))

    for at in range(instructions(write)):
        interrupt(write, at)
        assert store.read(KEY) in (None, bytes(1000))
    left = [path for path in tmp_path.iterdir() if path.name.startswith("tmp-")]
    # An interrupt between the file's making and the `try` that removes it is the one loss.
    assert len(left) < 12 and len(os.listdir("/proc/self/fd")) < 60
