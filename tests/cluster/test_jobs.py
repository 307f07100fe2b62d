"""Searches as jobs of a real job server, over HTTP, with a token; all commands are processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cluster.nodes import Cluster, cluster, until
from tests.study.searches import SPACE, assert_exactly_once, history, prepare

pytestmark = pytest.mark.slow

#: Nothing of Ray that the test's own environment says may reach the commands.
_FOREIGN = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


@pytest.fixture(scope="module")
def head() -> Iterator[Cluster]:
    """A cluster of one node that takes jobs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where the command tuner is
    with cluster((), head_cpus=2, dashboard=True, environment={"PATH": path}) as running:
        yield running


class Commands:
    """``tuner`` in a folder, with the cluster's token unless told otherwise."""

    def __init__(self, folder: Path, head: Cluster) -> None:
        self.folder = folder
        self.address = head.dashboard
        home = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        self.without_token = home | {"HOME": str(folder)}
        self.environment = self.without_token | {"RAY_AUTH_TOKEN_PATH": str(head.token_file)}

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tuner", *words],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a command."""
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    def job(self, job_id: str) -> dict[str, Any]:
        code, out, err = self.run("status", job_id, "--address", self.address, "--json")
        assert code == 0, err
        job: dict[str, Any] = json.loads(out)["job"]
        return job


@pytest.fixture
def commands(tmp_path: Path, head: Cluster) -> Commands:
    prepare(tmp_path, space=SPACE + f"    results: {tmp_path}/results\n")
    return Commands(tmp_path, head)


def test_a_search_of_ones_own_trainable(commands: Commands) -> None:
    """Waited for, with the search's own exit code; handed in again under its id it is the same job."""
    words = [
        "submit",
        "space.yaml",
        "--address",
        commands.address,
        "--trials",
        "4",
        "--submission-id",
        "mine-1",
        "--wait",
    ]
    code, out, err = commands.run(*words, "--env", "EPOCH_SECONDS", EPOCH_SECONDS="0.01")
    assert code == 0, err
    assert out == "mine-1\n" and "[4/4] trial" in err and "next: tuner show s/" in err
    assert_exactly_once(commands.folder, 4)
    assert "epoch 1" in (commands.folder / "results/s/logs/0.log").read_text()
    code, out, err = commands.run(*words)
    assert (code, out) == (0, "mine-1\n") and "was handed in before" in err and "[4/4] trial" in err
    code, _, err = commands.run(*words, "--seed", "9")
    assert code == 2 and "runs something else; choose another id" in err

    job = commands.job("mine-1")
    assert (job["status"], job["search"], job["exit_code"]) == ("SUCCEEDED", "s", 0)
    code, out, _ = commands.run("status", "--address", commands.address)
    assert code == 0 and any(line.startswith("mine-1  SUCCEEDED") for line in out.splitlines())
    code, out, _ = commands.run("logs", "mine-1", "--address", commands.address)
    assert code == 0 and "[4/4] trial" in out
    code, _, err = commands.run("stop", "mine-1", "--address", commands.address)
    assert code == 2 and "nothing to stop" in err


def test_a_search_of_the_built_in_trainable(commands: Commands) -> None:
    """A job takes its search file alone: nothing of the folder is needed, and the data set is made where it runs."""
    (commands.folder / "digits.yaml").write_text(
        f"""
        results: {commands.folder}/results
        data: {{dataset: digits, validation: 300}}
        search: {{trials: 2}}
        resources: {{max_concurrent: 1}}
        parameters: {{model: mlp, width: 8, epochs: 1, lr: {{min: 0.01, max: 0.1, log: true}}}}
        """
    )
    code, out, err = commands.run(
        *("submit", "digits.yaml", "--address", commands.address, "--wait", "--json"),
        *("--env", f"TUNER_CACHE={commands.folder / 'cache'}"),
    )
    assert code == 0, err
    record = json.loads(out)
    assert record["search"] == "digits" and record["job"]["status"] == "SUCCEEDED"
    code, out, _ = commands.run("leaderboard", "digits", "--json")
    assert code == 0 and [trial["state"] for trial in json.loads(out)["trials"]] == ["completed", "completed"]


def test_the_exit_code_of_the_search_is_that_of_the_command(commands: Commands) -> None:
    (commands.folder / "mine.py").write_text("def train(config):\n    raise ValueError('broken')\n    yield {}\n")
    code, out, err = commands.run("submit", "space.yaml", "--address", commands.address, "--trials", "1", "--wait")
    assert code == 1, err
    assert "[1/1] trial 0 failed after 0 epochs ValueError: broken" in err
    assert "FAILED: Job entrypoint command failed with exit code 1\n" in err
    assert commands.job(out.strip())["exit_code"] == 1


def test_a_stopped_job_goes_on_when_it_is_submitted_again(commands: Commands) -> None:
    slow = ["submit", "space.yaml", "--address", commands.address, "--env", "EPOCH_SECONDS=0.5"]
    code, out, err = commands.run(*slow, "--submission-id", "slow")
    assert code == 0 and out == "slow\n" and "tuner logs slow --address" in err
    follower = commands.start("logs", "slow", "--address", commands.address, "--follow")
    waiter = commands.start(*slow, "--submission-id", "slow", "--wait")  # as a scheduler's second try does
    leaving = commands.start(*slow, "--submission-id", "slow", "--wait")
    until((commands.folder / "results/s/search.json").exists)
    until(lambda: sum(len(trial.epochs) for trial in history(commands.folder).trials.values()) > 3)
    leaving.send_signal(signal.SIGINT)
    assert leaving.communicate(timeout=60)[1].endswith("goes on without this command\ntuner: error: interrupted\n")
    assert leaving.returncode == 130

    code, _, err = commands.run("stop", "slow", "--address", commands.address)
    assert code == 0 and "slow: STOPPED" in err
    assert "12 trials, 2 side by side" in follower.communicate(timeout=60)[0] and follower.returncode == 0
    assert "slow: STOPPED" in waiter.communicate(timeout=60)[1] and waiter.returncode == 143
    # The driver had the time to end in good order.
    closed = history(commands.folder).closed
    assert closed is not None and closed.reason == "SIGTERM"
    code, _, err = commands.run(*slow, "--submission-id", "slow")
    assert code == 2 and "has ended (STOPPED); choose another id" in err

    code, _, err = commands.run("submit", "space.yaml", "--address", commands.address, "--wait")
    assert code == 0, err
    assert_exactly_once(commands.folder, 12)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "wants a token; set RAY_AUTH_TOKEN_PATH to a file that holds it"),
        ({"RAY_AUTH_MODE": "token"}, "wants a token; set RAY_AUTH_TOKEN_PATH to a file that holds it"),
        ({"RAY_AUTH_TOKEN": "0123456789abcdef"}, "refuses the token in RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN_PATH": "nowhere"}, "RAY_AUTH_TOKEN_PATH names nowhere, which is no file"),
        ({"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "0123456789abcdef"}, "RAY_AUTH_MODE says 'disabled'"),
    ],
)
def test_without_its_token_a_cluster_refuses(commands: Commands, environment: dict[str, str], said: str) -> None:
    commands.environment = commands.without_token
    code, out, err = commands.run("status", "--address", commands.address, **environment)
    assert code == 4 and out == ""
    assert " ".join(err.split()) == f"tuner: error: {commands.address} {said}" or said in err
    assert "0123456789abcdef" not in err and "Traceback" not in err


def test_a_token_in_the_environment_alone(commands: Commands, head: Cluster) -> None:
    commands.environment = commands.without_token
    code, _, err = commands.run("status", "--address", commands.address, RAY_AUTH_TOKEN=head.token_file.read_text())
    assert code == 0, err


def test_the_token_is_in_no_log_result_or_process_list(commands: Commands, head: Cluster) -> None:
    token = head.token_file.read_text()
    code, out, err = commands.run("submit", "space.yaml", "--address", commands.address, "--trials", "1")
    assert code == 0, err
    job_id = out.strip()
    followed = commands.run("logs", job_id, "--address", commands.address, "--follow")[1]
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    written = [path.read_bytes() for path in (commands.folder / "results").rglob("*") if path.is_file()]
    assert token not in shown + out + err + followed + json.dumps(commands.job(job_id))
    assert not any(token.encode() in data for data in written)


def test_a_cluster_that_does_not_know_the_command(commands: Commands) -> None:
    code, _, err = commands.run(
        "submit", "space.yaml", "--address", commands.address, "--wait", "--env", "PATH=/usr/bin:/bin"
    )
    assert code == 4 and "there is no command 'tuner' on the cluster's head" in err


def test_no_such_job(commands: Commands) -> None:
    for command in ("status", "logs", "stop"):
        code, out, err = commands.run(command, "nobody", "--address", commands.address)
        assert code == 2 and out == "" and "has no job 'nobody'" in err


def test_over_https_with_a_certificate_of_ones_own(commands: Commands) -> None:
    """The token goes to nobody whose certificate is not vouched for."""
    authority = commands.folder / "certificate.pem"
    with encrypted(commands.address, authority) as address:
        code, _, err = commands.run("status", "--address", address)
        assert code == 4 and f"the certificate of {address} is not trusted" in " ".join(err.split())
        job_id = commands.run("submit", "space.yaml", "--address", commands.address, "--trials", "1")[1].strip()
        code, out, err = commands.run(
            "logs", job_id, "--address", address, "--follow", REQUESTS_CA_BUNDLE=str(authority)
        )
        assert code == 0 and "[1/1] trial" in out, err


@contextlib.contextmanager
def encrypted(address: str, authority: Path) -> Iterator[str]:
    """Yield an https address whose server passes everything on; ``authority`` becomes the file that vouches for it."""
    host, port = address.removeprefix("http://").split(":")
    key = authority.with_suffix(".key")
    write_certificate(authority, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                client, _ = listener.accept()
                threading.Thread(target=pass_on, args=(client,), daemon=True).start()

    def pass_on(client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            context.wrap_socket(client, server_side=True) as near,
            socket.create_connection((host, int(port))) as far,
        ):
            back = threading.Thread(target=copy, args=(far, near), daemon=True)
            back.start()
            copy(near, far)
            back.join()

    def copy(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}"
    finally:
        listener.close()


def write_certificate(certificate: Path, key: Path) -> None:
    secret = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(secret.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
