"""Images in Parquet files as Hugging Face lays them out: an image column of struct<bytes, path> and a label column."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tuner.datasets.contents import Contents, Labels, Split
from tuner.datasets.images import Encoded, channels_of, decoded
from tuner.facts.errors import UsageError

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMNS = ("label", "labels", "fine_label")

_ROWS = 1024  # read at a time


@dataclass(frozen=True)
class Parquet:
    """``train*.parquet`` and optionally ``test*.parquet`` in ``root`` or in one folder below it."""

    root: Path

    def files(self) -> list[Path]:
        """Return the files of both splits."""
        folder = self._folder()
        return _files(folder, "train") + _files(folder, "test")

    def fetch(self) -> None:
        """Do nothing: nothing is downloaded."""

    def read(self) -> Contents:
        """Return the images, with class names from the schema's metadata where it has them.

        Raises:
            UsageError: A file that is no Parquet, lacks a column, or holds labels that are null or no integers.
        """
        folder = self._folder()
        train, test = _files(folder, "train"), _files(folder, "test")
        labels = _labels(train)
        test_labels = _labels(test)
        classes = _class_names(train[0]) or tuple(map(str, range(len(np.unique(labels)))))
        channels = channels_of(_encoded(train + test))
        return Contents(
            classes,
            Split(labels, lambda: decoded(_encoded(train), channels)),
            Split(test_labels, lambda: decoded(_encoded(test), channels)) if len(test_labels) else None,
        )

    def _folder(self) -> Path:
        below = [path for path in sorted(self.root.iterdir()) if path.is_dir()]
        found = [folder for folder in (self.root, *below) if _files(folder, "train")]
        if not found:
            raise UsageError(f"no train*.parquet in {self.root} or in a folder below it")
        if len(found) > 1 and found[0] != self.root:
            names = " and ".join(folder.name for folder in found)
            raise UsageError(f"{self.root} holds train*.parquet in {names}; name one of them as data.root")
        return found[0]


def _files(folder: Path, split: str) -> list[Path]:
    return sorted(folder.glob(f"{split}*.parquet"))


@contextmanager
def _opened(file: Path) -> Iterator[pq.ParquetFile]:
    """Open a file; what pyarrow raises about it, also later while it is read, becomes one sentence."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{file} cannot be read as Parquet; it is truncated, damaged or of another format") from error


def _labels(files: Sequence[Path]) -> Labels:
    columns = [np.empty(0, dtype=np.int64)]
    for file in files:
        with _opened(file) as parquet:
            name = _column(file, parquet.schema_arrow, LABEL_COLUMNS, pa.types.is_integer, "integers")
            column = parquet.read([name]).column(name)
            if column.null_count:
                row = column.is_null().to_pylist().index(True)
                raise UsageError(f"{file}, row {row} has no {name}")
            columns.append(column.to_numpy().astype(np.int64))
    return np.concatenate(columns)


def _encoded(files: Sequence[Path]) -> Iterator[Encoded]:
    for file in files:
        with _opened(file) as parquet:
            name = _column(file, parquet.schema_arrow, IMAGE_COLUMNS, _holds_bytes, "struct<bytes, path>")
            row = 0
            for batch in parquet.iter_batches(_ROWS, columns=[f"{name}.bytes"]):
                for content in batch.column(name).field("bytes").to_pylist():
                    if content is None:
                        raise UsageError(f"{file}, row {row} has no image bytes")
                    yield Encoded(f"{file}, row {row}", content)
                    row += 1


def _holds_bytes(kind: Any) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0)


def _column(file: Path, schema: Any, names: Sequence[str], fits: Any, wanted: str) -> str:
    present = [name for name in names if name in schema.names]
    if len(present) != 1:
        found = f"has the columns {' and '.join(present)}" if present else f"has only {', '.join(schema.names)}"
        raise UsageError(f"{file} must hold exactly one of the columns {', '.join(names)}, and {found}")
    if not fits(schema.field(present[0]).type):
        raise UsageError(f"column {present[0]} of {file} must hold {wanted}, not {schema.field(present[0]).type}")
    return present[0]


def _class_names(file: Path) -> tuple[str, ...]:
    """Return the label column's names from the ``huggingface`` entry of the schema's metadata; empty if it has none.

    A name that stands more than once is told apart by its label, since classes are known by their names.
    """
    with _opened(file) as parquet:
        schema = parquet.schema_arrow
    column = next(name for name in LABEL_COLUMNS if name in schema.names)
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = [str(name) for name in features[column]["names"]]
    except (KeyError, TypeError, ValueError):
        return ()
    times = Counter(names)  # ImageNet has two classes that are called crane
    return tuple(name if times[name] == 1 else f"{name} ({label})" for label, name in enumerate(names))
