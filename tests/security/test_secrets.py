"""What is secret stays in the environment."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.study.searches import SearchProcess, prepare

SECRETS = {
    "RAY_AUTH_TOKEN": "secret-of-ray-0123456789abcdef0123456789",
    "AWS_ACCESS_KEY_ID": "SECRETOFAWSID0123456",
    "AWS_SECRET_ACCESS_KEY": "secret-of-aws-0123456789abcdef",
    "AWS_SESSION_TOKEN": "secret-of-the-session-0123456789",
}

TRAINABLE = """
def train(config):
    for _ in range(3):
        yield {"acc": config["x"]}
    raise RuntimeError("no more")
"""


def arguments() -> str:
    """Return the arguments of every process of the machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return "\n".join(found)


@pytest.mark.slow
def test_secrets_of_the_environment_are_in_no_result_and_no_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    prepare(tmp_path)
    (tmp_path / "mine.py").write_text(TRAINABLE)
    search = SearchProcess(tmp_path, "--trials", "2")
    seen = ""
    while search.process.poll() is None:
        seen += arguments()
        time.sleep(0.2)
    _, out, err = search.wait()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "events.jsonl" for path in files) and "no more" in err
    for value in SECRETS.values():
        shown = value in seen + out + err
        assert not shown, value
        assert not [path for path in files if value.encode() in path.read_bytes()]
    assert SECRETS["RAY_AUTH_TOKEN"] == os.environ["RAY_AUTH_TOKEN"]
