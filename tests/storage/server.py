"""A real S3 server on loopback, with a bucket, and the environment that clients and child processes need."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tuner.storage.client import client

BUCKET = "bucket"

#: The environment of whoever talks to the server, but for its address.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "an-access-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Attributes:
        host: Where it listens.
        port: Where it listens.
    """

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def address(self, prefix: str) -> str:
        """Return the address of results below a prefix of its bucket."""
        return f"s3://{BUCKET}/{prefix}"

    def environment(self, endpoint: str | None = None) -> dict[str, str]:
        """Return what a process needs in its environment, to come through a proxy if one is given."""
        return ENVIRONMENT | {"AWS_ENDPOINT_URL_S3": endpoint or self.url}

    def client(self):
        """Return a boto3 client that goes straight to the server."""
        return boto3.client("s3", endpoint_url=self.url)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run a server with an empty bucket; this process and its children find it until the end."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        running = S3Server(*server.get_host_and_port())
        # moto keeps what it stores for the whole process, also what an earlier server was given.
        urllib.request.urlopen(urllib.request.Request(f"{running.url}/moto-api/reset", method="POST")).close()
        with pytest.MonkeyPatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                patch.delenv(name)
            for name, value in running.environment().items():
                patch.setenv(name, value)
            running.client().create_bucket(Bucket=BUCKET)
            client.cache_clear()
            yield running
    finally:
        client.cache_clear()
        server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """The server of a test module: import this fixture; each test takes a prefix of its own."""
    with s3_server() as running:
        yield running
