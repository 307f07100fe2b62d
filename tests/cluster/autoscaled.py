"""A cluster with Ray's own autoscaler, in namespaces of its own: its nodes are processes that the autoscaler starts.

Nodes that an autoscaler starts want ports and addresses that a test cannot choose; in a network of its own it need not.
The namespace of processes ends all of them with the first.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.nodes import RAY, until
from tests.study.searches import SearchProcess

ADDRESS = "127.0.0.1:6379"

#: Of the head, as Ray's own provider of such nodes has it.
_HEAD = 51 * "f" + 5 * "0"

_PROVIDER = "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider"

_SETTINGS = {
    "RAY_FAKE_CLUSTER": "1",
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_AUTH_MODE": "disabled",  # nobody else is in this network
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_agent_register_timeout_ms": "240000",
    "RAY_gcs_server_port_wait_time_s": "240",
    "RAY_worker_register_timeout_seconds": "240",
}

#: What turns the second version of the autoscaler on, and lets it know the head.
_SECOND = {"RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": _HEAD}

#: What an autoscaler of machines elsewhere would copy and run there.
_EMPTY = (
    "initialization_commands",
    "setup_commands",
    "head_setup_commands",
    "worker_setup_commands",
    "head_start_ray_commands",
    "worker_start_ray_commands",
    "cluster_synced_files",
    "rsync_exclude",
    "rsync_filter",
)


@dataclass(frozen=True)
class Autoscaled:
    """A running cluster whose head has no CPUs, and may be joined by nodes of 2 CPUs each.

    Attributes:
        first: The first process of its namespace, as it is called outside.
        enter: What a command line begins with that runs inside.
    """

    first: int
    enter: tuple[str, ...]

    def search(self, folder: Path, *arguments: str) -> SearchProcess:
        """Start a search inside."""
        enter = (*self.enter, "env", f"--chdir={folder}")  # whoever enters comes to the root folder
        environment = {"RAY_AUTH_MODE": "disabled"}
        return SearchProcess(folder, "--address", ADDRESS, *arguments, environment=environment, enter=enter)

    def workers(self) -> int:
        """Return how many nodes there are besides the head."""
        inside = Path(f"/proc/{self.first}/ns/pid").readlink()
        count = 0
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (process / "ns/pid").readlink() == inside and (process / "comm").read_text() == "raylet\n":
                    count += 1
        return count - 1


def namespaces_are_to_be_had() -> bool:
    """Whether a process may have a network of its own here."""
    if not all(shutil.which(command) for command in ("unshare", "nsenter", "ip")):
        return False
    return subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def autoscaled(*, second_version: bool, most_workers: int = 2) -> Iterator[Autoscaled]:
    """Run a cluster of a head alone, which its autoscaler may give workers.

    Args:
        second_version: Whether the autoscaler is the one that Ray calls v2, as on Kubernetes.
        most_workers: How many at most.
    """
    folder = Path(tempfile.mkdtemp(prefix="nodes-"))
    settings, output = folder / "autoscaling.json", folder / "head.txt"
    settings.write_text(json.dumps(_configuration(most_workers)))
    environment = os.environ | _SETTINGS | (_SECOND if second_version else {})
    arguments = [*RAY, "start", "--head", "--block", "--num-cpus", "0", "--include-dashboard", "false"]
    arguments += ["--autoscaling-config", str(settings), "--temp-dir", str(folder / "ray")]
    arguments += ["--object-store-memory", str(80 * 2**20)]
    with output.open("wb") as file:
        namespace = subprocess.Popen(
            [*_unshare(), "bash", "-c", 'ip link set lo up && "$@"; exit', "bash", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: _has_started(namespace, output))
        first = Path(f"/proc/{namespace.pid}/task/{namespace.pid}/children").read_text().split()[0]
        enter = ["nsenter", "--target", first, "--net", "--pid", "--mount"]
        enter += [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        yield Autoscaled(int(first), tuple(enter))
    finally:
        namespace.kill()  # and with it, by --kill-child, everything inside
        namespace.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _has_started(namespace: subprocess.Popen[bytes], output: Path) -> bool:
    text = output.read_text(errors="replace")
    assert namespace.poll() is None, text
    return "This command will now block forever" in text


def _unshare() -> Sequence[str]:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *own, "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]


def _configuration(most_workers: int) -> dict[str, object]:
    """Return the settings of the autoscaler."""
    provider = {"type": "external", "module": _PROVIDER, "head_node_id": _HEAD, "gcs_address": ADDRESS}
    worker = {"CPU": 2, "object_store_memory": 80 * 2**20}
    return {
        "cluster_name": "test",
        "max_workers": most_workers,
        "idle_timeout_minutes": 0.1,
        "upscaling_speed": 1.0,
        "provider": {**provider, "launch_multiple": True, "use_node_id_as_ip": True, "disable_node_updaters": True},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "worker": {"resources": worker, "node_config": {}, "min_workers": 0, "max_workers": most_workers},
        },
        "auth": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        **{name: [] for name in _EMPTY},
    }
