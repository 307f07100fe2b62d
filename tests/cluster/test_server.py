"""What stands where a job server should, or does not: one sentence, the right exit code, in bounded time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tuner.cluster import server as job_server
from tuner.cluster.server import JobServer
from tuner.facts.errors import ClusterError


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """Yield the address of a server that gives one answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: object) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}"
    finally:
        running.shutdown()
        running.server_close()


def refusal(address: str) -> str:
    with pytest.raises(ClusterError) as refused:
        JobServer(address)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, "", "is no job server of a Ray cluster"),
        (200, "<html>", "is no job server of a Ray cluster"),
        (200, "{}", "is no job server of a Ray cluster"),
        (200, json.dumps({"ray_version": "2.9.3"}), "runs Ray 2.9.3; a search needs 2.54 or later"),
        (200, json.dumps({"ray_version": "1.8"}), "is no job server of a Ray cluster"),
        (401, "", "wants a token; set RAY_AUTH_TOKEN_PATH to a file that holds it"),
        (503, "", "is no job server of a Ray cluster"),
    ],
)
def test_another_server(monkeypatch: pytest.MonkeyPatch, status: int, body: str, said: str) -> None:
    for variable in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(variable, raising=False)
    with answering(status, body) as address:
        assert refusal(address) == f"{address} {said}"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert refusal(address) == f"{address} cannot be reached: Connection refused"


def test_a_port_that_speaks_something_else() -> None:
    """As that of Ray's own nodes does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\x00\x00\x12\x04\x00\r\n")

        threading.Thread(target=answer, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert refusal(address) == f"{address} is no Ray job server (that is the dashboard's port, 8265)"


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_server, "_TIMEOUT", (0.3, 0.3))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert refusal(address) == f"{address} does not answer"
        assert refusal(address.replace("http", "https")).endswith("does not answer")


def test_https_where_there_is_none() -> None:
    with answering(200, "{}") as plain:
        address = plain.replace("http", "https")
        assert refusal(address) == f"{address} does not speak https"


def test_ray_is_asked_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray lets the environment win, and would import a module that is named there."""
    monkeypatch.setenv("RAY_ADDRESS", "antigravity://head")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "antigravity://head")
    with answering(200, json.dumps({"ray_version": "2.9.3"})) as address:
        assert refusal(address).startswith(f"{address} runs Ray 2.9.3")
    assert "antigravity" not in sys.modules
    assert os.environ["RAY_API_SERVER_ADDRESS"] == "antigravity://head"


def test_the_oldest_ray_is_that_of_the_installation() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = map(Requirement, chain(project["dependencies"], *project["optional-dependencies"].values()))
    assert {str(item.specifier) for item in wanted if item.name == "ray"} == {f">={job_server.OLDEST_RAY}"}


def test_without_what_speaks_to_job_servers(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['aiohttp'] = sys.modules['requests'] = None\n"
        "from tuner.cli.main import main\n"
        "sys.exit(main(['status', '--address', 'http://127.0.0.1:1']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'tuner[cluster]'" in done.stderr and "Traceback" not in done.stderr
