"""Replayed searches: the clock counts, the product is the product, the surrogate is gated, the page is the records'."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.append("benchmarks")  # scripts, no package: they import their neighbours by name

from driver import ledger_of
from pool.surrogate import GATE, SPACE, Surrogate, read_pool
from regimes import REGIMES, Formula
from replay.cells import append, read
from replay.clock import Counts, Job, Step, replay
from replay.methods import FURTHER, METHODS, method_of
from replay.peers import Stock
from replay.product import MemoryStorage, Product
from replay.traces import trace
from replay.warm import Proxy, found_on_proxy
from replay.worlds import World
from search_quality import main
from search_quality_page import DOCS, PAGE, RECORDS, epochs_to, latest, page, plots, worse

from tuner.facts.records import Goal
from tuner.hyperparameters.table import TRAINABLES
from tuner.journal.events import Ask, Rung, encode, values_of
from tuner.journal.log import Log, events_of, open_log
from tuner.journal.storage import FileStorage
from tuner.leaderboard.info import SearchInfo
from tuner.leaderboard.rows import EndedRows
from tuner.leaderboard.write import write_results
from tuner.space.read import read_search_file
from tuner.space.sampling import sample

EPOCHS = 27


class Scripted:
    """A search whose trials end after so many epochs, and which notes all it hears."""

    incumbent = None

    def __init__(self, world: World, *lengths: int) -> None:
        self._config = world.sample(np.random.default_rng(0))
        self._lengths = lengths
        self._asked = 0
        self.heard: list[tuple[int, int]] = []

    def ask(self) -> Job | None:
        if self._asked == len(self._lengths):
            return None
        self._asked += 1
        return Job(self._asked - 1, self._config, seed=0)

    def tell(self, number: int, epoch: int, value: float | None) -> bool:
        self.heard.append((number, epoch))
        return epoch < self._lengths[number]


def steps(search: Any, world: World, workers: int, budget: int, counts: Counts | None = None) -> list[Step]:
    return list(replay(search, world, workers=workers, budget=budget, counts=counts or Counts()))


def test_four_workers_keep_the_order_of_time_and_count_each_epoch() -> None:
    search = Scripted(Formula("plain"), 3, 1, 27, 2, 2, 27)
    taken = steps(search, Formula("plain"), workers=4, budget=14)
    first = [(0, 1), (1, 1), (2, 1), (3, 1)]
    second = [(0, 2), (4, 1), (2, 2), (3, 2)]  # the fourth trial has taken the place of the first one to end
    third = [(0, 3), (4, 2), (2, 3), (5, 1)]
    assert search.heard == [*first, *second, *third, (2, 4), (5, 2)]
    assert [step.time for step in taken] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 2
    assert [step.spent for step in taken] == list(range(1, 15))


def test_a_trial_ends_with_its_budget_and_a_search_with_its_last_trial() -> None:
    counts = Counts()
    taken = steps(Scripted(Formula("plain"), 100, 1), Formula("plain"), workers=1, budget=1000, counts=counts)
    assert len(taken) == EPOCHS + 1
    assert (counts.trials, counts.finished, counts.diverged) == (2, 1, 0)


def test_a_run_that_diverges_has_paid_for_its_last_epoch() -> None:
    world = Formula("crash-boundary")
    crashing = {**world.sample(np.random.default_rng(0)), "lr": 1.0, "momentum": 0.99}
    curve = world.curve(crashing, seed=1)
    assert curve[-1] is None and None not in curve[:-1] and len(curve) <= 5
    assert world.truth(crashing) == pytest.approx(world.floor, abs=0.01)


@pytest.mark.parametrize("name", METHODS)
def test_equal_seeds_give_equal_searches(name: str) -> None:
    world = Formula("crash-boundary")
    again = [trace(world, name, seed, workers=4, budget=6 * EPOCHS) for seed in (3, 3, 4)]
    assert again[0] == again[1] != again[2]
    assert again[0].regrets[-1] < 1.0


def test_a_warm_search_begins_with_what_was_best_on_the_proxy_and_a_misled_one_with_the_worst() -> None:
    world = Formula("plain")
    config = world.sample(np.random.default_rng(0))
    assert Proxy(world).curve(config, seed=1) == world.curve(config, seed=1)[:9]
    found = found_on_proxy(world, 0)
    assert world.truth(found[0]) > world.truth(found[-1])
    for name, expected in (("warm", found[0]), ("misled", found[-1])):
        job = FURTHER[name].build(world, 0, 1, EPOCHS).ask()
        assert job is not None
        assert world.truth(job.config) == world.truth(expected)


@pytest.mark.parametrize(("name", "best"), [("plain", 0.9), ("slow-starters", 0.9), ("unranked", 0.9)])
def test_the_best_configuration_is_found(name: str, best: float) -> None:
    assert Formula(name).best == pytest.approx(best, abs=5e-4)


@pytest.mark.parametrize("name", REGIMES)
def test_no_configuration_is_better_than_the_best(name: str) -> None:
    world = Formula(name)
    generator = np.random.default_rng(7)
    sign = 1 if world.goal is Goal.MAXIMIZE else -1
    assert max(sign * world.truth(world.sample(generator)) for _ in range(500)) < sign * world.best + 1e-9
    assert world.target > 0


def test_regimes_are_what_they_are_called() -> None:
    ranks = {name: Formula(name).rank_correlations((1, 3, 9)) for name in REGIMES}
    assert ranks["plain"][1] > 0.95
    assert ranks["slow-starters"][1] < 0.2 < ranks["slow-starters"][9]
    assert abs(ranks["unranked"][9]) < 0.1
    loss = Formula("overfitting")
    mean, _ = loss.known(loss.sample(np.random.default_rng(0)))
    assert mean.argmin() < EPOCHS - 1, "it rises before the end"
    boundary = Formula("crash-boundary")
    assert boundary.crashes(np.array([[0.68, 0.68, 0, 0, 0, 0], [0.8, 0.8, 0, 0, 0, 0]])) == pytest.approx(
        [0, 1], abs=0.01
    )


def product(storage: Any, workers: int = 4) -> Product:
    return Product(Formula("crash-boundary"), seed=5, workers=workers, trials=1000, overrides=(), storage=storage)


def untimed(data: bytes) -> list[dict[str, Any]]:
    return [{key: value for key, value in values_of(event).items() if key != "at"} for event in events_of(data)]


def test_the_replay_is_what_the_product_makes_of_its_log(tmp_path: Path) -> None:
    world, memory = Formula("crash-boundary"), MemoryStorage()
    search = product(memory)
    taken = steps(search, world, workers=4, budget=20 * EPOCHS)
    events = list(events_of(bytes(memory.data)))
    assert any(isinstance(event, Rung) for event in events)

    on_disk = product(FileStorage(tmp_path))
    steps(on_disk, world, workers=4, budget=20 * EPOCHS)
    on_disk._log.__exit__(None, None, None)
    assert untimed((tmp_path / "events.jsonl").read_bytes()) == untimed(bytes(memory.data))

    asks = [place for place, event in enumerate(events) if isinstance(event, Ask)]
    for place in asks[:: len(asks) // 5]:  # what a driver that takes the log up there would propose
        before = MemoryStorage(b"".join(map(encode, events[:place])))
        proposal = ledger_of(Log(before), search.file, 4)._proposer.propose(events[place].n)
        assert proposal.config.items() <= events[place].config.items()

    with open_log(tmp_path) as log:
        history = ledger_of(log, search.file, 4).history
        info = SearchInfo.of("search", world.metric, world.goal, world.space)
        write_results(tmp_path, history, info, live=False, kept={}, ended=EndedRows())
    first = pq.read_table(tmp_path / "leaderboard.parquet").to_pylist()[0]
    assert taken[-1].incumbent is not None
    assert first["rank"] == 1 and first["lr"] == taken[-1].incumbent["lr"]


def test_stock_hands_over_the_best_last_value_of_all_trials() -> None:
    world = Formula("plain")
    stock = Stock(world, seed=0)
    jobs = [stock.ask(), stock.ask()]
    stock.tell(0, 1, 0.5)
    stock.tell(1, 1, 0.6)
    assert stock.incumbent is jobs[1].config
    stock.tell(1, 2, 0.4)  # its best value was better, its last one is not
    assert stock.incumbent is jobs[0].config


def test_one_epoch_top_k_spends_half_on_each_stage() -> None:
    world, counts = Formula("plain"), Counts()
    search = METHODS["one-epoch-top-k"].build(world, 0, 4, 8 * EPOCHS)
    steps(search, world, workers=4, budget=8 * EPOCHS, counts=counts)
    assert (counts.trials, counts.finished) == (4 * EPOCHS, 4 * EPOCHS // 26)


def write_pool(path: Path, truth: Callable[[np.ndarray], float], count: int, crash: Any = lambda _: False) -> None:
    """Write a pool as ``pool/make.py`` does, with curves of a formula of each configuration's places."""
    world = _pool_space()
    rows = []
    for number in range(count):
        config = sample(world.space, random.Random(number))
        assert config is not None
        searched = {name: config[name] for name in world.space.searched}
        places = np.array([_place(world.space, name, value) for name, value in searched.items()])
        for seed in (0, 1):
            noise = np.random.default_rng([number, seed]).normal(0, 0.003)
            curve = [0.1 + (truth(places) - 0.1) * (1 - 0.8**epoch) + noise for epoch in range(1, EPOCHS + 1)]
            diverged = crash(places)
            run = {"stop_reason": "diverged" if diverged else "budget", "seconds": 1.0}
            kept = curve[:2] if diverged else curve
            rows.append({"configuration": number, "seed": seed, **searched, **run, "val_accuracy": kept})
    pq.write_table(pa.Table.from_pylist(rows), path)


def _pool_space() -> Any:
    return read_search_file(SPACE, trainables=TRAINABLES)


def _place(space: Any, name: str, value: Any) -> float:
    domain = space.parameters[name].alternatives[0].domain
    values = getattr(domain, "values", None)
    if values is not None:
        return float(values.index(value)) / (len(values) - 1)
    low, high = (np.log(domain.low), np.log(domain.high)) if domain.log else (domain.low, domain.high)
    return float(((np.log(value) if domain.log else value) - low) / (high - low))


def smooth(places: np.ndarray) -> float:
    return float(0.6 - 0.5 * (places[0] - 0.6) ** 2 - 0.3 * (places[2] - 0.3) ** 2 - 0.05 * places[3])


def test_the_surrogate_of_a_smooth_pool(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    write_pool(path, smooth, count=80)
    world = Surrogate("odd", path)
    assert world.agreement["all"] > 0.9
    assert all(item.number % 2 == 1 for item in world.half)
    for item in world.half[:5]:
        mean, crash = world.known({**world.sample(np.random.default_rng(0)), **item.config})
        assert crash == 0.0 and mean == pytest.approx(item.curves.mean(axis=0))
    measured = max(item.curves.mean(axis=0).max() for item in world.half)
    assert measured - 0.02 < world.best < 0.62
    config = world.sample(np.random.default_rng(1))
    runs = [world.curve(config, seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]
    assert trace(world, "tuner", 0, workers=4, budget=10 * EPOCHS).regrets[-1] < 0.1


def test_the_surrogate_knows_where_runs_diverge(tmp_path: Path) -> None:
    path = tmp_path / "pool.parquet"
    write_pool(path, smooth, count=60, crash=lambda places: places[0] > 0.8)
    world = Surrogate("even", path)
    assert world.agreement["all"] > 0.8
    config = world.sample(np.random.default_rng(0))
    assert world.known({**config, "lr": 0.02})[1] < 0.1
    assert world.known({**config, "lr": 0.9})[1] > 0.8
    run = world.curve({**config, "lr": 0.9}, seed=0)
    assert run[-1] is None and len(run) == 3


def test_the_product_searches_the_pool_at_its_own_defaults(tmp_path: Path) -> None:
    write_pool(tmp_path / "pool.parquet", smooth, count=40)
    settings = METHODS["tuner"].settings(Surrogate("odd", tmp_path / "pool.parquet"))
    plain = METHODS["tuner"].settings(Formula("plain"))
    assert settings == plain
    assert method_of("tuner search.algorithm=random").settings(Formula("plain")) != plain


def quality(*options: object) -> int:
    return main(["--seeds", "2", "--budget", "108", "--workers", "2", *map(str, options)])


def test_nothing_is_claimed_where_the_surrogate_cannot_rank(tmp_path: Path, capsys: Any) -> None:
    pool, records = tmp_path / "pool.parquet", tmp_path / "records.jsonl"
    write_pool(pool, lambda places: 0.3 + 0.3 * random.Random(places.tobytes()).random(), count=40)
    options = ["--worlds", "pool", "--methods", "random", "--pool", pool, "--records", records]
    assert quality(*options) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("pool-odd: held-out rank correlation ")
    assert printed.err.startswith("search_quality.py: the surrogate of pool-odd ranks too badly")
    (record,) = read(records)
    assert record["valid"] is False and record["agreement"]["all"] < GATE
    assert "**Not valid:**" in page([record])
    assert quality(*options) == 1
    assert len(read(records)) == 1, "what is there is not made again"


def test_a_pool_that_has_only_begun_is_one_sentence(tmp_path: Path, capsys: Any) -> None:
    write_pool(tmp_path / "pool.parquet", smooth, count=4)
    assert quality("--worlds", "pool", "--pool", tmp_path / "pool.parquet", "--records", tmp_path / "none.jsonl") == 1
    said = "search_quality.py: the pool's odd half has 2 finished configurations, fewer than 10\n"
    assert capsys.readouterr().err == said
    assert len(read_pool(tmp_path / "pool.parquet", _pool_space().space.searched)) == 4


def cell(method: str, median: list[float | None], **changes: Any) -> dict[str, Any]:
    return {
        **{"world": "plain", "world_says": "A world.", "method": method, "says": "It.", "workers": 4, "seeds": 3},
        **{"budget": 108, "epochs": [27, 54, 81, 108], "lower": median, "median": median, "upper": median},
        "final": [median[-1]] * 3,
        **{"metric": "val_accuracy", "best": 0.9, "target": 0.02, "rank_correlations": {"1": 0.5}, "valid": True},
        **{"target_epochs": [50.0, 40.0, None], "trials": 9.0, "finished": 3.0, "diverged": 0.0},
        **{"command": "python benchmarks/script.py", "cores": 2, "cpu": "a processor", "versions": {"ray": "2.60.0"}},
        **changes,
    }


def records() -> list[dict[str, Any]]:
    return [
        cell("random", [None, 0.4, 0.3, 0.2]),
        cell("stock", [0.4, 0.3, 0.2, 0.1]),
        cell("tuner", [None, 0.05, 0.2, 0.2], seeds=3),
        cell("tuner", [None, 0.1, 0.08, 0.05]),
    ]


def test_the_page_says_when_the_product_is_where_stock_ends() -> None:
    text = page(records())
    assert "| plain | 4 | 54 (0.50) | 0.1000 | 0.0500 | 0.2000 | 0.99 |" in text
    assert "| `stock` | 4 | 0.1000 (0.1000, 0.1000) | 0.3000 | 67% | 50 |" in text
    assert epochs_to(cell("tuner", [0.1, 0.3, 0.1, 0.1]), 0.1) == 81, "it has to stay there"
    assert epochs_to(cell("tuner", [0.3, 0.3, 0.3, None]), 0.1) is None


def test_a_plot_leaves_out_what_is_not_there_and_shows_zero_at_its_floor() -> None:
    (drawing,) = plots([*records()[:2], cell("tuner", [None, 0.1, 0.01, 0.0])]).values()
    shown = [line for line in drawing.splitlines() if line.startswith("<polyline")]
    assert [line.count(",") for line in shown] == [3, 4, 3]
    assert "nan" not in drawing and "inf" not in drawing


def test_a_record_that_was_cut_short_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    append(path, {"a": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"a": ')
    assert read(path) == [{"a": 1}]
    append(path, {"a": 2})
    assert read(path) == [{"a": 1}, {"a": 2}]


def test_worse_is_said_where_it_is_seen_and_nowhere_else() -> None:
    low, high = [0.01 * n for n in range(1, 31)], [0.01 * n + 0.2 for n in range(1, 30)]
    assert worse([*high, None], low) < 0.01
    assert worse(low, [*high, None]) > 0.99
    assert 0.3 < worse(low, low) < 0.7


def test_the_published_records_are_of_the_products_settings() -> None:
    for record in latest(read(RECORDS)):
        world = Formula(record["world"]) if record["world"] in REGIMES else Formula(next(iter(REGIMES)))
        assert record["settings"] == method_of(record["method"]).settings(world), (record["world"], record["method"])


def test_the_page_is_that_of_the_published_records() -> None:
    published = read(RECORDS)
    assert (DOCS / PAGE).read_text(encoding="utf-8") == page(published), "python benchmarks/search_quality_page.py"
    for name, drawing in plots(published).items():
        assert (DOCS / name).read_text(encoding="utf-8") == drawing, "python benchmarks/search_quality_page.py"
