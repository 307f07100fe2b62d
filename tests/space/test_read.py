"""What a good search file becomes."""

import contextlib
import json
import os
import threading
from pathlib import Path

import pytest

from tests.space.searchfiles import OWN, SMALL, WHOLE, complaints, read, write
from tuner.facts.errors import SearchFileError, UsageError
from tuner.facts.records import Goal
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.domains import Constant, Integer, Listed, Real
from tuner.space.files import read_text
from tuner.space.read import read_search_file, read_settings
from tuner.space.searchfile import Data


def test_everything_that_a_file_says_is_kept(tmp_path):
    file = read(tmp_path, WHOLE)
    assert (file.name, file.trainable, file.retries, file.keep_checkpoints) == ("cifar10", "cifar", 3, 3)
    assert file.text == WHOLE
    assert file.data == Data("cifar10", str(tmp_path / "images"), 5000, 0, None)
    assert file.metric.goal is Goal.MAXIMIZE
    assert file.search.time_budget == 5400
    assert file.search.points == ({"optimizer": "sgd", "lr": 1.0},)
    assert (file.scheduler.max_epochs, file.scheduler.rungs) == (27, (3, 9))
    assert file.warnings == ()
    domains = {
        name: [item.domain for item in parameter.alternatives] for name, parameter in file.space.parameters.items()
    }
    assert domains["epochs"] == [Constant(27)]
    assert domains["batch_size"] == [Listed((128, 256, 512))]
    assert domains["lr"] == [Real(1e-2, 1.0, log=True), Real(1e-4, 1e-2, log=True)]
    assert domains["step_size"] == [Integer(3, 12)]
    assert file.space.parameters["lr"].alternatives[1].when == {"optimizer": ("adamw",)}


def test_a_file_may_say_next_to_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = read(tmp_path, SMALL)
    assert file.name == "space"
    assert file.results == str(tmp_path / "results")
    assert file.data == Data("cifar10", None, 5000, 0, None)
    assert (file.search.algorithm, file.search.trials, file.search.time_budget) == ("tpe", 64, None)
    assert (file.scheduler.grace_period, file.scheduler.rungs) == (1, (1, 3))
    assert file.resources.reuse_workers is True
    assert read(tmp_path, "search:\ndata: null\n" + SMALL) == read(tmp_path, "search:\ndata: null\n" + SMALL)


@pytest.mark.parametrize("address", ["s3://my-bucket", "s3://my-bucket/searches/of/mine", "s3://my.bucket/a_b=c/"])
def test_an_address_of_results_stays_what_it_is(tmp_path, address):
    wanted = address.rstrip("/")
    assert read(tmp_path, f"results: {address}\n{SMALL}").results == wanted
    assert read(tmp_path, SMALL, f"results={address}").results == wanted
    assert read(tmp_path, SMALL, flags={"results": ("--results", address)}).results == wanted
    with pytest.raises(SearchFileError, match=r"^--results s3://B: error: results s3://B has no bucket in 'B'"):
        read(tmp_path, SMALL, flags={"results": ("--results", "s3://B")})


def test_a_trainable_of_ones_own_is_found_and_never_imported(tmp_path):
    file = read(tmp_path, OWN)
    assert file.data is None
    assert (file.metric.name, file.metric.goal) == ("loss", Goal.MINIMIZE)
    assert file.scheduler.rungs == (1, 3)
    assert read(tmp_path, OWN, "scheduler={type: none}").scheduler.max_epochs is None


@pytest.mark.parametrize("place", ["package/mine.py", "package/mine/__init__.py"])
def test_a_trainable_may_lie_in_a_package_beside_the_current_folder(tmp_path, monkeypatch, place):
    code = tmp_path / "code" / place
    code.parent.mkdir(parents=True)
    code.write_text("try:\n    from x import train\nexcept ImportError:\n    train = None\n")
    monkeypatch.chdir(tmp_path / "code")
    assert read(tmp_path, OWN.replace("mine:train", "package.mine:train")).trainable == "package.mine:train"


def test_an_installed_trainable_is_found(tmp_path):
    assert read(tmp_path, OWN.replace("mine:train", "json.decoder:JSONDecoder"))


def test_settings_are_plain_and_tell_searches_apart_but_hold_no_path(tmp_path):
    file = read(tmp_path, WHOLE)
    text = json.dumps(file.settings())
    assert str(tmp_path) not in text
    assert read(tmp_path, WHOLE, "root=elsewhere", "results=there").settings() == file.settings()
    assert read(tmp_path, WHOLE.replace("  #", " #").replace("1.0, ", "1.00,")).settings() == file.settings()
    for override in ("seed=1", "dropout=0.1", "require=[]", "grace_period=1", "parameters.lr=0.1"):
        assert read(tmp_path, WHOLE, override, "points=[]").settings() != file.settings()


def test_integers_become_real_where_the_field_is(tmp_path):
    file = read(
        tmp_path, "parameters: {epochs: 3, dropout: 0, mixup_alpha: {values: [0, 0.2]}, lr: {min: 1, max: 2.5}}"
    )
    config = file.space.configure(lambda _, domain: next(iter(domain)) if isinstance(domain, Listed) else domain.low)
    assert {name: (value, type(value)) for name, value in config.items()} == {
        "epochs": (3, int),
        "dropout": (0.0, float),
        "mixup_alpha": (0.0, float),
        "lr": (1.0, float),
    }


def test_a_list_is_alternatives_only_if_all_its_items_are_mappings(tmp_path):
    file = read(tmp_path, OWN + "  milestones: [10, 20]\n  c: {values: [[1], [1, 2]]}\n  empty: []\n  off: null\n")
    config = file.space.configure(lambda _, domain: domain.values[-1] if isinstance(domain, Listed) else domain.low)
    assert config == {"a": "y", "milestones": [10, 20], "c": [1, 2], "empty": [], "off": None}


def test_yaml_is_read_as_version_1_2(tmp_path):
    text = OWN + "  c: {values: [on, no, 1e-4, 012, 0o17, 0x1F, 1_000, true, '1', null, .5, -3]}\n"
    values = read(tmp_path, text).space.parameters["c"].alternatives[0].domain.values
    assert values == ("on", "no", 1e-4, 12, 15, 31, "1_000", True, "1", None, 0.5, -3)


def test_paths_are_relative_to_the_file_or_on_the_command_line_to_the_current_folder(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    text = "results: out\ndata: {root: images}\n" + SMALL
    file = read(tmp_path, text)
    assert (file.results, file.data.root) == (str(tmp_path / "out"), str(tmp_path / "images"))
    file = read(tmp_path, text, "root=../images", flags={"results": ("--results", "out")})
    assert (file.results, file.data.root) == (str(here / "out"), str(tmp_path / "images"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN + "  c: {min: 0, max: 1}\n", "'c' is 0 or 1 and nothing between"),
        (OWN + "  c: {min: 1e-4, max: 1.0}\n", "'c' spans more than a factor of 100"),
        (SMALL + "scheduler: {grace_period: 9}\n", "reaches the budget of 9 epochs"),
        ("search: {trials: 7}\nparameters: {epochs: 3, flip: {values: [true, false]}}\n", "has 2 configurations"),
        (SMALL + "require: [dropout < -1 or dropout > 0.4999999]\n", "none of a thousand"),
        (
            SMALL + "  optimizer: {values: [sgd, adamw]}\n  lr: {min: 0.1, max: 1.0, when: {optimizer: sgd}}\n",
            "'lr' applies where optimizer is adamw as well, and is left at its default there, 0.001",
        ),
    ],
)
def test_what_looks_like_a_slip_is_a_warning_at_its_place(tmp_path, text, said):
    (warning,) = read(tmp_path, text).warnings
    assert said in warning.message
    assert warning.severity == "warning"
    assert warning.line is not None


def test_no_warning_without_a_reason(tmp_path):
    text = OWN.replace("max_epochs: 9", "type: none, grace_period: 9, max_epochs: 9")
    assert read(tmp_path, text + "  c: {min: 0, max: 500}\n  d: {min: 1, max: 1000, log: true}\n").warnings == ()


def test_what_cannot_be_read_as_a_text_is_one_sentence(tmp_path):
    binary, latin, large, fifo = (tmp_path / name for name in ("a.png", "b.yaml", "c.yaml", "d.yaml"))
    binary.write_bytes(b"\x89PNG\0\0")
    latin.write_bytes("name: caf\xe9".encode("latin-1"))
    large.write_bytes(b"#" * 1_000_001)
    os.mkfifo(fifo)
    for path, said in [
        (tmp_path / "none.yaml", "No such file"),
        (tmp_path, "is a folder"),
        (binary, "binary"),
        (latin, "not text in UTF-8"),
        (large, "at most 1,000,000"),
        (fifo, "not a regular file"),
        (Path("a\0b"), "cannot be read"),
    ]:
        with pytest.raises(UsageError, match=said) as caught:
            read_search_file(path, trainables=TRAINABLES)
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system has no /dev/fd")
@pytest.mark.parametrize(("size", "said"), [(20, None), (1_000_001, "more than 1,000,000 bytes")])
def test_a_pipe_that_a_shell_has_opened_is_read(size, said):
    reading, writing = os.pipe()
    path = Path(f"/dev/fd/{reading}")
    text = "name: piped #".ljust(size, "x")

    def write_all() -> None:
        with os.fdopen(writing, "w") as file, contextlib.suppress(BrokenPipeError):
            file.write(text)

    writer = threading.Thread(target=write_all)
    writer.start()
    try:
        with contextlib.nullcontext() if said is None else pytest.raises(UsageError, match=said):
            assert read_text(path) == text
    finally:
        os.close(reading)
        writer.join()


def test_a_pipes_number_is_no_name():
    reading, writing = os.pipe()
    os.write(writing, b"parameters: {lr: 0.1}\n")
    os.close(writing)
    try:
        with pytest.raises(SearchFileError, match=f"'{reading}' cannot name a search; set 'name'"):
            read_search_file(Path(f"/dev/fd/{reading}"), trainables=TRAINABLES)
    finally:
        os.close(reading)


def test_a_byte_order_mark_and_windows_line_ends_are_text(tmp_path):
    path = write(tmp_path, "")
    path.write_bytes(b"\xef\xbb\xbf" + WHOLE.replace("\n", "\r\n").encode())
    assert read_search_file(path, trainables=TRAINABLES).settings() == read(tmp_path, WHOLE).settings()


@pytest.mark.parametrize("name", ["cifar10", "cifar10-cpu", "quickstart"])
def test_the_shipped_search_files_are_good(name):
    path = Path(__file__).parents[2] / "search_spaces" / f"{name}.yaml"
    file = read_search_file(path, trainables=TRAINABLES)
    assert file.name == name
    assert file.warnings == ()


@pytest.mark.parametrize("text", [WHOLE, SMALL, OWN, SMALL + "  schedule: multistep\n  milestones: [3, 5]\n"])
def test_recorded_settings_read_back_as_the_same_search(tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    file = read(tmp_path, text)
    settings = json.loads(json.dumps(file.settings()))
    again = read_settings(settings, "search.json", ["max_concurrent=3"], trainables=TRAINABLES)
    assert again.resources.max_concurrent == 3
    assert again.space == file.space
    unchanged = read_settings(settings, "search.json", trainables=TRAINABLES)
    assert json.loads(json.dumps(unchanged.settings())) == settings
    with pytest.raises(SearchFileError, match="'trials' must be"):
        read_settings({**settings, "search": {"trials": -1}}, "search.json", trainables=TRAINABLES)


def test_several_metrics_are_read_written_down_and_read_again(tmp_path):
    listed = "metric: [{name: val_accuracy}, {name: train_seconds}, {name: images_per_second, goal: maximize}]\n"
    file = read(tmp_path, listed + SMALL)
    goals = {"val_accuracy": Goal.MAXIMIZE, "train_seconds": Goal.MINIMIZE, "images_per_second": Goal.MAXIMIZE}
    assert {metric.name: metric.goal for metric in file.metrics} == goals
    assert file.metric.name == "val_accuracy"
    assert file.reported == ("images_per_second",)
    again = read_settings(json.loads(json.dumps(file.settings())), "search.json", trainables=TRAINABLES)
    assert again.metrics == file.metrics
    # One in a list is one.
    assert read(tmp_path, "metric: [{name: val_loss}]\n" + SMALL).settings()["metric"] == {
        "name": "val_loss",
        "goal": "minimize",
    }


def test_a_sampler_of_one_metric_is_refused_for_several(tmp_path):
    found = complaints(
        tmp_path, "metric: [{name: val_loss}, {name: train_seconds}]\nsearch: {algorithm: cmaes}\n" + SMALL
    )
    assert found == [(2, 21, "cmaes follows one metric, and there are 2; take one of tpe, gp, nsga2")]
