"""The command ``ray`` for machines that do much else besides: it gives a node minutes to begin.

It runs as a file of its own, with the arguments of ``ray``. Ray gives a node 30 seconds, and the node gives its agents
15 (github.com/ray-project/ray/issues/65983): it waits for none whose port was given and lies in its file already. A
head has no server for Ray's old client: nobody here is one, and that server too would end the head after 30 seconds.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from ray import _raylet
from ray._private import services
from ray._private.node import Node
from ray.scripts import scripts

_SECONDS = 240.0

_get_node, _start_raylet = services.get_node, Node.start_raylet


def get_node(gcs_address: str, node_id: str) -> dict[str, Any]:
    """Return what Ray knows of a node, once it knows it."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            return _get_node(gcs_address, node_id)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def start_raylet(node: Any, *arguments: Any, **options: Any) -> None:
    """Say on which ports the agents will listen before they do."""
    given = {
        _raylet.DASHBOARD_AGENT_LISTEN_PORT_NAME: node._ray_params.dashboard_agent_listen_port,
        _raylet.METRICS_AGENT_PORT_NAME: node._ray_params.metrics_agent_port,
        _raylet.METRICS_EXPORT_PORT_NAME: node._ray_params.metrics_export_port,
        _raylet.RUNTIME_ENV_AGENT_PORT_NAME: node._ray_params.runtime_env_agent_port,
    }
    for name, port in given.items():
        if port:
            _raylet.persist_port(node._session_dir, node._node_id, name, port)
    _start_raylet(node, *arguments, **options)


if __name__ == "__main__":
    services.get_node = get_node
    Node.start_raylet = start_raylet
    scripts.get_ray_client_dependency_error = lambda: "no client is wanted"
    sys.exit(scripts.main())
