"""Whatever lies where a log should lie: events come out, or one sentence about damage."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.leaderboard.logs import INFO, demo
from tests.security.budget import effort
from tuner.facts.errors import ResultsDamagedError
from tuner.facts.records import Goal
from tuner.journal.events import EVENTS, decode, encode
from tuner.journal.history import History
from tuner.journal.log import events_of, read_events
from tuner.leaderboard.formats import FORMATS
from tuner.leaderboard.source import epochs_of, leaderboard_of

GOOD = [encode(event) for event in demo()]

#: What JSON can say, Python's further words for numbers included.
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 4)
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["completed", "stop", "random", "../..", "a1-e1", "\x1b[2J", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def line(record: dict) -> bytes:
    """Return a line with a good checksum, whatever it says."""
    body = json.dumps(record, separators=(",", ":")).encode()
    return body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body)


@st.composite
def forged_lines(draw) -> bytes:
    """A good line in which some values are others, or in which a key is missing or too many."""
    record = json.loads(draw(st.sampled_from(GOOD)))
    del record["crc"]
    for name in draw(st.lists(st.sampled_from(sorted(record)), max_size=2)):
        record[name] = draw(VALUES)
    if draw(st.integers(0, 9)) == 0:
        record.pop(draw(st.sampled_from(sorted(record))))
    return line(record)


LOGS = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(GOOD), max_size=30).map(b"".join),
    st.permutations(GOOD).map(b"".join),
    st.lists(forged_lines(), max_size=12).map(b"".join),
    st.tuples(st.just(b"".join(GOOD)), st.integers(0, 4000), st.binary(max_size=4)).map(
        lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] + len(parts[2]) :]
    ),
)


@effort(200)
@given(forged_lines())
def test_an_event_holds_what_its_class_says(forged: bytes) -> None:
    try:
        event = decode(forged)
    except ValueError:
        return
    assert decode(encode(event)) == event
    assert History([event]).apply(event) in (True, False)


@effort(100)
@given(LOGS, st.sampled_from(Goal))
def test_only_damage_is_said_of_a_log(data: bytes, goal: Goal) -> None:
    try:
        history = History(events_of(data))
    except ResultsDamagedError as error:
        assert "\n" not in str(error)
        return
    copy = history.snapshot()
    for trial in copy.trials.values():
        trial.best(goal)
    assert [trial.number for trial in copy.unfinished] == [trial.number for trial in history.unfinished]


@effort(40)
@given(LOGS)
def test_a_leaderboard_is_rebuilt_from_any_log_or_its_damage_is_named(data: bytes) -> None:
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "search.json").write_text(json.dumps({"version": 1, **INFO.to_json()}))
        (folder / "events.jsonl").write_bytes(data)
        for source_of in (leaderboard_of, epochs_of):
            try:
                source = source_of(folder)
                rows = source.read().to_pylist()
            except ResultsDamagedError:
                continue
            for write in FORMATS.values():
                write(source.info, source.file.schema_arrow.names, rows)


@pytest.mark.parametrize("bomb", [b"[" * 100_000, b'{"a":' * 100_000, b'{"v":' + b"9" * 100_000])
def test_a_bomb_in_json_is_damage(tmp_path: Path, bomb: bytes) -> None:
    body = bomb + b"}"
    (tmp_path / "events.jsonl").write_bytes(body[:-1] + b',"crc":"%08x"}\n' % zlib.crc32(body))
    with pytest.raises(ResultsDamagedError, match="line 1 is damaged"):
        read_events(tmp_path)


@pytest.mark.parametrize("name", ["../../elsewhere", "/etc", "..", "", ".hidden", "a/b", "a\0b", "a\n"])
def test_a_checkpoint_in_the_log_names_nothing_outside(name: str) -> None:
    record = json.loads(next(item for item in GOOD if b'"epoch-1"' in item))
    del record["crc"]
    assert decode(line(record)).checkpoint == "epoch-1"
    with pytest.raises(ValueError, match="checkpoint"):
        decode(line({**record, "checkpoint": name}))


def test_numbers_of_trials_are_numbers() -> None:
    for event_type in set(EVENTS) - {"open", "close"}:
        for n in ("../..", -1, True, 1.0, 2**63):
            with pytest.raises(ValueError):
                decode(line({**json.loads(GOOD[1]), "type": event_type, "n": n}))
