"""Image files become arrays, by one rule for their modes.

If every image of a data set is greyscale, images have one channel; otherwise all of them become RGB. 16-bit greyscale
keeps its upper 8 bits, transparency is dropped (as torchvision's ImageFolder does), an animation gives its first frame.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from tuner.datasets.contents import Images
from tuner.facts.errors import UsageError

_GREY_8 = ("1", "L", "LA", "La")
_GREY_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_UNUSABLE = ("I", "F")  # 32 bits: no range is agreed on

_CHUNK = 128  # images a thread decodes in one go; fewer cost more in hand-over than they gain


@dataclass(frozen=True)
class Encoded:
    """An image as it lies in a file.

    Attributes:
        where: How an error names it, such as ``train/cat/7.png`` or ``train.parquet, row 7``.
        content: The bytes, or the file that holds them.
    """

    where: str
    content: bytes | Path


def channels_of(images: Iterable[Encoded]) -> int:
    """Return 1 if every image is greyscale, else 3; reads headers, up to the first image in colour."""
    with _without_warnings():
        return 1 if all(_is_grey(image) for image in images) else 3


def decoded(images: Iterable[Encoded], channels: int) -> Iterator[Images]:
    """Decode images in order, in batches [n, channels, H, W].

    Raises:
        UsageError: An image that cannot be decoded or whose size differs from the first one's.
    """
    threads = os.cpu_count() or 1
    remaining = iter(images)
    size: tuple[int, ...] | None = None
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(islice(remaining, threads * _CHUNK)):
            chunks = [batch[start : start + _CHUNK] for start in range(0, len(batch), _CHUNK)]
            with _without_warnings():
                parts = list(pool.map(lambda chunk: _decode_all(chunk, channels), chunks))
            arrays = [array for part in parts for array in part]
            size = size or arrays[0].shape
            for image, array in zip(batch, arrays, strict=True):
                if array.shape != size:
                    raise UsageError(
                        f"{image.where} is {_size(array.shape)} pixels and the first image {_size(size)}; "
                        "all images of a data set must have one size"
                    )
            yield np.stack(arrays)


def _without_warnings() -> warnings.catch_warnings[None]:
    """Keep back Pillow's warnings about large or odd files, which name its own: an image can be decoded or not.

    Entered where no other thread decodes, for it changes the whole process.
    """
    return warnings.catch_warnings(action="ignore")


def _decode_all(images: list[Encoded], channels: int) -> list[Images]:
    return [_decode(image, channels) for image in images]


def _decode(encoded: Encoded, channels: int) -> Images:
    """Return one image as [channels, H, W]."""
    with _opened(encoded) as image:
        if image.mode in _GREY_16:
            array = (np.asarray(image) >> 8).astype(np.uint8)
            return np.repeat(array[np.newaxis], channels, axis=0)
        # Pillow warns if a palette's transparency is dropped without the step by way of RGBA.
        plain = image.convert("RGBA") if "transparency" in image.info else image
        array = np.asarray(plain.convert("L" if channels == 1 else "RGB"))
    return array[np.newaxis] if channels == 1 else array.transpose(2, 0, 1)


def _is_grey(encoded: Encoded) -> bool:
    with _opened(encoded) as image:
        return image.mode in _GREY_8 + _GREY_16


@contextmanager
def _opened(encoded: Encoded) -> Iterator[Image.Image]:
    """Open an image; what Pillow raises about it, also later while it is decoded, becomes one sentence."""
    content = encoded.content
    try:
        with Image.open(BytesIO(content) if isinstance(content, bytes) else content) as image:
            if image.mode in _UNUSABLE:
                raise UsageError(f"{encoded.where} is an image of 32 bits a pixel; convert it to 8 or 16 bits")
            yield image
    except UsageError:
        raise
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise UsageError(f"{encoded.where} cannot be decoded: it has more than {most:,} pixels") from error
    except Exception as error:  # Pillow lets through what its decoders meet: OSError, SyntaxError, struct.error, ...
        unreadable = isinstance(error, OSError) and error.strerror
        reason = unreadable or "the file is damaged or no image"
        raise UsageError(f"{encoded.where} cannot be decoded as an image; {reason}") from error


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[2]}x{shape[1]}"
