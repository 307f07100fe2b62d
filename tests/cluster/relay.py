"""A server that passes bytes on to another one, encrypted if wanted, and whose connections a test can cut."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Relay:
    """A running relay.

    Attributes:
        address: Where it listens.
    """

    def __init__(self, target: str, context: ssl.SSLContext | None) -> None:
        host, port = target.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._closed = False
        self._silent: set[socket.socket] = set()
        self.address = f"{'https' if context else 'http'}://localhost:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        """Break every connection that is open now."""
        while self._open:
            with contextlib.suppress(OSError):
                self._open.pop().shutdown(socket.SHUT_RDWR)

    def silence(self) -> None:
        """Pass nothing on any more through the connections that are open now; neither end learns of it."""
        self._silent.update(self._open)

    def close(self) -> None:
        """Break every connection and take no more."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept would keep it open
        self._listener.close()
        self.cut()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            client if self._context is None else self._context.wrap_socket(client, server_side=True) as near,
            socket.create_connection(self._target) as far,
        ):
            self._open += [near, far]
            if self._closed:  # a moment ago, and not seen by whoever closed
                return
            back = threading.Thread(target=self._copy, args=(far, near), daemon=True)
            back.start()
            self._copy(near, far)
            back.join()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source not in self._silent:
                    target.sendall(data)
        with contextlib.suppress(OSError):
            if source not in self._silent:
                target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay_to(address: str) -> Iterator[Relay]:
    """Run a relay to an ``http`` address."""
    relay = Relay(address, None)
    try:
        yield relay
    finally:
        relay.close()


@contextlib.contextmanager
def encrypted_relay_to(address: str, authority: Path) -> Iterator[Relay]:
    """Run a relay that speaks https; ``authority`` becomes the file that vouches for it."""
    key = authority.with_suffix(".key")
    _write_certificate(authority, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    relay = Relay(address, context)
    try:
        yield relay
    finally:
        relay.close()


def _write_certificate(certificate: Path, key: Path) -> None:
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
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(secret.private_bytes(pem, form, serialization.NoEncryption()))
