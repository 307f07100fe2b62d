"""``tuner submit --wait`` while the cluster is out of reach, or has lost the job."""

from __future__ import annotations

import socket
import sys
from textwrap import dedent

import pytest

from tests.cluster.held import held
from tests.cluster.relay import Relay
from tests.cluster.test_jobs import Commands, commands, head, printed_until, rest_of
from tests.study.searches import assert_exactly_once

__all__ = ["commands", "head"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # also on a machine that does much else


class Unsteady(Relay):
    """A relay that may be away for a while, as a head is that is started anew behind the same address."""

    away = False

    def leave(self) -> None:
        self.away = True
        self.cut()

    def _pass_on(self, client: socket.socket) -> None:
        if self.away:
            client.close()
        else:
            super()._pass_on(client)


def test_a_cluster_that_is_away_for_a_while_is_waited_for(commands: Commands) -> None:
    (commands.folder / "mine.py").write_text(dedent(held(commands.folder / "go")))
    relay = Unsteady(commands.address, None)
    try:
        words = ("submit", "space.yaml", "--address", relay.address, "--trials", "2", "--wait")
        waiting = commands.start(*words, "--env", "EPOCH_SECONDS=0.01")
        said = printed_until("2 trials, ", waiting.stderr)
        relay.leave()
        said += printed_until("; asking again for 10 minutes", waiting.stderr)
        relay.away = False
        said += printed_until(f"{relay.address} answers again", waiting.stderr)
        (commands.folder / "go").touch()
        said += rest_of(waiting)
    finally:
        relay.close()
    assert waiting.returncode == 0, said
    assert [said.count(words) for words in ("asking again", "answers again", "2 trials, ", "[2/2] trial")] == [1] * 4
    assert_exactly_once(commands.folder, 2)


def test_a_job_that_the_cluster_has_lost(commands: Commands) -> None:
    """As one whose head was started anew at the same address."""
    code = (
        "import sys\n"
        "from tuner.cluster.connect import connect\n"
        "from tuner.facts.errors import ClusterError\n"
        "try:\n"
        "    list(connect(sys.argv[1]).follow('nobody', print))\n"
        "except ClusterError as error:\n"
        "    print(error)\n"
    )
    asking = commands._started([sys.executable, "-c", code, commands.address], {})
    out, err = asking.communicate(timeout=240)
    assert out == f"{commands.address} has lost the job 'nobody'; submitted again it goes on\n", err
