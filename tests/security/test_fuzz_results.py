"""Whatever lies in a results folder or in a model's: commands answer, or say in one sentence what is damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from tests.leaderboard.logs import INFO, demo, write_search
from tests.security.budget import effort
from tests.security.test_fuzz_log import VALUES
from tests.space.searchfiles import SMALL, read
from tuner.cli.main import main
from tuner.facts.errors import ResultsDamagedError, TunerError, UsageError
from tuner.hyperparameters.table import resolve
from tuner.journal.history import History
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.read import read_leaderboard
from tuner.leaderboard.source import epochs_of, leaderboard_of
from tuner.leaderboard.trial import load_trial
from tuner.leaderboard.write import write_results
from tuner.study.folder import Folder, portable_settings
from tuner.study.model_folder import ModelFolder
from tuner.study.stored import stored_search
from tuner.study.trained_model import TrainedModel
from tuner.training.models import registry


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a good search with all that a folder holds."""
    folder = write_search(tmp_path_factory.mktemp("good") / "results" / "demo", demo())
    settings = portable_settings(read(folder, SMALL))
    (folder / "mine.py").unlink()
    record = {**json.loads((folder / "search.json").read_bytes()), "versions": {}, "commit": None, "data": None}
    (folder / "search.json").write_text(json.dumps({**record, "settings": settings}))
    return folder


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in JSON."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def changes(draw: st.DrawFn, text: bytes) -> bytes:
    """JSON of which a value is another, or which is cut, or has another byte."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        at = draw(st.integers(0, len(text)))
        return text[:at] + draw(st.binary(max_size=3)) + text[at + draw(st.integers(0, 3)) :]
    record = json.loads(text)
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(list(places(record))[1:]))
        holder = record
        for key in path:
            holder = holder[key]
        if kind == 1 and isinstance(holder, dict):
            del holder[last]
        else:
            holder[last] = draw(VALUES)
    return json.dumps(record).encode()


@effort(25)
@given(st.data())
def test_search_json_is_read_or_its_damage_is_said(good: Path, data: st.DataObject) -> None:
    (good / "leaderboard.parquet").unlink(missing_ok=True)
    before = (good / "search.json").read_bytes()
    try:
        (good / "search.json").write_bytes(data.draw(changes(before)))
        for reader in (
            lambda: load_trial(good, 1).config,
            lambda: read_leaderboard(good.parent),
            lambda: Folder(good).description(),
            lambda: stored_search(Folder(good)),
            lambda: epochs_of(good).read(),
        ):
            try:
                reader()
            except TunerError as error:
                assert str(error)
    finally:
        (good / "search.json").write_bytes(before)


@pytest.mark.parametrize("command", ["leaderboard", "show demo/1", "show demo/1 --search-file", "show demo/1 --config"])
@pytest.mark.parametrize("text", ["", "[]", "5", '{"settings": []}', "{" * 5000, "\ud800"])
def test_commands_end_well_whatever_search_json_holds(
    good: Path, tmp_path: Path, command: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(good, folder)
    (folder / "search.json").write_bytes(text.encode(errors="surrogatepass"))
    assert main([*command.split(), "--results", str(tmp_path)]) in (0, 2, 5)


@pytest.mark.parametrize("parameters", [None, [], {"lr": [None]}, {"lr": None}, "all"])
def test_settings_without_parameters_are_damage(good: Path, tmp_path: Path, parameters: object) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(good, folder)
    record = json.loads((folder / "search.json").read_bytes())
    record["settings"]["parameters"] = parameters
    (folder / "search.json").write_text(json.dumps(record))
    with pytest.raises(ResultsDamagedError, match="holds no settings"):
        stored_search(Folder(folder))


@effort(25)
@given(st.data())
def test_a_changed_parquet_file_is_never_read_as_other_data(good: Path, data: st.DataObject) -> None:
    """Every page has a checksum; the footer has none, and a changed one brings no traceback."""
    folder = good.parent.parent / "published" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("search.json", "leaderboard.parquet", "epochs.parquet"):
        if not (good / name).exists():
            write_results(good, History(demo()), INFO, live=False, kept={})
        shutil.copyfile(good / name, folder / name)
    expected = leaderboard_of(folder).read().to_pydict()
    path = folder / "leaderboard.parquet"
    content = bytearray(path.read_bytes())
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    in_pages = True
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        in_pages = in_pages and at < footer
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.integers(0, 4)) == 0:
        del content[data.draw(st.integers(0, len(content))) :]
    path.write_bytes(content)
    try:
        table = leaderboard_of(folder).read()
    except (ResultsDamagedError, UsageError):
        return
    assert not in_pages or table.to_pydict() == expected


@effort(20)
@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), st.data())
def test_somebody_elses_description_in_parquet(good: Path, description: dict[str, Any], data: st.DataObject) -> None:
    base = {"version": 1, **INFO.to_json(), "live": False, "log_bytes": 0}
    if data.draw(st.booleans()):
        description = {**base, **{key: data.draw(VALUES) for key in data.draw(st.lists(st.sampled_from(sorted(base))))}}
    table = pa.table({"number": [1], "state": ["running"]})
    text = json.dumps(description).encode()
    folder = good.parent.parent / "foreign" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("leaderboard.parquet", "epochs.parquet"):
        pq.write_table(table.replace_schema_metadata({b"tuner": text}), folder / name)
    for command in ("leaderboard", "show demo/1", "leaderboard --json"):
        assert main([*command.split(), "--results", str(folder.parent)]) in (0, 2, 5)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small model."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    folder.mkdir()
    config = resolve({"model": "mlp", "width": 4, "depth": 1, "epochs": 1}).as_config()
    network = registry.build(resolve(config), (1, 8, 8), 3)
    save_file(network.state_dict(), folder / "model.safetensors")
    description = {
        "version": 1,
        "config": config,
        "classes": ["a", "b", "c"],
        "image_shape": [1, 8, 8],
        "normalization": {"mean": [0.5], "std": [0.2]},
    }
    (folder / "config.json").write_text(json.dumps(description))
    TrainedModel.load(ModelFolder(folder), torch.device("cpu"))
    return folder


@effort(40)
@given(st.data())
def test_a_model_is_loaded_or_its_damage_is_said(model: Path, data: st.DataObject) -> None:
    before = {name: (model / name).read_bytes() for name in ("config.json", "model.safetensors")}
    try:
        if data.draw(st.booleans()):
            (model / "config.json").write_bytes(data.draw(changes(before["config.json"])))
        else:
            content = bytearray(before["model.safetensors"])
            for _ in range(data.draw(st.integers(1, 3))):
                content[data.draw(st.integers(0, min(len(content), 600) - 1))] = data.draw(st.integers(0, 255))
            (model / "model.safetensors").write_bytes(content)
        try:
            TrainedModel.load(ModelFolder(model), torch.device("cpu"))
        except ResultsDamagedError as error:
            assert str(error)
    finally:
        for name, content in before.items():
            (model / name).write_bytes(content)


@effort(100)
@given(VALUES)
def test_a_description_is_read_or_refused(value: object) -> None:
    good = INFO.to_json()
    for record in (value, {**good, "search": value}, {**good, "metric": value}, {**good, "hyperparameters": value}):
        try:
            SearchInfo.from_json(record)  # type: ignore[arg-type]
        except ResultsDamagedError:
            continue
