"""Searches as jobs of a real job server, over HTTP, with a token; all commands are processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import IO, Any

import pytest

from tests.cluster.held import held
from tests.cluster.nodes import Cluster, cluster, until
from tests.cluster.relay import Relay, encrypted_relay_to, relay_to
from tests.study.searches import SPACE, assert_exactly_once, history, prepare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

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
        return self._started([sys.executable, "-m", "tuner", *words], environment)

    def _started(self, command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
        # A shell that runs the tests in its background lets them, and what they start, ignore Ctrl-C.
        return subprocess.Popen(
            ["env", "--default-signal=INT", *command],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def impatient(self, setting: str, *words: str) -> subprocess.Popen[str]:
        """Start a command that waits three seconds where a setting of the job server's client says more."""
        code = (
            f"import sys; from tuner.cluster import server; server.{setting} = 3.0\n"
            "from tuner.cli.main import main\n"
            "sys.exit(main(sys.argv[1:]))\n"
        )
        # The code imports Ray before the command does.
        return self._started([sys.executable, "-c", code, *words], {"RAY_AUTH_MODE": "token"})

    def run(self, *words: str, **environment: str) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr of a command."""
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=400)
        return process.returncode, out, err

    def job(self, job_id: str) -> dict[str, Any]:
        code, out, err = self.run("status", job_id, "--address", self.address, "--json")
        assert code == 0, err
        job: dict[str, Any] = json.loads(out)["job"]
        return job


def printed_until(said: str, stream: IO[str] | None) -> str:
    """Read what a command prints until a line holds some words; returns all that was read."""
    assert stream is not None
    text = ""
    for line in stream:
        text += line
        if said in line:
            return text
    raise AssertionError(text)


def rest_of(process: subprocess.Popen[str]) -> str:
    """Return what a command still has to say on stderr; ``communicate`` may lose some where a line was read before."""
    assert process.stderr is not None
    said = process.stderr.read()
    process.wait(120)
    return said


@pytest.fixture
def commands(tmp_path: Path, head: Cluster) -> Iterator[Commands]:
    prepare(tmp_path, space=SPACE + f"    results: {tmp_path}/results\n")
    yield Commands(tmp_path, head)
    (tmp_path / "go").touch()  # where a test failed, nothing of it stands in the way of the next


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
    with (commands.folder / "space.yaml").open("a") as file:
        file.write("retries: 5\n")
    code, _, err = commands.run(*words)
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
    (commands.folder / "mine.py").write_text(dedent(held(commands.folder / "go")))
    slow = ["submit", "space.yaml", "--address", commands.address, "--env", "EPOCH_SECONDS=0.01"]
    code, out, err = commands.run(*slow, "--submission-id", "slow")
    assert code == 0 and out == "slow\n" and "tuner logs slow --address" in err
    follower = commands.start("logs", "slow", "--address", commands.address, "--follow")
    waiter = commands.start(*slow, "--submission-id", "slow", "--wait")  # as a scheduler's second try does
    leaving = commands.start(*slow, "--submission-id", "slow", "--wait")
    for follows in (waiter, leaving):
        printed_until("12 trials, 2 side by side", follows.stderr)
    until((commands.folder / "results/s/search.json").exists)
    until(lambda: sum(len(trial.epochs) for trial in history(commands.folder).trials.values()) == 2 * 2)
    leaving.send_signal(signal.SIGINT)
    said = rest_of(leaving)
    assert f"goes on without this command; to end it: tuner stop slow --address {commands.address}\n" in said
    assert leaving.returncode == 130 and "interrupted" not in said

    code, _, err = commands.run("stop", "slow", "--address", commands.address)
    assert code == 0 and "slow: STOPPED" in err
    assert "12 trials, 2 side by side" in follower.communicate(timeout=120)[0] and follower.returncode == 0
    assert "slow: STOPPED" in rest_of(waiter) and waiter.returncode == 143
    # The driver had the time to end in good order.
    closed = history(commands.folder).closed
    assert closed is not None and closed.reason == "SIGTERM"
    code, _, err = commands.run(*slow, "--submission-id", "slow")
    assert code == 2 and "has ended (STOPPED); choose another id" in err

    (commands.folder / "go").touch()
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


def test_a_cluster_that_does_not_know_the_command(commands: Commands) -> None:
    code, _, err = commands.run(
        "submit", "space.yaml", "--address", commands.address, "--wait", "--env", "PATH=/usr/bin:/bin"
    )
    assert code == 4 and "there is no command 'tuner' on the cluster's head" in err


def test_no_such_job(commands: Commands) -> None:
    for command in ("status", "logs", "stop"):
        code, out, err = commands.run(command, "nobody", "--address", commands.address)
        assert code == 2 and out == "" and "has no job 'nobody'" in err


def test_over_https_the_token_goes_to_whom_a_certificate_vouches_for_and_nowhere_else(
    commands: Commands, head: Cluster
) -> None:
    authority = commands.folder / "certificate.pem"
    with encrypted_relay_to(commands.address, authority) as relay:
        submit = ["submit", "space.yaml", "--address", relay.address, "--trials", "1"]
        code, _, err = commands.run(*submit)
        assert code == 4 and f"the certificate of {relay.address} is not trusted" in " ".join(err.split())
        code, out, err = commands.run(*submit, REQUESTS_CA_BUNDLE=str(authority))
        assert code == 0, err
        follow = ["logs", out.strip(), "--address", relay.address, "--follow"]
        followed = commands.run(*follow, REQUESTS_CA_BUNDLE=str(authority))[1]
        assert "[1/1] trial" in followed
    shown = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    written = [path.read_bytes() for path in (commands.folder / "results").rglob("*") if path.is_file()]
    token = head.token_file.read_text()
    assert token not in shown + err + followed + json.dumps(commands.job(out.strip()))
    assert len(written) > 3 and not any(token.encode() in data for data in written)


@pytest.mark.parametrize("lost", [Relay.cut, Relay.silence])
def test_a_log_whose_connection_is_lost_goes_on_without_a_repeat(
    commands: Commands, lost: Callable[[Relay], None]
) -> None:
    (commands.folder / "mine.py").write_text(dedent(held(commands.folder / "go")))
    words = ("submit", "space.yaml", "--address", commands.address, "--trials", "4", "--env", "EPOCH_SECONDS=0.01")
    job_id = commands.run(*words)[1].strip()
    with relay_to(commands.address) as relay:
        follower = commands.impatient("_SILENCE_SECONDS", "logs", job_id, "--address", relay.address, "--follow")
        followed = printed_until("4 trials, 2 side by side", follower.stdout)
        lost(relay)
        (commands.folder / "go").touch()
        assert follower.stdout is not None
        followed += follower.stdout.read()
    assert follower.wait(120) == 0
    whole = commands.run("logs", job_id, "--address", commands.address)[1]
    assert followed == whole and "[4/4] trial" in whole


def test_a_cluster_that_goes_away_is_waited_for_a_while(commands: Commands) -> None:
    (commands.folder / "mine.py").write_text(dedent(held(commands.folder / "go")))
    with relay_to(commands.address) as relay:
        words = ("submit", "space.yaml", "--address", relay.address, "--wait")
        waiting = commands.impatient("_PATIENCE_SECONDS", *words)
        assert waiting.stdout is not None
        job_id = waiting.stdout.readline().strip()
        printed_until("12 trials, 2 side by side", waiting.stderr)
    said = rest_of(waiting)
    look = f"to look again: tuner status {job_id} --address {relay.address}\n"
    assert waiting.returncode == 4 and f"whether the job {job_id} goes on is not known here; {look}" in said
    assert f"{relay.address} cannot be reached: Connection refused" in said
    assert commands.run("stop", job_id, "--address", commands.address)[0] == 0
