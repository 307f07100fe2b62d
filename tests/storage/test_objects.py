"""Objects below a prefix, against a real S3 server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.server import BUCKET, S3Server, s3
from tuner.facts.errors import StorageError, UsageError
from tuner.storage.client import client
from tuner.storage.objects import Objects

__all__ = ["s3"]


def test_an_object_is_created_once(s3: S3Server) -> None:
    objects = Objects.at(s3.address("create"))
    assert objects.create("a", b"1", metadata={"writer": "me"})
    assert not objects.create("a", b"2")
    content = objects.read("a")
    assert content is not None
    assert content.data == b"1" and content.metadata == {"writer": "me"}
    assert 0 <= (content.now - content.modified).total_seconds() < 60


def test_what_is_not_there_is_none(s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("missing"))
    assert objects.get("a") is None
    assert not objects.download("a", tmp_path / "a") and not (tmp_path / "a").exists()
    assert objects.list() == [] and objects.children() == []
    objects.delete(["a"])


def test_listings_are_ordered_and_relative_to_the_prefix(s3: S3Server) -> None:
    objects = Objects.at(s3.address("list"))
    for name in ("b/2", "b/1", "a", "b/3", "c"):
        objects.put(name, name.encode())
    assert [stored.name for stored in objects.list()] == ["a", "b/1", "b/2", "b/3", "c"]
    assert [stored.name for stored in objects.list("b/", after="b/1")] == ["b/2", "b/3"]
    assert objects.children() == ["a", "b", "c"]
    assert objects.below("b").get("1") == b"b/1"
    objects.delete(["a", "c"])
    assert [(stored.name, stored.size) for stored in objects.below("b").list()] == [("1", 3), ("2", 3), ("3", 3)]


@pytest.mark.slow
def test_a_listing_of_more_than_a_page_is_whole(s3: S3Server) -> None:
    objects = Objects.at(s3.address("pages"))
    for number in range(1005):
        objects.put(f"{number:04}", b"")
    assert len(objects.list()) == 1005
    objects.delete(stored.name for stored in objects.list())
    assert objects.list() == []


def test_files_of_any_size_come_back(s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("files"))
    data = bytes(range(256)) * 40_000  # more than a part of a multipart upload
    (tmp_path / "up").write_bytes(data)
    objects.upload("file", tmp_path / "up")
    assert objects.download("file", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == data


def test_an_object_that_is_replaced_while_it_is_read_comes_as_it_was(s3: S3Server, tmp_path: Path) -> None:
    """As a leaderboard of a running search is."""

    class Replacing:
        def get_object(self, **key):
            answer = s3.client().get_object(**key)
            s3.client().put_object(**key, Body=b"new")
            return answer

    old = b"old" * 4_000_000  # more than a part of a ranged download
    Objects.at(s3.address("replaced")).put("a", old)
    assert Objects(Replacing(), BUCKET, "replaced").download("a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == old
    assert Objects.at(s3.address("replaced")).get("a") == b"new"


def test_an_object_is_replaced_or_discarded_only_where_it_is_the_one_that_was_read(s3: S3Server) -> None:
    objects = Objects.at(s3.address("replace"))
    objects.put("a", b"1")
    content = objects.read("a")
    assert content is not None and objects.replace("a", b"2", content)
    assert not objects.replace("a", b"3", content) and not objects.discard("a", content)
    assert objects.get("a") == b"2"
    content = objects.read("a")
    assert content is not None and objects.discard("a", content)
    assert not objects.replace("a", b"3", content) and not objects.discard("a", content)
    assert objects.get("a") is None


def test_errors_name_the_address_and_no_key(s3: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x/a fails: there is no such bucket"):
        Objects.at("s3://no-such-bucket/x").put("a", b"")
    (tmp_path / "a").touch()
    with pytest.raises(StorageError, match=r"s3://no-such-bucket/x/a fails: there is no such bucket"):
        Objects.at("s3://no-such-bucket/x").upload("a", tmp_path / "a")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    client.cache_clear()
    with pytest.raises(StorageError, match="there are no credentials"):
        Objects.at(s3.address("x")).get("a")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    client.cache_clear()
    with pytest.raises(UsageError, match="cannot be used: ProfileNotFound"):
        Objects.at(s3.address("x"))
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nowhere")
    with pytest.raises(UsageError, match="cannot be used: no good endpoint"):
        Objects.at(s3.address("x"))


@pytest.mark.parametrize("address", ["s3://", "s3://Bucket/x", "s3://b", f"s3://{BUCKET}/../x", f"s3://{BUCKET}/a//b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="s3://"):
        Objects.at(address)
