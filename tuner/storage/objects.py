"""The objects below one prefix of a bucket, and the storage's own clock.

Credentials, region and endpoint come from where boto3 finds them (environment, profile, instance role).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

from tuner.facts.addresses import SCHEME, address_problem, split_address, without_secrets
from tuner.facts.errors import UsageError
from tuner.storage.client import TRIES, BrokenOffError, client, code_of, failures, refused

_DELETED_AT_ONCE = 1000

_PIECE_BYTES = 2**20

_MISSING = {"NoSuchKey", "404", "NotFound"}
#: Tried again here, because boto3 does not: two puts at once, an answer that broke off.
_TRIED_AGAIN = {"ConditionalRequestConflict", BrokenOffError.__name__}

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Stored:
    """One object, as a listing shows it.

    Attributes:
        name: Below the prefix.
        size: In bytes.
        modified: When it was written, by the storage's clock.
    """

    name: str
    size: int
    modified: datetime


@dataclass(frozen=True)
class Content:
    """One object, read.

    Attributes:
        data: Its bytes.
        metadata: What its writer said about it.
        modified: When it was written, by the storage's clock.
        now: What that clock said when it was read; both in whole seconds.
        tag: What tells it from whatever else is written under its name.
    """

    data: bytes
    metadata: Mapping[str, str]
    modified: datetime
    now: datetime
    tag: str


class Objects:
    """The objects below one prefix. Names are relative to it and never begin with a slash; threads may share it.

    Every method raises StorageError, with one sentence that names the address, where the storage fails for good.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        """Args: prefix: without slashes at its ends; empty for the whole bucket."""
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @classmethod
    def at(cls, address: str) -> Objects:
        """Return the objects below an address such as ``s3://bucket/prefix``.

        Raises:
            UsageError: It is none, or boto3 is not installed.
        """
        if (wrong := address_problem(address)) is not None:
            raise UsageError(f"{without_secrets(address)} {wrong}")
        return cls(client(), *split_address(address))

    @property
    def address(self) -> str:
        """The prefix as people write it."""
        return f"{SCHEME}{self._bucket}/{self._prefix}".rstrip("/")

    def below(self, name: str) -> Objects:
        """Return the objects below a further prefix; those here for an empty one."""
        return Objects(self._client, self._bucket, f"{self._prefix}{name}".rstrip("/"))

    def read(self, name: str) -> Content | None:
        """Return an object with all that is known of it, or None where there is none."""
        with self._named(name):
            return self._tried(lambda: self._read(name))

    def get(self, name: str) -> bytes | None:
        """Return an object's bytes, or None where there is none."""
        content = self.read(name)
        return None if content is None else content.data

    def put(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object; readers see the old or the new one. Texts in ``metadata`` are ASCII."""
        with self._named(name):
            self._client.put_object(**self._key(name), Body=data, Metadata=dict(metadata or {}))

    def create(self, name: str, data: bytes, *, metadata: Mapping[str, str] | None = None) -> bool:
        """Write an object where none is; False where one is already, which may be this one from a try that was lost."""
        how = {"Body": data, "Metadata": dict(metadata or {}), "IfNoneMatch": "*"}
        with self._named(name):
            return self._tried(lambda: _held(self._client.put_object, **self._key(name), **how))

    def replace(self, name: str, data: bytes, before: Content) -> bool:
        """Write an object over what was read; False where it is gone or another by now, perhaps this one as above."""
        with self._named(name):
            return self._tried(lambda: _held(self._client.put_object, **self._key(name), Body=data, IfMatch=before.tag))

    def discard(self, name: str, before: Content) -> bool:
        """Remove what was read; False where it is gone or another by now."""
        with self._named(name):
            return self._tried(lambda: _held(self._client.delete_object, **self._key(name), IfMatch=before.tag))

    def exists(self, name: str) -> bool:
        """Return whether there is an object of a name."""
        return any(stored.name == name for stored in self.list(name))

    def children(self) -> list[str]:
        """Return the first parts of all names here, each once: of what would be files and folders."""
        found = set()
        for page in self._pages(Prefix=self._prefix, Delimiter="/"):
            found |= {item["Key"].removeprefix(self._prefix) for item in page.get("Contents", ())}
            found |= {item["Prefix"].removeprefix(self._prefix)[:-1] for item in page.get("CommonPrefixes", ())}
        return sorted(found - {""})

    def list(self, prefix: str = "", after: str = "") -> list[Stored]:
        """Return the objects whose names begin with ``prefix`` and come after ``after``, by name in bytes."""
        where = {"Prefix": self._prefix + prefix, "StartAfter": self._prefix + after if after else ""}
        return [
            Stored(item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"])
            for page in self._pages(**where)
            for item in page.get("Contents", ())
        ]

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects; those that are not there are none."""
        keys = [{"Key": self._prefix + name} for name in names]
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            with self._named(""):
                part = {"Objects": keys[start : start + _DELETED_AT_ONCE], "Quiet": True}
                answer = self._client.delete_objects(Bucket=self._bucket, Delete=part)
                for error in answer.get("Errors", ()):
                    raise refused(self.address, error["Code"])

    def upload(self, name: str, path: Path) -> None:
        """Write a file of any size as one object, which appears whole or not at all."""
        with self._named(name):
            self._client.upload_file(str(path), self._bucket, self._prefix + name)

    def download(self, name: str, path: Path) -> bool:
        """Write an object into a file, whole or not at all; False where there is no such object.

        All of it comes in one answer: an object that is replaced meanwhile comes as it was.

        Raises:
            OSError: The file cannot be written.
        """
        with self._named(name):
            return self._tried(lambda: self._download(name, path))

    def _read(self, name: str) -> Content | None:
        if (answer := self._answer(name)) is None:
            return None
        data = b"".join(_body(answer))
        try:
            now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).replace(tzinfo=UTC)
            return Content(data, answer["Metadata"], answer["LastModified"], now, answer["ETag"])
        except (KeyError, ValueError) as error:  # a proxy's own page, say, or one that takes the date away
            raise refused(f"{self.address}/{name}", "NotS3") from error

    def _download(self, name: str, path: Path) -> bool:
        if (answer := self._answer(name)) is None:
            return False
        part = path.with_name(f".{path.name}.part")
        try:
            with part.open("wb") as file:
                file.writelines(_body(answer))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return True

    def _answer(self, name: str) -> Mapping[str, Any] | None:
        try:
            answer: Mapping[str, Any] = self._client.get_object(**self._key(name))
        except failures() as error:
            if code_of(error) in _MISSING:
                return None
            raise
        return answer

    def _pages(self, **where: str) -> Iterator[Mapping[str, Any]]:
        with self._named(""):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, **where):
                if "IsTruncated" not in page:  # taken for an empty listing it would be a search without a log
                    raise refused(self.address, "NotS3")
                yield page

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    @staticmethod
    def _tried(call: Callable[[], _Answer]) -> _Answer:
        """Return what a call returns, tried again where boto3 does not."""
        for _ in range(TRIES - 1):
            try:
                return call()
            except failures() as error:
                if code_of(error) not in _TRIED_AGAIN:
                    raise
        return call()

    @contextmanager
    def _named(self, name: str) -> Iterator[None]:
        try:
            yield
        except failures() as error:
            raise refused(f"{self.address}/{name}" if name else self.address, code_of(error)) from error


def _body(answer: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield an answer's body; raises ``BrokenOffError`` where it ends too early, or stalls."""
    try:
        yield from answer["Body"].iter_chunks(_PIECE_BYTES)
    except failures() as error:
        raise BrokenOffError from error


def _held(ask: Callable[..., object], **request: Any) -> bool:
    """Ask for something on a condition; returns whether the condition held."""
    try:
        ask(**request)
    except failures() as error:
        if code_of(error) in {"PreconditionFailed", "412", *_MISSING}:
            return False
        raise
    return True
