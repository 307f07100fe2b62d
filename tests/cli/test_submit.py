"""``tuner submit`` before anything is sent: what is wrong is said here, not on the cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.study.searches import SPACE, prepare
from tuner.cli.main import main

#: Nobody listens there, so that whatever is said with another code than 4 was said before.
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    prepare(tmp_path, space=SPACE + "    results: /shared\n")
    monkeypatch.chdir(tmp_path)
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nowhere.yaml"], 2, "nowhere.yaml cannot be read"),
        (["--set", "metric.goal=upwards"], 2, "error: 'goal' must be one of"),
        (["--results", "results"], 2, "'results' is relative, and a job's own folder is thrown away"),
        (["--env", "1=2"], 2, "--env takes KEY=VALUE"),
        (["--submission-id", "../x"], 2, "is no id of a job"),
        (["--working-dir", "nowhere"], 2, "is no folder that a job could take along"),
        (["--address", "foo://head"], 2, "is no address of a job server"),
        (["--manifest"], 2, "a manifest needs --results s3://bucket/prefix"),
        (["--resume"], 4, "http://127.0.0.1:1 cannot be reached: Connection refused"),
        ([], 4, "http://127.0.0.1:1 cannot be reached: Connection refused"),
    ],
)
def test_what_is_said_before_anything_is_sent(
    capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    file = [] if words and words[0].endswith(".yaml") else ["space.yaml"]
    assert main(["submit", "--address", NOWHERE, *file, *words]) == code
    out, err = capsys.readouterr()
    assert out == "" and said in " ".join(err.split()) and "Traceback" not in err


def test_without_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["submit", "space.yaml"]) == 2
    assert "--address is missing: the cluster's job server, such as http://HEAD:8265" in capsys.readouterr().err


def test_the_address_of_the_environment(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", NOWHERE)
    assert main(["submit", "space.yaml", "--json"]) == 4
    assert json.loads(capsys.readouterr().err)["error"]["code"] == 4


@pytest.mark.parametrize("command", ["status", "logs", "stop"])
def test_other_commands_keep_their_name_for_results_without_an_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", NOWHERE)
    assert main([command, "s"]) == 2
    assert "no search" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["status", "logs", "stop"])
def test_an_empty_address_is_no_address(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """As of a variable that is not set: a search of the same name on this machine is not what was meant."""
    assert main([command, "s", "--address", ""]) == 2
    assert "is no address of a job server" in " ".join(capsys.readouterr().err.split())
