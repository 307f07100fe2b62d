"""A real HTTP proxy in front of an S3 server, through which a storage fails, is slow, loses answers or is away."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.storage.server import S3Server

#: These concern one connection and are not passed on.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "expect", "content-length"})


@dataclass
class Fault:
    """What befalls requests.

    Attributes:
        status: Answered without asking the server; None lets them through.
        seconds: How long they wait before anything else.
        lost: Whether the server does what is asked and its answer is cut off.
        half: Half of the answer's body comes, and for so many seconds nothing more before it is cut off.
        methods: Which requests it befalls; none named means all.
        part: What is in their path.
        share: Which share of them, drawn by the proxy's seed.
        times: How many it befalls; None for all.
        met: How many it has befallen.
    """

    status: int | None = None
    seconds: float = 0.0
    lost: bool = False
    half: float | None = None
    methods: tuple[str, ...] = ()
    part: str = ""
    share: float = 1.0
    times: int | None = None
    met: int = 0


class Proxy:
    """Passes on what clients of ``url`` ask; ``faults`` may be changed at any moment, the first that fits befalls.

    Args:
        server: Where to.
        seed: Of what the shares draw.
    """

    def __init__(self, server: S3Server, seed: int = 0) -> None:
        self.faults: list[Fault] = []
        self.server = server
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._listen(0)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections meanwhile; the port stays taken, so that nobody else is given it."""
        self.close()
        with socket.socket() as kept:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(("127.0.0.1", self._port))
            try:
                yield
            finally:
                self._listen(self._port)

    def close(self) -> None:
        """Listen no longer."""
        self._listener.shutdown()
        self._listener.server_close()

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Return what befalls a request, and count it."""
        with self._lock:
            for fault in self.faults:
                fits = (not fault.methods or method in fault.methods) and fault.part in path
                left = fault.times is None or fault.met < fault.times
                if fits and left and self._chance.random() < fault.share:
                    fault.met += 1
                    return fault
        return None

    def _listen(self, port: int) -> None:
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._listener = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._port = self._listener.server_address[1]
        threading.Thread(target=self._listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        with contextlib.suppress(OSError):  # the client did not wait, or the server has ended
            self._ask()

    def _ask(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.close_connection = True
        fault = self.proxy.fault_for(self.command, self.path) or Fault()
        time.sleep(fault.seconds)
        if fault.status is not None:
            self._answer(fault.status, {}, b"")
            return
        server = self.proxy.server
        connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
            if fault.half is not None:
                self._answer(answer.status, dict(answer.getheaders()), data[: len(data) // 2])
                time.sleep(fault.half)
            elif not fault.lost:
                self._answer(answer.status, dict(answer.getheaders()), data)
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", headers.get("Content-Length", str(len(data))))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not worth a line."""


@contextmanager
def proxy_before(server: S3Server, seed: int = 0) -> Iterator[Proxy]:
    """Run a proxy in front of a server until the end."""
    proxy = Proxy(server, seed)
    try:
        yield proxy
    finally:
        proxy.close()
