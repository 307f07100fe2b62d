"""What the long run measured, as the tables of docs/reliability.md: ``python -m tests.long.table`` prints them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LINES = Path("benchmarks/reliability.jsonl")


def read(path: Path = LINES) -> list[dict[str, Any]]:
    """Return the audits, one for each search."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tables(audits: Sequence[Mapping[str, Any]]) -> str:
    """Return the faults that were injected, then what became of the searches."""
    faults: Counter[str] = Counter()
    for audit in audits:
        faults.update(audit["faults"])
    injected = [("fault", "times"), *faults.most_common()]
    kinds = ("trials", "finished", "lost", "repeated", "wrong", "epochs", "epochs_again")
    rows = [
        ("slots", "sampler", "faults", *kinds),
        *(
            (audit["slots"], audit["algorithm"], sum(audit["faults"].values()), *(audit[kind] for kind in kinds))
            for audit in audits
        ),
        ("all", "", faults.total(), *(sum(audit[kind] for audit in audits) for kind in kinds)),
    ]
    return f"{_table(injected)}\n\n{_table(rows)}\n"


def _table(rows: Sequence[Sequence[object]]) -> str:
    head, *body = (f"| {' | '.join(str(cell).replace('_', ' ') for cell in row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


if __name__ == "__main__":
    sys.stdout.write(tables(read()))
