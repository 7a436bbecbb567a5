"""Read the text of a picture: the models of rapidocr-onnxruntime, with graphc to run them.

One model says of each pixel how likely it is text; what lies together is a line, cut out and given
to another, which says of each column which character it is. Both take pictures of any size.

    python examples/read_text.py [--image page.png]
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

import graphc as gc

LINES = ("Hello graphc", "Models from elsewhere", "run anywhere 2026")
LIKELY, HEIGHT = 0.3, 48


def models() -> Path:
    """Where the package has its models; it is not imported, and needs no more than its files."""
    spec = find_spec("rapidocr_onnxruntime")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps rapidocr-onnxruntime")
    return Path(spec.origin).parent / "models"


def drawn() -> Image.Image:
    """A picture of some lines."""
    image = Image.new("RGB", (480, 224), "white")
    pen = ImageDraw.Draw(image)
    for k, line in enumerate(LINES):
        pen.text((24, 20 + 66 * k), line, "black", ImageFont.load_default(32))
    return image


def as_input(image: Image.Image) -> np.ndarray:
    """A picture as (1, 3, height, width), from -1 to 1, the colours from blue to red."""
    pixels = np.asarray(image, np.float32)[:, :, ::-1] / 127.5 - 1
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def found_lines(likely: np.ndarray) -> list[tuple[int, int, int, int]]:
    """The boxes (left, top, right, bottom) of what lies together, the topmost first."""
    parts, _ = ndimage.label(likely > LIKELY)
    boxes = []
    for rows, columns in ndimage.find_objects(parts):
        height = rows.stop - rows.start
        if height < 6:
            continue
        room = round(0.5 * height)  # the model marks the middle of a line
        top, left = max(0, rows.start - room), max(0, columns.start - room)
        boxes.append((left, top, columns.stop + room, rows.stop + room))
    return sorted(boxes, key=lambda box: box[1])


def text_of(columns: np.ndarray, characters: list[str]) -> str:
    """The characters of columns: repeats are one, and 0 is none."""
    best = columns.argmax(-1)
    kept = [k for k, before in zip(best, [0, *best]) if k and k != before]
    return "".join(characters[k - 1] for k in kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path)
    path = parser.parse_args().image
    image = drawn() if path is None else Image.open(path).convert("RGB")
    image = image.resize([max(32, round(s / 32) * 32) for s in image.size])
    reader = onnx.load(models() / "ch_PP-OCRv4_rec_infer.onnx")
    facts = {fact.key: fact.value for fact in reader.metadata_props}
    characters = [*facts["character"].splitlines(), " "]
    detect, recognise = gc.onnx.load(models() / "ch_PP-OCRv4_det_infer.onnx"), gc.onnx.load(reader)
    for box in found_lines(detect(as_input(image))[0, 0]):
        line = image.crop(box)
        line = line.resize((max(32, round(line.width * HEIGHT / line.height)), HEIGHT))
        print(text_of(recognise(as_input(line))[0], characters))


if __name__ == "__main__":
    main()
