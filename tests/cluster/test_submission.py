"""What a search takes to a cluster: its address, its files, its command line, its environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.study.searches import prepare
from tuner.cluster.address import job_server_address
from tuner.cluster.job import checked_id
from tuner.cluster.portable import check_portable
from tuner.cluster.submission import command_line, environment, fresh_id
from tuner.facts.errors import SearchFileError, UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.overrides import Flags
from tuner.space.package import MOST_BYTES, packed
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

DIGITS = """
    name: d
    results: /shared/results
    data: {dataset: digits, validation: 300}
    parameters: {epochs: 3, lr: {min: 0.01, max: 0.1, log: true}}
"""


def read(path: Path, *overrides: str, flags: Flags | None = None) -> SearchFile:
    return read_search_file(path, overrides, trainables=TRAINABLES, flags=flags)


def written(folder: Path, text: str = DIGITS) -> Path:
    prepare(folder, space=text)
    return folder / "space.yaml"


@pytest.mark.parametrize("text", ["http://head:8265", "https://head", "http://10.0.0.1:1", "http://[::1]:8265"])
def test_an_address_of_a_job_server(text: str) -> None:
    assert job_server_address(f"{text}/") == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "auto", "head:8265", "foo://head", "ray://head:10001", "http://", "http://head:0", "http://head:99999"),
        *("http://head/path", "http://head?x", "http://head#x", "http://he ad", "http://head\n", "HTTP:head"),
    ],
)
def test_what_is_no_address_of_a_job_server_never_reaches_ray(text: str) -> None:
    with pytest.raises(UsageError, match="is no address of a job server"):
        job_server_address(text)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        job_server_address("http://me:secret@head:8265")
    assert "secret" not in str(refused.value)


def test_the_address_that_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_API_SERVER_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # of a cluster, not of a job server
    with pytest.raises(UsageError, match="--address is missing"):
        job_server_address(None)
    monkeypatch.setenv("RAY_ADDRESS", "http://head:8265")
    assert job_server_address(None) == "http://head:8265"


def test_words_reach_the_search_as_they_were_typed(tmp_path: Path) -> None:
    """The shell of the cluster's head gets one line; nothing in it is a command."""
    (tmp_path / "tuner").write_text('#!/bin/sh\nfor word in "$@"; do printf "%s\\0" "$word"; done\n')
    (tmp_path / "tuner").chmod(0o755)
    folder = tmp_path / "work"
    folder.mkdir()
    path = folder / "-it's $(touch hacked); `touch hacked`.yaml"
    path.write_text((written(folder)).read_text())
    options = ["--set", "parameters.lr={min: 0.1, max: 1}", "--set", 'name="$HOME"; touch hacked', "--results", "/a b"]
    with packed(read(path)) as package:
        line = command_line(package, options)
        done = subprocess.run(
            line, shell=True, env={"PATH": str(tmp_path)}, cwd=folder, capture_output=True, check=False
        )
    words = done.stdout.decode().split("\0")[:-1]
    assert words == ["search", f"./{path.name}", *options, "--resume", "--address", "auto", "--progress", "lines"]
    assert not (folder / "hacked").exists() and done.stderr == b""


def contents(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fill(folder: Path) -> None:
    for name in ("data/table.csv", "results/s/events.jsonl", ".git/config", ".env", "__pycache__/mine.pyc"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text("x")
    (folder / "venv").mkdir()
    (folder / "venv/pyvenv.cfg").touch()
    (folder / "venv/python").touch()
    (folder / "loop").symlink_to(folder)
    (folder / "lost").symlink_to(folder / "nowhere")


def test_the_built_in_trainable_takes_the_search_file_alone(tmp_path: Path) -> None:
    path = written(tmp_path)
    fill(tmp_path)
    with packed(read(path)) as package:
        assert contents(package.folder) == ["space.yaml"] and package.file == Path("space.yaml")
    assert not package.folder.exists()


def test_ones_own_trainable_takes_its_folder_without_results_caches_and_what_is_hidden(tmp_path: Path) -> None:
    prepare(tmp_path)
    fill(tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "results").mkdir()
    file = read(tmp_path / "space.yaml", flags={"results": ("--results", str(tmp_path / "kept" / "results"))})
    (tmp_path / "kept" / "results" / "leaderboard.parquet").touch()
    with packed(file) as package:
        assert contents(package.folder) == ["data/table.csv", "mine.py", "space.yaml"]
        assert (package.folder / package.file).read_text() == (tmp_path / "space.yaml").read_text()


def test_a_module_in_the_current_folder_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(tmp_path)
    (tmp_path / "spaces").mkdir()
    (tmp_path / "space.yaml").rename(tmp_path / "spaces" / "space.yaml")
    monkeypatch.chdir(tmp_path)
    with packed(read(Path("spaces/space.yaml"))) as package:
        assert contents(package.folder) == ["mine.py", "spaces/space.yaml"]
        assert package.file == Path("spaces/space.yaml")


def test_links_are_followed_within_the_folder_and_refused_out_of_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "b").mkdir()
    (source / "a" / "table.csv").write_text("1")
    (source / "a" / "same.csv").symlink_to("table.csv")
    (source / "a" / "to-b").symlink_to("../b")
    (source / "b" / "to-a").symlink_to("../a")  # there and back has no end
    (source / "circle").symlink_to("circle")
    path = written(tmp_path)
    with packed(read(path), source) as package:
        found = contents(package.folder)
        assert found == ["a/same.csv", "a/table.csv", "b/to-a/same.csv", "b/to-a/table.csv", "space.yaml"]
        assert (package.folder / "b/to-a/same.csv").read_text() == "1"
        assert not any(item.is_symlink() for item in package.folder.rglob("*"))
    (tmp_path / "secret").write_text("x")
    for target in (tmp_path / "secret", tmp_path):
        (source / "a" / "out").symlink_to(target)
        with pytest.raises(UsageError, match=r"a/out is a link that leads out of"), packed(read(path), source):
            pass
        (source / "a" / "out").unlink()


def test_a_folder_of_ones_choice(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    with packed(read(path), tmp_path / "images") as package:
        assert contents(package.folder) == ["a.png", "space.yaml"]
    with pytest.raises(UsageError, match="is no folder"), packed(read(path), tmp_path / "nowhere"):
        pass


def test_a_search_file_beside_the_folder_of_ones_choice_goes_along_unless_its_name_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path)
    (tmp_path / "images").mkdir()
    monkeypatch.chdir(tmp_path / "images")
    path = Path("../space.yaml")
    with packed(read(path), Path()) as package:
        assert contents(package.folder) == ["space.yaml"] and package.file == Path("space.yaml")
    Path("space.yaml").write_text("another: file")
    said = r"^\.\./space\.yaml: error: lies outside \., which the job takes along, and another space\.yaml is in there$"
    with pytest.raises(UsageError, match=said), packed(read(path), Path()):
        pass
    with packed(read(Path("../images/../space.yaml")), Path("..")) as package:
        assert "images/space.yaml" in contents(package.folder) and package.file == Path("space.yaml")


def test_a_folder_that_is_too_large_is_said_to_be_before_anything_is_copied(tmp_path: Path) -> None:
    prepare(tmp_path)
    with (tmp_path / "weights.bin").open("wb") as file:
        file.truncate(MOST_BYTES)  # a hole: it takes no room here
    said = r"more than the 100 MB .*weights.bin with 100 MB\); name a smaller folder"
    with pytest.raises(UsageError, match=said), packed(read(tmp_path / "space.yaml")):
        pass


def test_a_file_whose_name_is_no_text_is_named(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / os.fsdecode(b"bad\xff")).touch()
    with pytest.raises(UsageError, match=r"bad.udcff' is no UTF-8 text"), packed(read(tmp_path / "space.yaml")):
        pass


@pytest.mark.parametrize(
    ("changed", "overrides", "said"),
    [
        (
            ("results: /shared/results", "retries: 1"),
            (),
            "space.yaml: error: 'results' is missing: --results, or results: in the file,",
        ),
        (("/shared/results", "here"), (), "space.yaml:3:10: error: 'here' is relative"),
        (("digits,", "folder, root: images,"), (), "the job does not take 'images' along; data.root is an absolute"),
        (("digits,", "cifar10, weights: w.pth,"), (), "the job does not take 'w.pth' along; data.weights is"),
        (("digits,", "folder, root: /nodes/have/it,"), (), None),
        (("digits,", "folder, root: /a,"), ("root=images",), "--set root=images: error: the job does not take"),
        (("/shared/results", "here"), ("results=/shared",), None),
    ],
)
def test_what_the_job_would_not_find_is_an_error_before_anything_is_sent(
    tmp_path: Path, changed: tuple[str, str], overrides: tuple[str, ...], said: str | None
) -> None:
    path = written(tmp_path, DIGITS.replace(*changed))
    with packed(read(path, *overrides)) as package:
        if said is None:
            check_portable(read(path, *overrides), overrides, {}, package)
        else:
            with pytest.raises(SearchFileError) as refused:
                check_portable(read(path, *overrides), overrides, {}, package)
            assert said in str(refused.value)


def test_what_the_job_takes_along_may_be_named_by_a_relative_path(tmp_path: Path) -> None:
    path = written(tmp_path, DIGITS.replace("digits,", "folder, root: images,"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").touch()
    with packed(read(path), tmp_path) as package:
        check_portable(read(path), (), {}, package)


def test_the_environment_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "a=b c")
    monkeypatch.delenv("THERE", raising=False)
    variables = environment(["HERE", "OTHER=x=y", "EMPTY="])
    assert variables == {"HERE": "a=b c", "OTHER": "x=y", "EMPTY": ""}
    for wrong in ("THERE", "1X=2", "A B=1", "=x", "RAY_AUTH_TOKEN=secret", "RAY_AUTH_TOKEN_PATH"):
        with pytest.raises(UsageError) as refused:
            environment([wrong])
        assert "secret" not in str(refused.value)


def test_ids_are_fresh_and_safe_in_an_address() -> None:
    ids = {fresh_id("cifar10") for _ in range(20)}
    assert len(ids) == 20 and all(checked_id(text).startswith("tuner-cifar10-") for text in ids)
    for wrong in ("", "../x", "a/b", "a?b", "-a", "a b", "x" * 129):
        with pytest.raises(UsageError, match="is no id of a job"):
            checked_id(wrong)


def test_the_manifest_is_what_the_command_prints(tmp_path: Path) -> None:
    from tuner.cluster.manifest import ray_job_manifest

    path = written(tmp_path, DIGITS.replace("/shared/results", "s3://bucket/searches"))
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "submit", str(path), "--manifest", "--trials", "7"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ray_job_manifest(read(path, flags={"search.trials": ("--trials", 7)}), ["--trials", "7"])
    assert "--trials 7" in done.stdout
