"""The folder of a trained model, and the hidden one beside it that holds a training which has not finished.

    models/<number>/model.safetensors    the weights of the first seed
    models/<number>/config.json          all that is needed to build the model and to feed it images
    models/<number>/metrics.json         the test scores, curves and diagnostics of every seed, and their summary
    models/.<number>/                    config.json, and for each seed its checkpoint and, once trained, its result

A model is complete under its final name or it is not there. On object storage, where nothing is renamed, config.json
comes last and makes a folder a model; a training that has not finished is put there after each epoch.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, StorageError, UsageError, relative_to_cwd
from tuner.journal.links import regular_file
from tuner.journal.lock import FolderLock
from tuner.journal.storage import make_durable, write_atomically
from tuner.storage.copies import attach, fetch, origin, remove
from tuner.study.folder import differences

FORMAT_VERSION = 1

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"

#: config.json of a model, below a results folder: of a search's trial, or of a configuration of its own.
_MODEL = re.compile(rf"(?:([^/]+)/)?models/([^./][^/]*)/{re.escape(CONFIG_FILE)}")


class ModelFolder:
    """Where one model lies, or will."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f".{path.name}")
        self._lock = FolderLock(self.partial, "another tuner train")

    @property
    def finished(self) -> bool:
        """Whether a model lies in it."""
        return fetch(self.path / CONFIG_FILE)

    def description(self) -> dict[str, Any]:
        """Return what config.json of the finished model holds; raises ``ResultsDamagedError``."""
        return _read(self.path / CONFIG_FILE)

    def metrics(self) -> dict[str, Any]:
        """Return what metrics.json of the finished model holds; raises ``ResultsDamagedError``."""
        return _read(self.path / METRICS_FILE)

    @contextlib.contextmanager
    def writer(self) -> Iterator[None]:
        """Be the only one that trains this model.

        The hidden folder goes once the model is finished, and where nothing was begun: what is refused leaves no trace.

        Raises:
            ResultsHeldError: Another process trains it.
            StorageError: The folders cannot be made.
        """
        try:
            self.partial.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            raise StorageError(f"{relative_to_cwd(self.partial)} cannot be written: {error.strerror}") from error
        try:
            yield
            self._lock.confirm()
            remove(self.partial)
        finally:
            if not any(path.is_dir() or path.name == CONFIG_FILE for path in self.partial.glob("*")):
                shutil.rmtree(self.partial, ignore_errors=True)
            self._lock.release()

    def confirm(self) -> None:
        """Called by the writer before what was trained is put in its place; raises as ``FolderLock.confirm`` does."""
        self._lock.confirm()

    def refuse_other(self, settings: Mapping[str, Any]) -> None:
        """Compare with the model that lies here, or with the training that was interrupted.

        Args:
            settings: What makes two trainings the same one; config.json holds it beside other things.

        Raises:
            UsageError: It has other settings; the text names each difference.
        """
        file = (self.path if self.finished else self.partial) / CONFIG_FILE
        if not fetch(file):
            return
        before = read_json(file)
        if changed := differences({key: before.get(key) for key in settings}, settings):
            state = "a model" if self.finished else "an unfinished model"
            anew = "--restart keeps it aside and trains anew"
            if origin(file) is not None:
                anew = f"remove {relative_to_cwd(file.parent)} to train anew"
            raise UsageError(f"{relative_to_cwd(self.path)} is {state} of other settings: {', '.join(changed)}; {anew}")

    def begin(self, description: Mapping[str, Any]) -> None:
        """Note what is trained, unless that has been done."""
        if not self.finished and not fetch(self.partial / CONFIG_FILE):
            write_json(self.partial / CONFIG_FILE, description)

    def finish(self, weights: Path, metrics: Mapping[str, Any]) -> None:
        """Put the model in its place, or replace the metrics of one that is there by those of more seeds."""
        self.confirm()
        if self.finished:
            write_json(self.path / METRICS_FILE, metrics)
            return
        fetch(weights)
        whole = self.partial / "model" if origin(self.path) is None else self.path
        try:
            shutil.rmtree(whole, ignore_errors=True)
            whole.mkdir()
            write_atomically(whole / WEIGHTS_FILE, weights.read_bytes())
            write_json(whole / METRICS_FILE, metrics)
            write_atomically(whole / CONFIG_FILE, (self.partial / CONFIG_FILE).read_bytes())
            if whole != self.path:
                whole.rename(self.path)
                make_durable(self.path.parent)
        except OSError as error:
            raise StorageError(f"{relative_to_cwd(self.path)} cannot be written: {error.strerror}") from error

    def set_aside(self) -> Path | None:
        """Forget an unfinished training, and rename a finished model to the first free ``<number>.<k>``.

        Called by the writer. Returns the model's new path, None where there was none.

        Raises:
            UsageError: It lies on object storage, where nothing is renamed.
        """
        if origin(self.path) is not None:
            raise UsageError(f"--restart moves nothing on object storage; remove {relative_to_cwd(self.path)} instead")
        for left in self.partial.iterdir():
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name == CONFIG_FILE:
                left.unlink()
        if not self.finished:
            return None
        k = 1
        while (aside := self.path.with_name(f"{self.path.name}.{k}")).exists():
            k += 1
        return self.path.rename(aside)


def find_model(text: str, results: Path) -> ModelFolder:
    """Return a model by its folder, or as ``NAME/NUMBER`` or ``NAME-NUMBER`` below the results folder.

    Args:
        text: What names it; its folder may be an address on object storage.
        results: The results folder, or a working copy.

    Raises:
        UsageError: There is none; the text lists those that there are.
        StorageError: The object storage fails.
    """
    named = [text.strip("/").rpartition(separator) for separator in "/-"]
    of_trial = [results / name / "models" / number for name, _, number in named]
    places = [attach(text), *of_trial, results / "models" / text]
    for place in places:
        if fetch(place / CONFIG_FILE):
            return ModelFolder(place)
    there_are = _models(results)
    hint = f"there are {', '.join(sorted(there_are))}" if there_are else "'tuner train' makes one"
    raise UsageError(f"no model in '{text}' ({CONFIG_FILE} is missing there); {hint}")


def _models(results: Path) -> list[str]:
    """Return the names of the models below a results folder, as ``find_model`` takes them."""
    if (found := origin(results)) is None:
        files = [file for folder in ("*/models", "models") for file in results.glob(f"{folder}/*/{CONFIG_FILE}")]
        names = [file.relative_to(results).as_posix() for file in files]
    else:
        objects = found[0].below(found[1])
        folders = [f"{child}/models/" for child in objects.children()]
        names = [stored.name for folder in ("models/", *folders) for stored in objects.list(folder)]
    matches = [match for name in names if (match := _MODEL.fullmatch(name)) is not None]
    return [f"{match[1]}/{match[2]}" if match[1] else match[2] for match in matches]


def _read(path: Path) -> dict[str, Any]:
    fetch(path)
    return read_json(path)


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object of this version, without its version.

    Raises:
        ResultsDamagedError: It is not what was written.
    """
    try:
        record = json.loads(regular_file(path).read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            raise TypeError("it holds no JSON object")
        if record.pop("version") != FORMAT_VERSION:
            raise ValueError("it is of a form that this program does not know")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultsDamagedError(f"{relative_to_cwd(path)} is damaged: {error}") from error
    return record


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Replace a file by a JSON object of this version, atomically; raises ``StorageError``."""
    text = json.dumps({"version": FORMAT_VERSION, **record}, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode() + b"\n")
