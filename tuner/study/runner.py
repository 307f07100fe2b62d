"""The runner of a search: folder, data, machine, ledger and Ray Tune brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuner.datasets.split_arrays import split_arrays
from tuner.facts.errors import ExitCode, relative_to_cwd
from tuner.facts.printable import printable
from tuner.facts.provenance import versions
from tuner.facts.words import counted
from tuner.journal.lock import refuse_if_held
from tuner.journal.log import Log
from tuner.leaderboard.info import SearchInfo
from tuner.search.ledger import Ledger
from tuner.search.proposer import Proposer
from tuner.search.schedulers.registry import scheduler_of
from tuner.search.stages import Stage, Stages
from tuner.space.change import Change
from tuner.space.points import refusal
from tuner.space.searchfile import SearchFile
from tuner.storage.copies import attach
from tuner.study.drive import drive, exit_code
from tuner.study.folder import Folder
from tuner.study.join import checked_address
from tuner.study.observer import Observer, Work
from tuner.study.preparation import data_record, job_of, prepare_data, prepare_weights
from tuner.study.publisher import KeptCheckpoints, Publisher
from tuner.study.requests import Requests
from tuner.study.resume import finished_by
from tuner.study.signals import CaughtSignals, caught_signals
from tuner.study.spaces import put_space, stages_of, with_all_columns
from tuner.study.warm_start import choose_warm_points
from tuner.study.workplace import Prepared, Workplace, workplace


@dataclass(frozen=True)
class Outcome:
    """How a search ended for now.

    Attributes:
        folder: Its results folder; on object storage a working copy, good for reading while this process lives.
        reason: trials, exhausted, the name of a limit (see ``tuner.search.limits``), aborted, stopped (as ``tuner
            stop`` asked), paused (as ``tuner pause`` asked), SIGINT or SIGTERM; for a dry run what it found.
        code: The exit code of the command.
        error: What the first trials failed with, if the search was aborted.
        already_finished: Whether there was nothing to do.
    """

    folder: Path
    reason: str
    code: ExitCode
    error: str | None = None
    already_finished: bool = False


def run_search(
    file: SearchFile,
    *,
    resume: bool = False,
    restart: bool = False,
    dry_run: bool = False,
    resume_command: str = "resume=True",
    more: int = 0,
    change: Change | None = None,
    address: str | None = None,
    observer: Observer,
) -> Outcome:
    """Run, resume or restart a search.

    Args:
        file: What to search.
        resume: Go on with a search that was interrupted; starts one where there is none.
        restart: Move an existing folder aside first.
        dry_run: Check all that can be checked; data is decoded into the cache, results are not touched.
        resume_command: What errors tell people to type to resume.
        more: How many more trials are wanted than the log says.
        change: How the file's space follows from the search's, where it takes its place.
        address: A Ray cluster to run on: ``auto``, HOST or HOST:PORT; None for this machine.
        observer: Shown what happens.
    """
    if address is not None:
        checked_address(address)
    for warning in file.warnings:
        observer.notice(str(warning))
    folder = Folder(attach(file.results) / file.name)
    refuse_if_held(folder.path)
    if folder.exists and not restart:
        reason = finished_by(folder, file, resume, resume_command, more=more, changed=change is not None)
        if reason is not None and not dry_run:
            return Outcome(folder.path, reason, ExitCode.OK, already_finished=True)
    # Before anything is moved aside or made, so that what is wrong with it costs nothing.
    warm_points = choose_warm_points(file, observer) if restart or not folder.exists else []
    with caught_signals() as signals:
        if dry_run:
            with workplace(file, file.name, address, observer, lambda: _prepare(file, folder)) as place:
                return Outcome(folder.path, f"dry run, {counted(place.slots(), 'trial')} side by side", ExitCode.OK)
        if restart and folder.exists:
            observer.notice(f"moved the old results to {relative_to_cwd(folder.move_aside())}")
        requests = Requests(folder.path, observer.notice)
        with folder.writer() as log:
            # Looked at again: another driver may have come first.
            if folder.exists:
                reason = finished_by(folder, file, resume, resume_command, more=more, changed=change is not None)
                if reason is not None:
                    return Outcome(folder.path, reason, ExitCode.OK, already_finished=True)
            with (
                requests,
                workplace(file, file.name, address, observer, lambda: _prepare(file, folder)) as place,
            ):
                signals.note()
                return _drive(
                    file,
                    folder,
                    log,
                    place,
                    requests,
                    more=more,
                    change=change,
                    warm_points=warm_points,
                    signals=signals,
                    observer=observer,
                )


def _prepare(file: SearchFile, folder: Folder) -> Prepared:
    existing = folder if folder.exists else None
    prepared = prepare_data(file, existing)
    weights = prepare_weights(file, existing)
    if file.data is not None and prepared is not None:
        split_arrays(  # so that counts which the data cannot give are an error here, and trials find it done
            prepared,
            validation=file.data.validation,
            split_seed=file.data.split_seed,
            train_images=file.data.train_images,
            check=True,
        )
    return prepared, weights


def _drive(
    file: SearchFile,
    folder: Folder,
    log: Log,
    place: Workplace,
    requests: Requests,
    *,
    more: int,
    change: Change | None,
    warm_points: Sequence[Mapping[str, Any]],
    signals: CaughtSignals,
    observer: Observer,
) -> Outcome:
    info = SearchInfo.of(file.name, file.metric.name, file.metric.goal, file.space, file.metrics[1:])
    if log.notice:
        observer.notice(log.notice)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    if not folder.exists:
        folder.describe(file, info, data_record(file, place.prepared, place.weights), now, warm_points)
    warn_of_versions(folder, observer)
    concurrent = place.slots()
    if change is not None:
        put_space(folder, file, change, folder.history())
    stages = stages_of(folder, file)
    info = with_all_columns(info, folder)
    proposer = _proposer(file, stages)
    ledger = _ledger(file, log, proposer, concurrent)
    new = _write_stages(ledger, stages, observer)
    if change is not None and isinstance(proposer, Stages):
        tried = counted(len(ledger.history.trials), "trial")
        observer.notice(f"of {tried} {len(proposer.told):,} lie in the new space and are told to the sampler")
    if more:
        ledger.extend(more)
    requests.hand_to(ledger, file.space, new)
    folder.note_driver(file.search, len(ledger.history.trials), now)
    kept = KeptCheckpoints(folder.checkpoints, file.keep_checkpoints, file.metric.goal)
    publisher = Publisher(folder.path, info, ledger, kept, confirm=log.confirm)
    publisher.publish(live=True)
    publisher.start()

    def leaving() -> bool:
        if not ledger.finished:  # otherwise Ray Tune asks no more: what is asked for now waits for the next driver
            requests.hand_to(ledger, file.space)
        ledger.pausing |= requests.pause
        return publisher.failure is not None or requests.stop

    try:
        drive(
            ledger,
            job_of(file, folder.path, place.prepared, place.weights, place.home),
            file,
            _work(file, concurrent),
            signals=signals,
            observer=observer,
            listeners=[publisher.heard],
            slots=place.slots,
            leaving=leaving,
        )
    finally:
        publisher.stop()
    if publisher.failure is not None:
        raise publisher.failure
    reason = signals.first.name if signals.first is not None else _reason(ledger, stop=requests.stop)
    ledger.close(reason)
    publisher.finish()
    states = {trial.state for trial in ledger.history.trials.values()}
    return Outcome(folder.path, reason, exit_code(states, reason), ledger.hopeless)


def _write_stages(ledger: Ledger, stages: Sequence[Stage], observer: Observer) -> list[Change]:
    """Write down the stages that the log does not know of; a driver may have been killed before it did.

    Returns:
        How their spaces follow, in order: what waits in files was given under the names before them.
    """
    new = [(number, stage) for number, stage in enumerate(stages) if number > ledger.history.stage]
    for number, stage in new:
        waiting = map(stage.change.names, ledger.history.waiting)
        wrong = {place: why for place, given in enumerate(waiting) if (why := refusal(given, stage.space)) is not None}
        ledger.respace(number, stage.change.renamed, wrong)
        for why in wrong.values():
            observer.notice(printable(f"left out a configuration that 'tuner add' gave: {why}"))
    return [stage.change for _, stage in new]


def _proposer(file: SearchFile, stages: Sequence[Stage]) -> Proposer | Stages:
    search = file.search

    def of(stage: Stage) -> Proposer:
        return Proposer(
            stage.space,
            algorithm=search.algorithm,
            seed=search.seed,
            goal=file.metric.goal,
            further=file.metrics[1:],
            points=stage.points,
            warm_points=stage.warm_points,
            begins=stage.begins,
            options=search.options,
            replicates=search.replicates,
        )

    return of(stages[0]) if len(stages) == 1 else Stages(stages, of)


def _ledger(file: SearchFile, log: Log, proposer: Proposer | Stages, concurrent: int) -> Ledger:
    search, goal = file.search, file.metric.goal
    return Ledger(
        log,
        proposer,
        scheduler_of(file.scheduler, goal),
        goal=goal,
        seed=search.seed,
        trials=search.trials,
        slots=concurrent,
        retries=file.retries,
        gpus=file.resources.gpus_per_trial,
        limits=search.limits,
    )


def _reason(ledger: Ledger, *, stop: bool) -> str:
    if ledger.hopeless is not None:
        return "aborted"
    if stop and not ledger.finished:
        return "stopped"
    if ledger.pausing and (ledger.history.unfinished or not ledger.exhausted):
        return "paused"
    if ledger.limit is not None and (ledger.history.unfinished or not ledger.exhausted):
        return ledger.limit
    return "trials" if ledger.all_proposed else "exhausted"


def _work(file: SearchFile, concurrent: int) -> Work:
    return Work(
        title=file.name,
        concurrent=concurrent,
        resources=file.resources,
        how=f"{file.search.algorithm} and {file.scheduler.type}",
        metric=file.metric,
        max_epochs=file.scheduler.max_epochs,
        time_budget=file.search.time_budget,
    )


def warn_of_versions(folder: Folder, observer: Observer) -> None:
    """Say which packages are not of the version that a search began with."""
    before, now = folder.description()["versions"], versions()
    changed = [
        f"{name} {before[name]} is now {now[name]}" for name in before if now.get(name, before[name]) != before[name]
    ]
    if changed:
        observer.notice(f"warning: versions changed since this search began: {', '.join(changed)}")
