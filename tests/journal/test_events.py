"""One line of the log: what goes in comes out, and no changed byte goes unseen."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.facts.records import Decision, Origin, State
from tuner.journal.events import (
    EVENTS,
    Add,
    Ask,
    Close,
    End,
    Epoch,
    Event,
    Extend,
    Open,
    Respace,
    Retry,
    Rung,
    Start,
    decode,
    encode,
)

ONE_OF_EACH: list[Event] = [
    Open(at=1.0, slots=2, trials=10),
    Extend(at=1.5, trials=12, request="extend-1.json"),
    Add(at=1.6, config={"lr": 0.1}, trials=13),
    Respace(at=1.7, stage=1, renamed={"lr": "learning_rate"}, dropped=(0, 2)),
    Ask(at=2.0, n=0, config={"lr": 1e-5, "model": "ü\n", "flip": True, "milestones": [1, 2]}, origin=Origin.SAMPLER),
    Start(at=2.5, n=0, attempt=1, node="alpha", device="cpu"),
    Epoch(
        at=3.0,
        n=0,
        attempt=1,
        epoch=1,
        score=0.1 + 0.2,
        metrics={"a": None},
        seconds=1.0,
        memory_mb=None,
        checkpoint=None,
    ),
    Rung(at=3.1, n=0, attempt=1, epoch=1, value=0.3, decision=Decision.CONTINUE),
    Retry(at=4.0, n=0, attempt=2, reason="lost", lost=True),
    End(at=5.0, n=0, attempt=2, state=State.COMPLETED, stop_reason="budget"),
    Close(at=6.0, reason="trials", seconds=5.0),
]


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type)
def test_what_goes_in_comes_out(event: Event) -> None:
    line = encode(event)
    assert decode(line) == event
    assert line.count(b"\n") == 1
    record = json.loads(line)
    assert {"v", "type", "n", "attempt", "crc"} <= set(record)
    assert (record["v"], record["type"]) == (1, event.type)


def test_every_type_of_event_is_among_them() -> None:
    assert {event.type for event in ONE_OF_EACH} == set(EVENTS)


@given(
    st.dictionaries(
        st.text(),
        st.one_of(
            st.none(),
            st.booleans(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(),
            st.text(st.characters(exclude_categories=["Cs"])),
        ),
    ),
)
def test_every_configuration_survives(config: dict[str, object]) -> None:
    event = Ask(
        at=0.0,
        n=1,
        config={key.encode(errors="ignore").decode(): value for key, value in config.items()},
        origin=Origin.RANDOM,
    )
    assert decode(encode(event)) == event


@given(st.sampled_from(ONE_OF_EACH), st.data())
def test_no_changed_byte_goes_unseen(event: Event, data: st.DataObject) -> None:
    line = encode(event)[:-1]
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != line[at]))
    with pytest.raises(ValueError, match="checksum"):
        decode(line[:at] + bytes([byte]) + line[at + 1 :])


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1}])
def test_what_is_not_json_is_refused_before_it_is_written(value: object) -> None:
    with pytest.raises(ValueError):
        encode(Ask(at=0.0, n=0, config={"lr": value}, origin=Origin.POINT))


def test_a_line_of_an_earlier_version_is_read() -> None:
    import zlib

    body = b'{"v":1,"type":"open","at":1.0,"n":null,"attempt":null,"slots":2,"trials":10}'
    assert decode(body[:-1] + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode()) == ONE_OF_EACH[0]


@pytest.mark.parametrize("change", [{"v": 2}, {"type": "news"}, {"more": 1}])
def test_a_line_of_a_later_version_is_refused(change: dict[str, object]) -> None:
    import zlib

    record = {key: value for key, value in json.loads(encode(ONE_OF_EACH[0])).items() if key != "crc"}
    body = json.dumps({**record, **change}, separators=(",", ":")).encode()
    with pytest.raises(ValueError, match="does not know"):
        decode(body[:-1] + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode())
