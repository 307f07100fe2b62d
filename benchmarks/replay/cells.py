"""What a record is about, and the file of records: one JSON line each, in the order in which they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from replay.worlds import World


@dataclass(frozen=True)
class Cell:
    """What a record is about; equal cells have equal figures."""

    world: str
    fingerprint: str
    method: str
    settings: str  # JSON; null for what is not the product
    workers: int
    budget: int
    seeds: int


def fingerprint(world: World) -> str:
    """Return what tells a world from one of the same name with other curves."""
    generator = np.random.default_rng(0)
    curves = [world.curve(world.sample(generator), seed) for seed in range(8)]
    return hashlib.sha256(json.dumps(curves).encode()).hexdigest()[:12]


def key(record: Mapping[str, Any]) -> Cell:
    """Return the cell of a record."""
    fields = {name: record[name] for name in Cell.__dataclass_fields__}
    return Cell(**{**fields, "settings": json.dumps(record["settings"], sort_keys=True)})


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a file, none where it is missing; a last line that was cut short is left out."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def append(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record; a last line that was cut short is written over."""
    data = path.read_bytes() if path.exists() else b""
    whole = data.rfind(b"\n") + 1
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(whole)
        file.seek(whole)
        file.write(json.dumps(record, allow_nan=False).encode() + b"\n")
