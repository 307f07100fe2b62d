"""What makes two configurations the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without its seed."""
    return {name: value for name, value in config.items() if name != "seed"}


def config_hash(config: Mapping[str, Any]) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of a configuration's canonical JSON, its seed left out."""
    text = json.dumps(without_seed(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
