import json
import os
import subprocess
import sys

import pytest

from tests.storage.server import s3_server
from tuner.cli.doctor import PACKAGES, PROXIES
from tuner.cli.main import main


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine without proxy, cluster or GPU, whose cache and results lie in ``tmp_path``."""
    for name in (*PROXIES, *map(str.upper, PROXIES), "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def doctor(capsys, *options):
    code = main(["doctor", "--json", *options])
    answer = json.loads(capsys.readouterr().out)
    assert answer["version"] == 1
    return code, {finding["name"]: finding for finding in answer["findings"]}


def put_nvidia_smi(folder, script):
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_a_machine_that_is_ready(capsys, machine):
    code, found = doctor(capsys)
    assert code == 0
    assert {"python", "tuner", *PACKAGES} <= set(found)
    assert {finding["status"] for finding in found.values()} <= {"ok", "note"}
    assert found["cache"]["value"].startswith(str(machine / "cache"))
    assert found["GPUs"]["value"] == "none"
    assert list(machine.iterdir()) == [], "looking changes nothing"


def test_for_people_it_ends_with_the_verdict(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith("Ready.")
    assert "torch" in out


@pytest.mark.parametrize("option", ["cache", "results"])
def test_a_folder_that_cannot_be_written_is_a_problem(capsys, machine, monkeypatch, option):
    blocked = machine / "file"
    blocked.touch()
    monkeypatch.setenv("TUNER_CACHE", str(blocked / "cache" if option == "cache" else machine / "cache"))
    code, found = doctor(capsys, "--results", str(blocked / "r" if option == "results" else machine / "r"))
    assert code == 1
    assert found[option]["status"] == "problem"
    assert "TUNER_CACHE" in found["cache"]["advice"] or "--results" in found["results"]["advice"]


def test_a_missing_package_is_a_problem(capsys, monkeypatch):
    monkeypatch.setattr("tuner.cli.doctor.PACKAGES", ("absent-package",))
    code, found = doctor(capsys)
    assert code == 1
    assert found["absent-package"]["advice"] == "pip install absent-package"


def test_gpus_that_torch_cannot_use_are_a_problem(capsys, machine, monkeypatch):
    put_nvidia_smi(machine, "echo 'NVIDIA A100, 81920 MiB'")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    code, found = doctor(capsys)
    assert (code, found["GPUs"]["status"]) == (1, "problem")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    code, found = doctor(capsys)
    assert (code, found["GPUs"]["value"]) == (0, "NVIDIA A100, 81920 MiB")


def test_a_driver_that_does_not_answer_is_a_note(capsys, machine):
    put_nvidia_smi(machine, "exit 9")
    code, found = doctor(capsys)
    assert (code, found["GPUs"]["status"]) == (0, "note")


def test_variables_that_change_behaviour_are_noted_without_secrets(capsys, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:secret@proxy:3128")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert main(["doctor", "--json"]) == 0
    out = capsys.readouterr().out
    found = {finding["name"]: finding for finding in json.loads(out)["findings"]}
    assert found["proxy"]["value"] == "https_proxy set"
    assert found["RAY_ADDRESS"]["status"] == "note"
    assert "secret" not in out


def test_without_gpus_it_loads_no_engine():
    code = (
        "import sys; from tuner.cli.main import main; main(['doctor']);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'ray', 'optuna', 'pandas', 'pyarrow')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr


def test_results_on_object_storage_are_looked_at(capsys):
    with s3_server() as s3:
        code, found = doctor(capsys, "--results", s3.address("searches"))
        assert code == 0 and found["results"]["value"] == "s3://bucket/searches, can be listed"
        code, found = doctor(capsys, "--results", "s3://nobodys/searches")
        assert code == 1 and "there is no such bucket" in found["results"]["value"]
