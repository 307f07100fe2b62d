"""The log on object storage: segments and packs, one writer, and what an older writer can still do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.storage.server import S3Server, s3
from tuner.facts.errors import ResultsDamagedError, ResultsHeldError, StorageError, UsageError
from tuner.journal.events import Close, Event
from tuner.journal.lock import is_held, refuse_if_held
from tuner.journal.log import Log, log_size, open_log, read_events
from tuner.storage import lease
from tuner.storage.copies import results_folder
from tuner.storage.objects import Objects
from tuner.storage.segments import SegmentStorage
from tuner.storage.stored_log import read_log, stored_log

__all__ = ["s3"]


def closing(number: int) -> Event:
    return Close(at=float(number), reason="trials", seconds=0.0)


def names(objects: Objects, prefix: str = "") -> list[str]:
    return [stored.name for stored in objects.list(prefix)]


def test_what_is_synced_is_there_for_others_and_the_rest_follows(s3: S3Server) -> None:
    with results_folder(s3.address("synced")) as one, results_folder(s3.address("synced")) as two:
        assert log_size(two) is None and read_events(two) == []
        with open_log(one) as log:
            assert log_size(one) == log_size(two) == 0
            log.append(closing(1))
            log.append(closing(2), sync=False)
            assert read_events(two) == read_events(one) == [closing(1)]
            log.append(closing(3))
            assert read_events(two) == read_events(one) == [closing(1), closing(2), closing(3)]
            assert log_size(one) == log_size(two)
            log.append(closing(4), sync=False)
        assert [event.at for event in read_events(two)] == [1, 2, 3, 4]
        assert names(Objects.at(s3.address("synced"))) == [f"segments/{number:08}.jsonl" for number in range(4)]


def test_many_segments_are_packed_and_read_back_in_order(s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("packed"))
    for opening in range(3):
        with Log(SegmentStorage(objects, tmp_path / "log", pack_size=4)) as log:
            assert [event.at for event in log.replay()] == list(range(5 * opening))
            for number in range(5 * opening, 5 * opening + 5):
                log.append(closing(number))
    # Three openings and fifteen events.
    assert len(names(objects, "segments/")) == 18
    assert names(objects, "packs/") == [f"packs/{k:08}-{k + 3:08}.jsonl" for k in range(0, 16, 4)]
    stored = stored_log(objects)
    assert (stored.packed, stored.segments, len(stored.names)) == (16, 18, 6)
    data = read_log(objects)
    assert stored.size == len(data) and data.count(b"\n") == 15


def test_a_pack_that_is_missing_is_made_at_the_next_opening(s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("late"))
    for size in (100, 2):
        with Log(SegmentStorage(objects, tmp_path / "log", pack_size=size)) as log:
            log.append(closing(size))
    assert read_log(objects).count(b"\n") == 2
    assert names(objects, "packs/") == ["packs/00000000-00000001.jsonl", "packs/00000002-00000003.jsonl"]


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (["segments/00000000.jsonl", "segments/00000002.jsonl"], "segments/00000001.jsonl is missing"),
        (["segments/00000001.jsonl"], "segments/00000000.jsonl is missing"),
        (["packs/00000002-00000003.jsonl"], "lacks what comes before packs/00000002-00000003.jsonl"),
        (["segments/00000000.jsonl", "segments/notes.txt"], "segments/00000001.jsonl is missing|no part of a log"),
    ],
)
def test_a_gap_is_damage(s3: S3Server, request: pytest.FixtureRequest, kept: list[str], said: str) -> None:
    prefix = f"gap-{abs(hash(request.node.name))}"
    for name in kept:
        Objects.at(s3.address(prefix)).put(name, b"")
    with results_folder(s3.address(prefix)) as path:
        with pytest.raises(ResultsDamagedError, match=said):
            read_events(path)
        with pytest.raises(ResultsDamagedError, match=said):
            open_log(path)
        assert not is_held(path)


def test_half_a_line_and_a_changed_line_are_damage(s3: S3Server) -> None:
    for prefix, data, said in (("half", b'{"v":1', "ends within a line"), ("changed", b"{}\n", "line 1 is damaged")):
        Objects.at(s3.address(prefix)).put("segments/00000000.jsonl", data)
        with results_folder(s3.address(prefix)) as path, pytest.raises(ResultsDamagedError, match=said) as caught:
            read_events(path)
        assert s3.address(prefix) in str(caught.value)


def test_a_second_writer_is_refused_and_told_who_holds_it(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_BEAT_SECONDS", 0.3)
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.1)
    with results_folder(s3.address("two")) as one, results_folder(s3.address("two")) as two:
        with open_log(one) as log:
            assert is_held(two)
            with pytest.raises(
                ResultsHeldError, match=r"s3://bucket/two is held by a running search \(process \d+ on "
            ):
                open_log(two)
            with pytest.raises(ResultsHeldError, match="held by a comparison"):
                refuse_if_held(two, "a comparison")
            log.append(closing(1))
        assert not is_held(two)
        with open_log(two) as log:
            assert [event.at for event in log.replay()] == [1]


def test_a_dead_writers_lease_is_taken_over(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where it died on this machine, else when the lease has run out by the storage's clock."""
    objects = Objects.at(s3.address("dead"))
    mine = lease._machine()
    objects.put("lease.json", f'{{"machine": "{mine}", "process": 4194304999, "host": "here"}}'.encode())
    with results_folder(s3.address("dead")) as path:
        assert not is_held(path)
        objects.put("lease.json", b'{"machine": "another", "process": 1, "host": "there", "writer": "it"}')
        assert is_held(path)
        monkeypatch.setattr(lease, "_LIFETIME_SECONDS", 2.0)
        monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.1)
        with open_log(path):
            content = objects.read("lease.json")
            assert content is not None and b'"it"' not in content.data
        assert objects.get("lease.json") is None


def test_a_writer_that_was_asleep_is_fenced(s3: S3Server, tmp_path: Path) -> None:
    """Whatever an older writer still believes and sends, nothing of it joins the log."""
    objects = Objects.at(s3.address("asleep"))
    old = SegmentStorage(objects, tmp_path / "old")
    old.lock()
    old.append(b"old\n", sync=True)
    old._lease.abandon()
    objects.delete(["lease.json"])  # as if it had run out
    new = SegmentStorage(objects, tmp_path / "new")
    new.lock()
    for _ in range(2):
        with pytest.raises(ResultsHeldError, match="was taken over by another search"):
            old.append(b"late\n", sync=True)
    old.close()
    new.append(b"new\n", sync=True)
    assert new.read() == read_log(objects) == b"old\nnew\n"
    assert objects.get("lease.json") is not None, "the older one does not remove a lease that is not its own"
    new.close()


def test_a_put_of_a_dead_writer_that_arrives_late_is_part_of_the_log(s3: S3Server, tmp_path: Path) -> None:
    class Late(Objects):
        """The storage as one meets it who lists before a put that is on its way has arrived."""

        late = True

        def create(self, name, data, *, metadata=None):
            if name.startswith("segments/") and self.late:
                self.late = False
                self.put(name, b"late\n", metadata={"writer": "dead"})
            return super().create(name, data, metadata=metadata)

    objects = Late.at(s3.address("late-put"))
    storage = SegmentStorage(objects, tmp_path / "log")
    storage.lock()
    assert storage.read() == b"late\n"
    storage.append(b"next\n", sync=True)
    storage.close()
    assert read_log(objects) == b"late\nnext\n"


def test_after_a_failure_nothing_more_is_written(s3: S3Server, tmp_path: Path) -> None:
    class Failing(Objects):
        fails = False

        def create(self, name, data, *, metadata=None):
            if self.fails:
                self.fails = False
                raise StorageError("it fails")
            return super().create(name, data, metadata=metadata)

    objects = Failing.at(s3.address("failing"))
    storage = SegmentStorage(objects, tmp_path / "log")
    storage.lock()
    storage.append(b"one\n", sync=True)
    objects.fails = True
    for _ in range(2):
        with pytest.raises(StorageError, match="it fails"):
            storage.append(b"two\n", sync=True)
    storage.close()
    assert read_log(objects) == b"one\n"
    assert not (tmp_path / "log").exists()


def test_a_storage_that_ignores_the_condition_is_refused(s3: S3Server, tmp_path: Path) -> None:
    class Ignoring(Objects):
        def create(self, name, data, *, metadata=None):
            self.put(name, data, metadata=metadata)
            return True

    with pytest.raises(StorageError, match="ignores If-None-Match"):
        SegmentStorage(Ignoring.at(s3.address("ignoring")), tmp_path / "log").lock()
    assert Objects.at(s3.address("ignoring")).get("lease.json") is None


def test_a_log_that_was_copied_as_it_lay_elsewhere_is_not_begun_anew(s3: S3Server, tmp_path: Path) -> None:
    objects = Objects.at(s3.address("copied"))
    objects.put("events.jsonl", b"")
    with results_folder(s3.address("copied")) as path, pytest.raises(UsageError, match="as it lay in a folder"):
        open_log(path)
    with results_folder(s3.address("whole")) as path, open_log(path) as log:
        log.append(closing(1))
    for stored in Objects.at(s3.address("whole")).list():
        (tmp_path / stored.name).parent.mkdir(exist_ok=True)
        Objects.at(s3.address("whole")).download(stored.name, tmp_path / stored.name)
    with pytest.raises(UsageError) as caught:
        open_log(tmp_path)
    subprocess.run(str(caught.value).rpartition(": ")[2], shell=True, check=True, cwd=tmp_path)
    with open_log(tmp_path) as log:
        assert list(log.replay()) == [closing(1)]


def test_who_was_taken_over_replaces_nothing_any_more(s3: S3Server) -> None:
    objects = Objects.at(s3.address("over"))
    with results_folder(s3.address("over")) as path, open_log(path) as log:
        log.append(closing(1))
        objects.delete(["lease.json"])  # not what says whose the log is
        log.confirm()
        objects.put("segments/00000002.jsonl", b"", metadata={"writer": "another"})
        with pytest.raises(ResultsHeldError, match="was taken over"):
            log.confirm()
