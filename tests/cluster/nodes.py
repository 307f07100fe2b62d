"""A cluster of several nodes on one machine: real ``ray start`` processes, each of which a test may kill.

Every node has a loopback address, ports and folders of its own; the cluster wants a token. No Ray that runs elsewhere
on the machine is joined or disturbed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.system import free_ports, session

#: The command ``ray``.
RAY = (sys.executable, "-P", str(Path(__file__).with_name("patient.py")))

_STARTED = "This command will now block forever"
_START_SECONDS = 300.0  # far more than an idle machine needs
#: A node gives its agents 15 seconds to say which ports they took, and all the time where it was told.
_AGENTS = (
    "--dashboard-agent-listen-port",
    "--dashboard-agent-grpc-port",
    "--runtime-env-agent-port",
    "--metrics-export-port",
)
_ports = free_ports()

#: Of every node.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",  # other processes' memory is none of this cluster's business
    # A machine that does much else besides starts slowly.
    "RAY_agent_register_timeout_ms": "240000",
    "RAY_gcs_server_port_wait_time_s": "240",
    "RAY_worker_register_timeout_seconds": "240",
    # A node whose process has ended is soon known to be dead; one that lives has as long to answer as ever.
    "RAY_health_check_period_ms": "1000",
}

_clusters = itertools.count()


@dataclass(frozen=True)
class Node:
    """One node: the ``ray start`` process and all that it started are one session.

    Attributes:
        ip: Its address, one of 127.0.0.0/8.
        process: ``ray start --block``.
        output: What that printed.
        cache: Its cache folder, which no other node has.
        folder: Where Ray keeps its files.
    """

    ip: str
    process: subprocess.Popen[bytes]
    output: Path
    cache: Path
    folder: Path

    def started(self) -> bool:
        """Whether it has joined; fails if it ended instead."""
        text = self.output.read_text(errors="replace")
        assert self.process.poll() is None, text
        return _STARTED in text

    @property
    def id(self) -> str:
        """What Ray calls it."""
        (port,) = self.folder.glob("session_2*/metrics_agent_port_*")  # and not session_latest
        return port.name.rpartition("_")[2]

    def kill(self) -> None:
        """Kill -9 of everything on the node, trials included."""
        while running := session(self.process.pid):  # workers have process groups of their own, and are started still
            for process in running:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.poll()  # which ends it for the system too
            time.sleep(0.01)
        self.process.wait()


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: Holds its files; removed at the end.
        network: The first three bytes of its nodes' addresses.
        token_file: Holds the token that it wants.
        environment: What a process needs to talk to it, besides the address.
        nodes: All that were started, the head first.
    """

    folder: Path
    network: str
    token_file: Path
    nodes: list[Node] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to talk to it, besides the address."""
        return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.token_file)}

    @property
    def head(self) -> Node:
        return self.nodes[0]

    @property
    def alive(self) -> list[Node]:
        """Those that were not killed, the head first."""
        return [node for node in self.nodes if node.process.poll() is None]

    @property
    def address(self) -> str:
        """Where a driver joins: HOST:PORT."""
        return self._said(r"ray start --address='([^']+)'")

    @property
    def dashboard(self) -> str:
        """Where jobs are submitted: http://HOST:PORT."""
        return self._said(rf"(http://{re.escape(self.head.ip)}:\d+)")

    def add(
        self, cpus: float = 2, gpus: float = 0, *, environment: Mapping[str, str] | None = None, wait: bool = True
    ) -> Node:
        """Start a node that joins the head.

        Args:
            cpus: How many it claims to have.
            gpus: Likewise.
            environment: What its processes, trials included, find in their environment besides the test's own.
            wait: Whether to return only when it has joined.
        """
        node = self._start(["--address", self.address], cpus, gpus, environment)
        if wait:
            until(node.started)
        return node

    def start_head(self, cpus: float, gpus: float, *, dashboard: bool, environment: Mapping[str, str] | None) -> None:
        """Start the first node."""
        ip = self._next_ip
        arguments = ["--head", "--port", "0", "--include-dashboard", str(dashboard).lower()]
        arguments += ["--dashboard-host", ip, "--dashboard-port", str(next(_ports))]
        until(self._start(arguments, cpus, gpus, environment).started)

    def end(self) -> None:
        """Kill what still runs and remove its files."""
        for node in reversed(self.nodes):
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _next_ip(self) -> str:
        return f"{self.network}.{len(self.nodes) + 1}"

    def _start(self, arguments: Sequence[str], cpus: float, gpus: float, environment: Mapping[str, str] | None) -> Node:
        place = len(self.nodes) + 1
        ip, output = self._next_ip, self.folder / f"node-{place}.txt"
        common = ["--block", "--node-ip-address", ip, "--num-cpus", f"{cpus:g}", "--num-gpus", f"{gpus:g}"]
        # Nodes that share a folder and start at the same time choose the same names for their sockets.
        folder, cache = self.folder / str(place), self.folder / f"cache-{place}"
        common += ["--temp-dir", str(folder), "--object-store-memory", str(80 * 2**20)]
        common += ["--min-worker-port", "0", "--max-worker-port", "0"]
        common += [word for option in _AGENTS for word in (option, str(next(_ports)))]
        with output.open("wb") as file:
            process = subprocess.Popen(
                [*RAY, "start", *arguments, *common],
                env=os.environ | _SETTINGS | self.environment | {"TUNER_CACHE": str(cache)} | dict(environment or {}),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.nodes.append(Node(ip, process, output, cache, folder))
        return self.nodes[-1]

    def _said(self, pattern: str) -> str:
        found = re.search(pattern, self.head.output.read_text(errors="replace"))
        assert found is not None, self.head.output.read_text(errors="replace")
        return found[1]


@contextlib.contextmanager
def cluster(
    workers: Sequence[float] = (2, 2),
    *,
    head_cpus: float = 0,
    head_gpus: float = 0,
    dashboard: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """Run a cluster of a head and workers.

    Args:
        workers: How many CPUs each claims to have.
        head_cpus: How many the head claims; with 0 no trial runs there.
        head_gpus: Likewise.
        dashboard: Whether the head has the dashboard, which takes jobs over HTTP.
        environment: What processes on all nodes find in their environment besides the test's own.
    """
    # Not below the test's own folder: the names of sockets may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    token_file = folder / "token"
    token_file.touch(mode=0o600)
    token_file.write_text(secrets.token_hex(32))
    unique = os.getpid() + 7919 * next(_clusters)
    running = Cluster(folder, f"127.{1 + unique // 256 % 254}.{unique % 256}", token_file)
    try:
        running.start_head(head_cpus, head_gpus, dashboard=dashboard, environment=environment)
        started = [running.add(cpus, environment=environment, wait=False) for cpus in workers]
        until(lambda: all(node.started() for node in started))
        yield running
    finally:
        running.end()


def until(condition: Callable[[], object], seconds: float = _START_SECONDS) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.05)
