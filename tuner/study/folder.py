"""The results folder of a search: made, recognized, compared with what is asked for now."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.facts.errors import ResultsDamagedError, ResultsHeldError, StorageError, UsageError, relative_to_cwd
from tuner.facts.provenance import commit, versions
from tuner.journal.history import History
from tuner.journal.links import regular_file
from tuner.journal.lock import refuse_if_held
from tuner.journal.log import Log, open_log, read_events
from tuner.journal.storage import FileStorage, write_atomically, write_json
from tuner.leaderboard.info import SearchInfo
from tuner.space.chosen import completed
from tuner.space.searchfile import Search, SearchFile
from tuner.storage.copies import fetch, origin

FORMAT_VERSION = 1

#: Settings that may differ when a search is resumed; `search.trials` may grow, `data.root` must hold the same images.
MAY_DIFFER = frozenset(
    {
        "search.trials",
        "search.time_budget",
        "search.epoch_budget",
        "search.gpu_hours",
        "search.min_improvement",
        "search.replicates",
        "resources.max_concurrent",
        "resources.cpus_per_trial",
        "resources.gpus_per_trial",
        "retries",
        "results",
        "data.root",
    }
)

#: What a driver that was killed while it made a folder may leave behind, here and on object storage.
_BEGINNINGS = {".lock", "events.jsonl", "space.yaml"}
_BEGINNINGS_STORED = {"lease.json", "segments", "space.yaml"}

#: Key of search.json, which is there if a driver with other versions went on: what each such driver ran with.
_RESUMED = "resumed_with"


#: Key of search.json, which is there if the search took configurations over from earlier ones: these, in their order.
WARM_POINTS = "warm_points"


class Folder:
    """One search's folder under ``results``, or the working copy of one on object storage."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = path / "checkpoints"

    @property
    def exists(self) -> bool:
        """Whether a search lies in it.

        Raises:
            UsageError: Something else does.
            StorageError: The object storage fails.
        """
        if fetch(self.path / "search.json"):
            return True
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{relative_to_cwd(self.path)} is a file, not a results folder")
        strange = self._strange()
        if strange:
            raise UsageError(f"{relative_to_cwd(self.path)} holds '{strange[0]}' but no search; choose another name")
        return False

    def _strange(self) -> list[str]:
        if (found := origin(self.path)) is not None:
            objects, name = found
            return [child for child in objects.below(name).children() if child not in _BEGINNINGS_STORED]
        if not self.path.is_dir():
            return []
        names = (item.name for item in self.path.iterdir())
        return sorted(name for name in names if name not in _BEGINNINGS and not name.endswith(".tmp"))

    def description(self) -> dict[str, Any]:
        """Return what search.json holds.

        Raises:
            ResultsDamagedError: It is not what was written.
        """
        path = self.path / "search.json"
        try:
            record: dict[str, Any] = json.loads(regular_file(path).read_text(encoding="utf-8"))
            parts = ("settings", "versions")
            resumed = [part["versions"] for part in record[_RESUMED]] if _RESUMED in record else []
            tables = [*(record[part] for part in parts), *resumed]
            if record["version"] != FORMAT_VERSION or not all(isinstance(table, dict) for table in tables):
                raise ValueError("it is of a form that this program does not know")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ResultsDamagedError(f"{relative_to_cwd(path)} is damaged: {error}") from error
        return record

    def history(self) -> History:
        """Return what the log says, without locking it."""
        return History(read_events(self.path))

    @contextlib.contextmanager
    def writer(self) -> Iterator[Log]:
        """Make the folder where it is missing and be its only writer; what was made for nothing is removed again.

        On object storage an empty segment of a log stays: it may be what keeps an older writer out.

        Raises:
            ResultsHeldError: Another driver writes to it.
            StorageError: It cannot be made.
        """
        parent_existed = self.path.parent.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{relative_to_cwd(self.path)} cannot be made: {error.strerror}") from error
        with self._opened_log() as log:
            try:
                yield log
            finally:
                if not (self.path / "search.json").exists():
                    self._unmake(parent_existed)

    def _opened_log(self) -> Log:
        try:
            return open_log(self.path)
        except StorageError:
            if self.path.exists():
                raise
            place = relative_to_cwd(self.path)
            raise ResultsHeldError(f"{place} was moved by another driver while this one started") from None

    def _unmake(self, parent_existed: bool) -> None:
        for name in _BEGINNINGS:
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # somebody else's files stay
            self.path.rmdir()
            if not parent_existed:
                self.path.parent.rmdir()

    def describe(
        self,
        file: SearchFile,
        info: SearchInfo,
        data: Mapping[str, Any] | None,
        created_at: str,
        warm_points: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Write space.yaml and search.json; the latter makes the folder a search."""
        record = {
            "version": FORMAT_VERSION,
            **info.to_json(),
            "created_at": created_at,
            "settings": portable_settings(file),
            "data": data,
            **({WARM_POINTS: list(warm_points)} if warm_points else {}),
            "versions": versions(),
            "commit": commit(),
        }
        write_atomically(self.path / "space.yaml", file.text.encode())
        write_json(self.path / "search.json", record)

    def note_driver(self, search: Search, trials: int, at: str) -> None:
        """Write down in search.json what a driver runs with, where that differs: its limits, and its versions.

        Args:
            search: What it was asked for.
            trials: How many trials have been proposed; those that follow, and what is left of these, run with it.
            at: When, as ``created_at``.

        Raises:
            ResultsDamagedError: The file is not what was written.
            StorageError: It cannot be written.
        """
        record, now = self.description(), versions()
        settings, resumed = record["settings"], record.get(_RESUMED, [])
        changed = {**record, "settings": {**settings, "search": {**settings["search"], **search.limits}}}
        if (resumed or [record])[-1]["versions"] != now:
            entry = {"at": at, "trials": trials, "versions": now, "commit": commit()}
            changed[_RESUMED] = [*resumed, entry]
        if changed != record:
            write_json(self.path / "search.json", changed)

    def move_aside(self) -> Path:
        """Rename the folder to the first free ``<name>.<k>``; returns its new path.

        Raises:
            ResultsHeldError: Another driver, a comparison or a final training writes to it.
            UsageError: It lies on object storage.
        """
        if origin(self.path) is not None:
            raise UsageError(
                f"--restart moves no results on object storage; choose another --name than {self.path.name}"
            )
        for lock in self.path.glob("*/**/.lock"):
            refuse_if_held(lock.parent, "a comparison or a final training")
        k = 1
        while (aside := self.path.with_name(f"{self.path.name}.{k}")).exists():
            k += 1
        storage = FileStorage(self.path)
        storage.lock()
        try:
            return self.path.rename(aside)
        finally:
            storage.close()


def portable_settings(file: SearchFile) -> dict[str, Any]:
    """Return the resolved settings without paths of this machine: a copied folder resumes elsewhere."""
    settings = file.settings()
    settings.pop("results", None)
    return settings


def respaced(settings: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the space of others, and their points, which lie in it."""
    search = {**settings["search"], "points": now["search"]["points"]}
    return {**settings, "parameters": now["parameters"], "require": now["require"], "search": search}


def differences(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return a phrase for each setting that differs and may not, such as ``search.seed (0, now 1)``.

    A setting that an earlier version did not have is at its default.
    """
    old, new = dict(_flat(completed(stored))), dict(_flat(wanted))
    found = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) == new.get(key) or key in MAY_DIFFER:
            continue
        found.append(f"{key} ({_spelled(old, key)}, now {_spelled(new, key)})")
    before, now = old.get("search.trials", 0), new.get("search.trials", 0)
    if now < before:
        found.append(f"search.trials ({before}, now {now}: it may only grow)")
    return found


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        # A parameter's entry is one thing: naming its parts would read worse than naming the whole.
        if isinstance(value, Mapping) and prefix in ("", "data.", "search."):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _spelled(settings: Mapping[str, Any], key: str) -> str:
    return json.dumps(settings[key]) if key in settings else "absent"
