"""The runner of a search: folder, data, machine, ledger and Ray Tune brought together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuner.datasets.prepare import prepare
from tuner.datasets.prepared import PreparedData
from tuner.datasets.split_arrays import split_arrays
from tuner.facts.errors import ExitCode, UsageError, relative_to_cwd
from tuner.facts.provenance import versions
from tuner.facts.records import State
from tuner.journal.history import History
from tuner.journal.log import open_log
from tuner.journal.storage import refuse_if_held
from tuner.leaderboard.info import SearchInfo
from tuner.search.ledger import Ledger
from tuner.search.proposer import Proposer
from tuner.search.schedulers import SCHEDULERS
from tuner.space.searchfile import SearchFile
from tuner.study.folder import Folder, differences, portable_settings
from tuner.study.job import Job
from tuner.study.observer import Observer
from tuner.study.publisher import KeptCheckpoints, Publisher
from tuner.study.resources import local_ray, slots
from tuner.study.signals import noted_signals

#: How a driver lets go of a search that has nothing left to do.
DONE = frozenset({"trials", "exhausted", "time_budget"})


@dataclass(frozen=True)
class Outcome:
    """How a search ended for now.

    Attributes:
        folder: Its results folder.
        reason: trials, exhausted, time_budget, aborted, SIGINT or SIGTERM; ``already finished`` if nothing was run.
        code: The exit code of the command.
        error: What the first trials failed with, if the search was aborted.
    """

    folder: Path
    reason: str
    code: ExitCode
    error: str | None = None


def run_search(
    file: SearchFile,
    *,
    resume: bool = False,
    restart: bool = False,
    dry_run: bool = False,
    resume_command: str = "resume=True",
    observer: Observer,
) -> Outcome:
    """Run, resume or restart a search.

    Args:
        file: What to search.
        resume: Go on with a search that was interrupted; starts one where there is none.
        restart: Move an existing folder aside first.
        dry_run: Check all that can be checked; data is decoded into the cache, results are not touched.
        resume_command: What errors tell people to type to resume.
        observer: Shown what happens.
    """
    for warning in file.warnings:
        observer.notice(str(warning))
    folder = Folder(Path(file.results) / file.name)
    refuse_if_held(folder.path)
    exists = folder.exists and not restart
    if exists:
        finished = _compare(folder, file, resume, resume_command)
        if finished and not dry_run:
            return Outcome(folder.path, "already finished", ExitCode.OK)
    observer.notice(f"{file.name}: starting Ray on this machine")
    with local_ray() as machines:
        concurrent = slots(machines, file.resources)
        prepared = _prepare(file, folder if exists else None)
        if dry_run:
            return Outcome(folder.path, f"dry run, {concurrent} trials side by side", ExitCode.OK)
        if restart and folder.exists:
            observer.notice(f"moved the old results to {relative_to_cwd(folder.move_aside())}")
        folder.create()
        return _drive(file, folder, prepared, concurrent, observer)


def _compare(folder: Folder, file: SearchFile, resume: bool, resume_command: str) -> bool:
    """Return whether the search in a folder is finished.

    Raises:
        UsageError: It is another search, or an unfinished one that was not asked to be resumed.
    """
    place = relative_to_cwd(folder.path)
    differing = differences(folder.description()["settings"], portable_settings(file))
    if differing:
        raise UsageError(
            f"{place} holds a search with other settings: {'; '.join(differing)}; "
            "choose another name, or --restart to move it aside"
        )
    history = folder.history()
    if _finished(history, file):
        return True
    if not resume:
        done = sum(trial.end is not None for trial in history.trials.values())
        raise UsageError(
            f"{place} holds an unfinished search ({done} of {file.search.trials} trials ended); "
            f"go on with: {resume_command}"
        )
    return False


def _finished(history: History, file: SearchFile) -> bool:
    if history.closed is None or history.opened is None or history.closed.reason not in DONE:
        return False
    budget = file.search.time_budget
    return {
        "trials": file.search.trials <= len(history.trials),
        "exhausted": True,
        "time_budget": budget is not None and history.active_seconds >= budget,
    }[history.closed.reason]


def _prepare(file: SearchFile, existing: Folder | None) -> PreparedData | None:
    if file.data is None:
        return None
    prepared = prepare(file.data.dataset, Path(file.data.root) if file.data.root else None)
    if existing is not None:
        before = existing.description()["data"]["fingerprint"]
        if prepared.fingerprint != before:
            raise UsageError(
                f"the data set is not the one that this search began with "
                f"(fingerprint {prepared.fingerprint[:12]}, was {before[:12]})"
            )
    split_arrays(  # so that counts which the data cannot give are an error here, and trials find it done
        prepared,
        validation=file.data.validation,
        split_seed=file.data.split_seed,
        train_images=file.data.train_images,
    )
    return prepared


def _drive(
    file: SearchFile, folder: Folder, prepared: PreparedData | None, concurrent: int, observer: Observer
) -> Outcome:
    from tuner.search.executor import execute
    from tuner.study.trainable import TrialRunner

    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space)
    with open_log(folder.path) as log, noted_signals() as received:
        if log.notice:
            observer.notice(log.notice)
        if not (folder.path / "search.json").exists():
            folder.describe(file, info, _data_record(file, prepared), datetime.now(UTC).isoformat(timespec="seconds"))
        _warn_of_versions(folder, observer)
        ledger = Ledger(
            log,
            Proposer(
                file.space,
                algorithm=file.search.algorithm,
                seed=file.search.seed,
                goal=file.metric.goal,
                points=file.search.points,
            ),
            SCHEDULERS[file.scheduler.type](file.scheduler, file.metric.goal),
            goal=file.metric.goal,
            seed=file.search.seed,
            trials=file.search.trials,
            slots=concurrent,
            retries=file.retries,
            time_budget=file.search.time_budget,
        )
        kept = KeptCheckpoints(folder.checkpoints, file.keep_checkpoints, file.metric.goal)
        publisher = Publisher(folder.path, info, ledger, kept)
        publisher.publish(live=True)
        publisher.start()
        observer.started(file, ledger, concurrent)
        ledger.listeners += [publisher.heard, observer.heard]

        def should_stop() -> bool:
            observer.tick()
            return bool(received) or publisher.failure is not None

        try:
            execute(
                ledger,
                TrialRunner,
                _job(file, folder, prepared),
                slots=concurrent,
                cpus=file.resources.cpus_per_trial,
                gpus=file.resources.gpus_per_trial,
                reuse=file.resources.reuse_workers,
                trial_timeout=file.trial_timeout,
                should_stop=should_stop,
            )
        finally:
            observer.ended()
            publisher.stop()
        if publisher.failure is not None:
            raise publisher.failure
        reason = received[0].name if received else _reason(ledger)
        ledger.close(reason)
        publisher.finish()
        return Outcome(folder.path, reason, _code(ledger.history, reason), ledger.hopeless)


def _reason(ledger: Ledger) -> str:
    if ledger.hopeless is not None:
        return "aborted"
    if ledger.out_of_time and not (ledger.exhausted and not ledger.history.unfinished):
        return "time_budget"
    return "trials" if ledger.all_proposed else "exhausted"


def _code(history: History, reason: str = "") -> ExitCode:
    if reason in ("SIGINT", "SIGTERM"):
        return ExitCode[reason]
    states = {trial.state for trial in history.trials.values()}
    if reason == "aborted" or State.COMPLETED not in states:
        return ExitCode.ABORTED
    return ExitCode.TRIAL_FAILED if State.FAILED in states else ExitCode.OK


def _job(file: SearchFile, folder: Folder, prepared: PreparedData | None) -> Job:
    return Job(
        trainable=file.trainable,
        import_paths=(str(file.path.absolute().parent), str(Path.cwd())),
        data=file.data,
        prepared=prepared,
        metric=file.metric.name,
        goal=file.metric.goal,
        max_epochs=file.scheduler.max_epochs,
        folder=folder.path,
        cpus=file.resources.cpus_per_trial,
        gpus=file.resources.gpus_per_trial,
    )


def _data_record(file: SearchFile, prepared: PreparedData | None) -> dict[str, Any] | None:
    """Return what search.json says of the data: its content, never where it lies."""
    if file.data is None or prepared is None:
        return None
    return {
        "dataset": file.data.dataset,
        "fingerprint": prepared.fingerprint,
        "classes": list(prepared.classes),
        "shape": list(prepared.shape),
        "train_count": prepared.train_count,
    }


def _warn_of_versions(folder: Folder, observer: Observer) -> None:
    before, now = folder.description()["versions"], versions()
    changed = [
        f"{name} {before[name]} is now {now[name]}" for name in before if now.get(name, before[name]) != before[name]
    ]
    if changed:
        observer.notice(f"warning: versions changed since this search began: {', '.join(changed)}")
