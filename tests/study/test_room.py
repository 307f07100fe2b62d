"""How many trials may be under way on a cluster whose nodes come and go."""

from __future__ import annotations

import pytest

from tuner.facts.errors import ClusterError, UsageError
from tuner.space.searchfile import Resources
from tuner.study.resources import Machine
from tuner.study.room import PATIENCE_SECONDS, ClusterRoom


class Cluster:
    """Nodes, a clock, and what people were told."""

    def __init__(self, *nodes: Machine, autoscaled: bool = False, most: int | None = None, gpus: float = 0) -> None:
        self.nodes = nodes
        self.now = 0.0
        self.told: list[str] = []
        self.room = ClusterRoom(
            Resources(cpus_per_trial=1, gpus_per_trial=gpus, max_concurrent=most, reuse_workers=True),
            self.told.append,
            nodes=lambda: self.nodes,
            autoscaled=lambda: autoscaled,
            timer=lambda: self.now,
        )


def test_room_follows_the_nodes() -> None:
    cluster = Cluster(Machine(0, 0), Machine(2, 0))
    assert cluster.room() == 2
    assert cluster.told == []
    cluster.nodes += (Machine(4, 0),)
    assert cluster.room() == 6
    cluster.nodes = (Machine(0, 0), Machine(4, 0))
    assert cluster.room() == 4
    assert cluster.told == [f"{n} trials side by side, for the cluster has changed" for n in (6, 4)]


def test_gpus_of_several_kinds_and_numbers() -> None:
    assert Cluster(Machine(8, 1), Machine(64, 8), Machine(16, 0), gpus=0.5).room() == 18


def test_an_autoscaler_sees_as_many_trials_as_there_may_be() -> None:
    assert Cluster(Machine(2, 0), most=16, autoscaled=True).room() == 16
    assert Cluster(Machine(2, 0), most=16).room() == 2
    assert Cluster(Machine(2, 0), autoscaled=True).room() == 3
    assert Cluster(Machine(64, 0), autoscaled=True).room() == 80
    assert Cluster(Machine(32, 0), most=16, autoscaled=True).room() == 16


def test_what_no_node_has_is_an_error_at_first() -> None:
    with pytest.raises(UsageError, match="there is no GPU"):
        Cluster(Machine(8, 0), gpus=1).room()


def test_a_node_of_the_autoscaler_is_waited_for_but_not_for_ever() -> None:
    cluster = Cluster(Machine(8, 0), gpus=1, autoscaled=True)
    assert cluster.room() == 2
    cluster.now = PATIENCE_SECONDS - 1
    assert cluster.room() == 2
    cluster.now = PATIENCE_SECONDS + 1
    with pytest.raises(ClusterError, match="there is no GPU; none came in 15 minutes"):
        cluster.room()


def test_nodes_that_all_left_are_waited_for_but_not_for_ever() -> None:
    cluster = Cluster(Machine(0, 0), Machine(2, 0))
    assert cluster.room() == 2
    cluster.nodes, cluster.now = (Machine(0, 0),), 5000.0
    assert cluster.room() == 1
    assert cluster.told == ["no node has room for a trial; waiting up to 15 minutes for one"]
    cluster.nodes = (Machine(0, 0), Machine(1, 0))
    assert cluster.room() == 1
    assert cluster.told[1:] == ["1 trial side by side, for the cluster has changed"]
    cluster.nodes = (Machine(0, 0),)
    assert cluster.room() == 1
    cluster.now += PATIENCE_SECONDS + 1
    with pytest.raises(ClusterError, match="no machine has more than 0"):
        cluster.room()
