"""Working copies of what lies on object storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.server import S3Server, s3
from tuner.facts.errors import ResultsDamagedError, relative_to_cwd
from tuner.storage.copies import attach, fetch, origin, push, remove, results_folder
from tuner.storage.objects import Objects

__all__ = ["s3"]


def test_a_folder_stays_itself(tmp_path: Path) -> None:
    with results_folder(str(tmp_path)) as path:
        assert path == tmp_path
    assert attach(str(tmp_path)) == tmp_path
    assert origin(tmp_path) is None
    push(tmp_path)
    assert fetch(tmp_path) and not fetch(tmp_path / "none")
    (tmp_path / "a").mkdir()
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_copy_begins_with_the_descriptions_of_the_searches(s3: S3Server) -> None:
    objects = Objects.at(s3.address("several"))
    for name in ("one/search.json", "one/leaderboard.parquet", "two/search.json", "models/17/config.json"):
        objects.put(name, name.encode())
    with results_folder(s3.address("several")) as path:
        assert files(path) == ["one/search.json", "two/search.json"]
        assert fetch(path / "one") and (path / "one/leaderboard.parquet").read_bytes() == b"one/leaderboard.parquet"
    assert not path.exists() and origin(path) is None
    with results_folder(s3.address("several"), "two") as path:
        assert files(path) == ["two/search.json"]
    with results_folder(s3.address("several"), "three") as path:
        assert files(path) == ["one/search.json", "two/search.json"]
    with results_folder(s3.address("several/one")) as path:
        assert files(path) == ["search.json"]


def test_what_is_pushed_is_fetched_elsewhere_and_removed_on_both_sides(s3: S3Server) -> None:
    with results_folder(s3.address("push")) as one, results_folder(s3.address("push")) as two:
        (one / "s/models").mkdir(parents=True)
        (one / "s/models/a").write_text("a")
        (one / "s/models/b").write_text("b")
        (one / "s/c").write_text("c")
        push(one / "s/models")
        push(one / "s/c")
        assert fetch(two / "s") and files(two) == ["s/c", "s/models/a", "s/models/b"]
        remove(two / "s/models")
        assert files(two) == ["s/c"]
        assert [stored.name for stored in Objects.at(s3.address("push")).list()] == ["s/c"]
        assert not fetch(one / "s/models/a") and not fetch(one / "s/none")


def test_a_worker_has_one_copy_of_an_address(s3: S3Server) -> None:
    path = attach(s3.address("worker/s"))
    assert attach(s3.address("worker/s")) == path and list(path.iterdir()) == []
    found = origin(path / "logs/7.log")
    assert found is not None and (found[0].address, found[1]) == (s3.address("worker/s"), "logs/7.log")


def test_people_see_the_address(s3: S3Server) -> None:
    with results_folder(s3.address("seen")) as path:
        assert relative_to_cwd(path) == s3.address("seen")
        assert relative_to_cwd(path / "s/logs") == s3.address("seen/s/logs")


def test_an_object_cannot_leave_the_copy(s3: S3Server) -> None:
    s3.client().put_object(Bucket="bucket", Key="evil/s/../../../escaped", Body=b"")
    with results_folder(s3.address("evil")) as path, pytest.raises(ResultsDamagedError, match="no name of a result"):
        fetch(path / "s")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
