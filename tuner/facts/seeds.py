"""Seeds that follow from another seed, one for each purpose."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, purpose: int | str) -> int:
    """Return 31 bits of SHA-256 over a seed and a purpose, such as the number of a trial."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
