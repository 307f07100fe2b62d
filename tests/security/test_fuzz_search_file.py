"""Whatever stands in a search file or an override: a search comes out, or an error that says where and what."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.security.budget import effort
from tests.space.searchfiles import OWN, SMALL, WHOLE
from tuner.facts.errors import SearchFileError, UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.leaderboard.where import parse_where
from tuner.space.expressions import evaluate, parse
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

#: What means something to some YAML, to a terminal, to a file system or to Python.
ODD = (
    *(
        "!!python/object/apply:os.system [id]",
        "!!python/name:os.system",
        "!!int foo",
        "!!binary aGk=",
        "!x",
        "!<tag:x>",
    ),
    *("&a", "*a", "<<: {a: 1}", "%YAML 1.1\n---\n", "%TAG ! tag:x:\n---\n", "---\n", "...\n", "? a\n: b\n"),
    *("[" * 60, "{a: " * 60, "]" * 9, "- " * 40, "9" * 5000, "1e999", "-.inf", ".nan", "0x" + "f" * 40, "0o7"),
    *(
        "2026-01-31",
        "yes",
        "~",
        "''",
        '"\\ud800"',
        '"\\0"',
        "\0",
        "\ufeff",
        "\u202e",
        "\x1b[2J",
        "\x85",
        "\u2028",
        "\t",
    ),
    *("../../etc", "~root", "s3://a/b", "file:///etc/passwd", "os:system", "a.b.c:d", "x" * 300, "{min: 1, max: 0}"),
    *("{values: []}", "{values: [1, 1.0, true]}", "{value: {a: [1]}}", "{min: 0.0, max: 1e308, log: true}", "[1, [2]]"),
    *("{min: 1, max: 9223372036854775807}", "{min: 0.0, max: 1.0, step: 1e-300}", "{min: -1e308, max: 1e308}"),
)

_WORD = re.compile(r"[\w.-]+|\S")


@cache
def words_of(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _WORD.finditer(text)]


@st.composite
def changed_files(draw) -> str:
    """A good file of which some words are another's, gone, twice or odd."""
    text = draw(st.sampled_from([WHOLE, SMALL, OWN]))
    for _ in range(draw(st.integers(1, 3))):
        words = words_of(text)
        start, stop = words[draw(st.integers(0, len(words) - 1))]
        other = words[draw(st.integers(0, len(words) - 1))]
        new = draw(st.sampled_from([*ODD, "", text[start:stop] * 2, text[slice(*other)]]))
        text = text[:start] + new + text[stop:]
    return text


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(ODD[-17:])
_KEYS = """
    name trainable results data metric search scheduler resources retries require parameters dataset root goal trials
    seed points time_budget type max_epochs min max log step values value when lr epochs optimizer dropout
"""
KEYS = st.sampled_from(_KEYS.split())
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


def flow(value: object) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if not isinstance(value, float)
        else str(value)
    )


TEXTS = st.one_of(
    changed_files(),
    st.dictionaries(KEYS, TREES, min_size=1, max_size=6).map(
        lambda tree: "\n".join(f"{key}: {flow(value)}" for key, value in tree.items())
    ),
    st.lists(st.sampled_from(ODD) | st.sampled_from(["parameters:\n", "  a: ", "\n", "search: "]), max_size=8).map(
        "".join
    ),
)
FILES = st.one_of(st.binary(max_size=300), TEXTS.map(lambda text: text.encode(errors="surrogatepass")))


def read(content: bytes, *overrides: str) -> SearchFile | None:
    """Read a search file; None where it is refused, which must have been done well."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "mine.py").write_text("raise SystemExit('imported')\ndef train(config):\n    yield {}\n")
        path = Path(folder) / "space.yaml"
        path.write_bytes(content)
        try:
            return read_search_file(path, overrides, trainables=TRAINABLES)
        except SearchFileError as error:
            assert any(problem.severity == "error" for problem in error.problems)
            assert all(problem.message for problem in error.problems)
        except UsageError as error:
            assert str(error)
    return None


@effort(300)
@given(FILES)
def test_a_search_file_is_read_or_refused(content: bytes) -> None:
    file = read(content)
    if file is not None:
        assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,62}", file.name)
        assert Path(file.results).is_absolute() or file.results.startswith("s3://")
        file.settings()
        file.space.size()


@effort(150)
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.tuples(KEYS, KEYS, TREES).map(lambda parts: f"{parts[0]}.{parts[1]}={flow(parts[2])}"),
            st.tuples(KEYS, TREES).map(lambda parts: f"{parts[0]}={flow(parts[1])}"),
            st.sampled_from(ODD),
        ),
        max_size=3,
    )
)
def test_an_override_is_taken_or_refused(overrides: list[str]) -> None:
    read(SMALL.encode(), *overrides)


_WORDS = (
    "a b lr and or not in ( ) [ ] , + - * / == != < <= > >= 1 0 0.5 1e308 9e99 'x' true null __import__ . ; @ ` lambda"
    " a.b a() \n \0 \ud800"
)
CONDITIONS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(_WORDS.split(" ")),
        max_size=14,
    ).map(" ".join),
    st.sampled_from(["(" * 500, "not " * 500, "-" * 500, "1" * 5000, "a==" * 500, "a in [" + "1," * 500, "'" * 99]),
)


@effort(300)
@given(CONDITIONS, st.dictionaries(st.sampled_from(["a", "b", "lr"]), SCALARS))
def test_a_condition_is_read_or_refused_and_runs_nothing(text: str, values: dict) -> None:
    try:
        tree = parse(text)
    except ValueError as error:
        assert str(error)
        with pytest.raises(UsageError):
            parse_where(text)
        return
    parse_where(text)
    assert parse(str(tree)) == tree
    if tree.names <= values.keys():
        with suppress(ValueError):  # values of kinds that cannot be compared
            evaluate(tree, values)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [touch planted]",
        "a: !!python/object/new:subprocess.Popen [[touch, planted]]",
        "parameters: {x: !!python/name:os.system , y: 1}",
        "trainable: os:system\nmetric: {name: a, goal: minimize}\nscheduler: {type: none}\nparameters: {x: 1}",
    ],
)
def test_nothing_in_a_file_runs_while_it_is_read(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read(text.encode()) is None
    assert not (tmp_path / "planted").exists()


def test_a_file_that_names_a_module_is_checked_without_importing_it() -> None:
    file = read(OWN.encode())
    assert file is not None and file.trainable == "mine:train", "its module would have ended this process"


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".", "..", ".a", "", "A", "a\\n", "x" * 64, "a b", "\\u202ea"])
def test_a_name_leads_to_no_other_folder(name: str) -> None:
    assert read(SMALL.encode(), f'name="{name}"') is None
    assert read(f'{SMALL}name: "{name}"\n'.encode()) is None
