"""Models that packages carry: ONNX Runtime's outputs, one program for all sizes."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc

pytest.importorskip("onnx", reason="the extra `onnx` is not installed")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

SILERO, RAPIDOCR = "silero_vad/data/", "rapidocr_onnxruntime/models/"
# The models, and how many programs the calls below may take.
MODELS = {
    "basic_pitch": ("basic_pitch/saved_models/icassp_2022/nmp.onnx", 1),
    "magika": ("magika/models/standard_v3_3/model.onnx", 1),
    "detection": (f"{RAPIDOCR}ch_PP-OCRv4_det_infer.onnx", 1),
    "recognition": (f"{RAPIDOCR}ch_PP-OCRv4_rec_infer.onnx", 1),
    "direction": (f"{RAPIDOCR}ch_ppocr_mobile_v2.0_cls_infer.onnx", 1),
    "silero_vad": (f"{SILERO}silero_vad.onnx", 2),
    "silero_vad_16k_op15": (f"{SILERO}silero_vad_16k_op15.onnx", 1),
    "silero_vad_16k_sequence": (f"{SILERO}silero_vad_16k_sequence.onnx", 1),
    "silero_vad_half": (f"{SILERO}silero_vad_half.onnx", 1),
    "silero_vad_op18_ifless": (f"{SILERO}silero_vad_op18_ifless.onnx", 1),
    "silero_vad_openvino_16k": (f"{SILERO}silero_vad_openvino_16k.onnx", 1),
}
QUICK = ("magika", "silero_vad", "silero_vad_16k_sequence", "direction")


def _path(name: str) -> Path:
    file = MODELS[name][0]
    package, _, rest = file.partition("/")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed")
    return Path(spec.origin).parent / rest


def _sound(rows: int, count: int) -> np.ndarray:
    """Tones with overtones, of about the loudness of speech."""
    time = np.arange(count) / 16000
    tones = [np.sin(2 * np.pi * (140 + 30 * k) * time) for k in range(rows)]
    high = np.sin(2 * np.pi * 900 * time) * 0.3
    return (0.3 * (np.array(tones) + high)).astype(np.float32)


def _picture(*shape: int) -> np.ndarray:
    """Dark bars on light ground, as lines of text are."""
    n, c, h, w = shape
    rows = (np.arange(h)[:, None] // 8 % 2) * (np.arange(w)[None] // 5 % 3 > 0)
    return np.broadcast_to(1.0 - 2.0 * rows, shape).astype(np.float32)


def _calls(name: str) -> Iterator[list[Any]]:
    rng = np.random.default_rng(0)
    state = lambda n: np.zeros((2, n, 128), np.float32)  # noqa: E731
    if name == "basic_pitch":
        yield from ([_sound(n, 43844)[..., None]] for n in (1, 2))
    elif name == "magika":
        yield from ([rng.integers(0, 257, (n, 2048)).astype(np.int32)] for n in (1, 3))
    elif name == "detection":
        yield from ([_picture(1, 3, h, w)] for h, w in ((64, 96), (32, 64), (96, 160)))
    elif name == "recognition":
        yield from ([_picture(n, 3, 48, w)] for n, w in ((1, 96), (2, 160)))
    elif name == "direction":
        yield from ([_picture(n, 3, 48, 192)] for n in (1, 2))
    elif name == "silero_vad":
        for n, count, rate in ((1, 576, 16000), (3, 576, 16000), (1, 288, 8000)):
            yield [_sound(n, count), state(n), np.array(rate)]
    elif name == "silero_vad_16k_op15":
        yield from ([_sound(n, 576), state(n), np.array(16000)] for n in (1, 3))
    elif name == "silero_vad_op18_ifless":
        yield from ([_sound(n, 576), np.array(16000), state(n)] for n in (1, 3))
    elif name == "silero_vad_16k_sequence":
        zeros = np.zeros((1, 1, 128), np.float32)
        yield from ([_sound(n, 576), zeros, zeros] for n in (1, 5))
    elif name == "silero_vad_half":
        yield from ([_sound(n, 576), state(n)] for n in (1, 3))
    else:
        yield [_sound(1, 576), state(1)]


def _compared(name: str, target: str) -> None:
    path = _path(name)
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = runtime.InferenceSession(str(path), options)
    program = gc.onnx.load(path, target=target)
    for arrays in _calls(name):
        given = dict(zip([i.name for i in session.get_inputs()], arrays))
        results = program(*arrays)
        results = results if isinstance(results, tuple) else (results,)
        for found, wanted in zip(results, session.run(None, given), strict=True):
            assert found.shape == wanted.shape and found.dtype == wanted.dtype
            off = np.abs(found - wanted).max() / np.abs(wanted).max()
            assert off < 1e-4, (name, [a.shape for a in arrays], off)
    count = len(program.programs) if isinstance(program, gc.onnx.OnnxProgram) else 1
    assert count <= MODELS[name][1]


@pytest.mark.parametrize("name", QUICK)
def test_a_model_is_ONNX_Runtimes(name: str) -> None:
    _compared(name, "reference")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_compiled_model_is_ONNX_Runtimes(name: str) -> None:
    _compared(name, "cpu")
