"""The long run: searches whose drivers are killed at random moments, again and again, and which are then audited.

``make test-long`` calls it. Each search has a folder of its own and is resumed after every fault; which fault comes
next, and when, is drawn from the seed, the search, and how many came before. Interrupted, the same command goes on. An
audited search is one line of JSON; docs/reliability.md shows their sums.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.faults.audit import SPACE, audit, prepare
from tests.faults.processes import kill_child, kill_newest_trial
from tests.study.searches import SearchProcess
from tuner.facts.errors import ExitCode
from tuner.facts.provenance import versions
from tuner.journal.log import events_of

EPOCH_SECONDS = 0.12
RAYLET = "kill -9 of Ray's raylet"

#: What ends a driver: how often it is drawn, and the exit codes that it may have then. A signal that comes before
#: Python has set its handlers kills.
ENDINGS: dict[str, tuple[int, set[int]]] = {
    "kill -9 of the driver": (14, {-signal.SIGKILL}),
    RAYLET: (1, {ExitCode.CLUSTER, ExitCode.OK}),
    "SIGINT": (1, {ExitCode.SIGINT, -signal.SIGINT}),
    "SIGTERM": (1, {ExitCode.SIGTERM, -signal.SIGTERM}),
    "SIGTERM twice": (1, {ExitCode.SIGTERM, -signal.SIGTERM}),
}
TRIAL_KILLED = "kill -9 of a trial"
TORN = "torn last line of the log"

#: A search of each: how many trials run side by side, and what proposes them.
VARIANTS = ((1, "tpe"), (2, "tpe"), (2, "random"), (3, "tpe"))


def main() -> int:
    """Run what is missing; returns 0 if all audits found nothing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/long"), help="where the searches run")
    parser.add_argument("--output", type=Path, default=Path("build/long/reliability.jsonl"))
    parser.add_argument("--searches", type=int, default=8)
    parser.add_argument("--faults", type=int, default=13, help="how many drivers of each search are ended")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    lines = []
    for number in range(args.searches):
        place = args.folder.absolute() / f"{args.seed}-{number}"
        if not (place / "audit.json").exists():
            line = Run(place, args.seed, number, args.trials).audited(args.faults)
            (place / "audit.json").write_text(json.dumps(line) + "\n")
        lines.append((place / "audit.json").read_text())
        print(lines[-1], end="", flush=True)
    args.output.write_text("".join(lines))
    return int(any(json.loads(line)["findings"] for line in lines))


class Run:
    """One search through its faults.

    ``faults.txt`` beside the search has a line for each fault that has happened, ``seen.jsonl`` the longest log that
    a dead driver left: whatever came later begins with it.
    """

    def __init__(self, place: Path, seed: int, number: int, trials: int) -> None:
        self.place, self.name, self.trials = place, f"{seed}/{number}", trials
        self.slots, self.algorithm = VARIANTS[number % len(VARIANTS)]
        self._log = place / "results/s/events.jsonl"
        self._faults, self._seen = place / "faults.txt", place / "seen.jsonl"
        space = SPACE.replace("max_concurrent: 2", f"max_concurrent: {self.slots}")
        prepare(place, space.replace("tpe, trials: 12, seed: 3", f"{self.algorithm}, seed: {number}"))

    def audited(self, faults: int) -> dict[str, Any]:
        """Return what is told of the search, after so many of its drivers were ended and the last one was not."""
        code: int | None = None
        while code != ExitCode.OK and sum(self.faults()[ending] for ending in ENDINGS) < faults:
            code = self.session(random.Random(f"{self.name}/{self.faults().total()}"))
            self._remember()
            print(f"{self.name}: {self._lines()} lines, {dict(self.faults())}", file=sys.stderr, flush=True)
        while code != ExitCode.OK:
            code, _, err = self._start().wait()
            assert code in (ExitCode.OK, ExitCode.CLUSTER), err
        found = audit(self.place, self.trials, earlier=list(events_of(self._seen.read_bytes())))
        return {
            "search": self.name,
            "slots": self.slots,
            "algorithm": self.algorithm,
            "trials": self.trials,
            "finished": found.finished,
            "lost": len(found.lost),
            "repeated": len(found.repeated),
            "wrong": len(found.wrong),
            "epochs": found.epochs,
            "epochs_again": found.again,
            "faults": dict(sorted(self.faults().items())),
            "findings": found.findings,
            "versions": versions(),
        }

    def session(self, chance: random.Random) -> int:
        """Resume the search and end its driver at a random moment; returns the driver's exit code."""
        running = self._start()
        (ending,) = chance.choices(list(ENDINGS), [weight for weight, _ in ENDINGS.values()])
        if chance.random() < 0.25:  # while it starts, or soon after
            time.sleep(chance.uniform(0, 8))
        else:
            self._wait(running, chance.randrange(1, 25))
            if chance.random() < 0.25 and kill_newest_trial(self.place):
                self._note(TRIAL_KILLED)
                self._wait(running, chance.randrange(1, 10))
            time.sleep(chance.uniform(0, 0.5))
        lives = running.process.poll() is None and _end(running, ending)
        code, _, err = running.wait()
        if lives and (code != ExitCode.OK or ending == RAYLET):  # without one, the trials that run go on
            assert code in ENDINGS[ending][1], err
            self._note(ending)
        if code == -signal.SIGKILL and self._log.exists() and chance.random() < 0.3:
            with self._log.open("ab") as log:  # what a power cut may leave of a line that nobody was told of
                log.write(b'{"v":1,"type":"epoch","at":17'[: chance.randrange(1, 29)])
            self._note(TORN)
        return code

    def faults(self) -> Counter[str]:
        """Return how often each fault has happened."""
        return Counter(self._faults.read_text().splitlines() if self._faults.exists() else [])

    def _note(self, fault: str) -> None:
        with self._faults.open("a", encoding="utf-8") as file:
            file.write(f"{fault}\n")

    def _remember(self) -> None:
        data = self._log.read_bytes() if self._log.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if whole.startswith(self._seen.read_bytes() if self._seen.exists() else b""):
            self._seen.write_bytes(whole)

    def _start(self) -> SearchProcess:
        return SearchProcess(self.place, "--resume", "--trials", str(self.trials), epoch_seconds=EPOCH_SECONDS)

    def _lines(self) -> int:
        return self._log.read_bytes().count(b"\n") if self._log.exists() else 0

    def _wait(self, running: SearchProcess, lines: int) -> None:
        """Wait until the log has so many more lines, or the search has ended."""
        wanted, deadline = self._lines() + lines, time.monotonic() + 180
        while self._lines() < wanted and running.process.poll() is None:
            assert time.monotonic() < deadline, f"{self.name} makes no progress"
            time.sleep(0.02)


def _end(running: SearchProcess, ending: str) -> bool:
    """End a driver; returns whether that is what was done."""
    if ending == RAYLET:
        return kill_child(running.process.pid, "raylet")
    for number in {
        "kill -9 of the driver": [signal.SIGKILL],
        "SIGINT": [signal.SIGINT],
        "SIGTERM": [signal.SIGTERM],
        "SIGTERM twice": [signal.SIGTERM, signal.SIGTERM],
    }[ending]:
        running.process.send_signal(number)
    return True


if __name__ == "__main__":
    sys.exit(main())
