"""This process's client of S3, and what its failures mean to people."""

from __future__ import annotations

import functools
from typing import Any

from tuner.facts.errors import StorageError, UsageError

#: With the pauses between them, tries go on for about a quarter of a minute where nothing answers.
TRIES = 6
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 20
_CONNECTIONS = 32

_REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "AccessDenied": "access is denied",
    "403": "access is denied",
    "InvalidAccessKeyId": "the credentials are not known there",
    "SignatureDoesNotMatch": "the credentials are not right",
    "ExpiredToken": "the credentials have expired",
    "NoCredentialsError": "there are no credentials in the environment, a profile or the machine's role",
    "PartialCredentialsError": "half of the credentials is missing",
    "EndpointConnectionError": "it cannot be reached",
    "ConnectTimeoutError": "it cannot be reached",
    "ProxyConnectionError": "the proxy before it cannot be reached",
    "SSLError": "its certificate is not accepted",
    "ConnectionClosedError": "it breaks connections off",
    "BrokenOffError": "it breaks connections off",
    "ReadTimeoutError": "it does not answer",
    "RecursionError": "what answers there is no object storage",
    "NotS3": "what answers there is no object storage",
}


class BrokenOffError(Exception):
    """An answer that began and did not come to its end."""


@functools.cache
def client() -> Any:
    """Return this process's client of S3; to make one takes half a second.

    Raises:
        UsageError: boto3 is not installed, or what the environment says to it is wrong.
    """
    try:
        import boto3  # noqa: PLC0415 (an extra)
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError as error:
        raise UsageError("results on object storage need boto3: pip install 'tuner[s3]'") from error
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_ANSWER_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=_CONNECTIONS,
    )
    try:
        return boto3.Session().client("s3", config=config)  # the default session is nobody's and may not be shared
    except (BotoCoreError, ValueError) as error:  # a profile, region or endpoint that is none
        kind = type(error).__name__ if isinstance(error, BotoCoreError) else "no good endpoint"
        raise UsageError(f"the AWS settings of this environment cannot be used: {kind}") from error


def code_of(error: Exception) -> str:
    """Return the storage's word for an error, or the kind of one that never reached it."""
    cause = getattr(error, "last_exception", None) or (error.__context__ if _is_upload(error) else None)
    if isinstance(cause, Exception):  # a transfer of a file wraps what went wrong
        return code_of(cause)
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def _is_upload(error: Exception) -> bool:
    return type(error).__name__ == "S3UploadFailedError"


def refused(address: str, code: str) -> StorageError:
    """Return what people are told; the storage's own text may hold a key and is left out."""
    return StorageError(f"{address} fails: {_REASONS.get(code, f'the answer is {code}')}")


def failures() -> tuple[type[Exception], ...]:
    """Return what calls of boto3 end with; asked for where something was raised, when it has long been imported."""
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    # botocore asks without end where it is sent elsewhere and not told where
    return BrokenOffError, Boto3Error, BotoCoreError, ClientError, RecursionError
