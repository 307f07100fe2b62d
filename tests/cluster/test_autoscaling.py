"""A search on a cluster that begins without workers: the autoscaler brings them and takes them away again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.autoscaled import autoscaled, namespaces_are_to_be_had
from tests.cluster.held import held
from tests.cluster.nodes import until
from tests.study.searches import SPACE, prepare
from tuner.journal.events import Start

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not namespaces_are_to_be_had(), reason="a process may have no network of its own here"),
]


@pytest.mark.parametrize(
    ("second_version", "bound"), [(False, ""), (True, ", max_concurrent: 4")], ids=["v1-without-a-bound", "v2-bound"]
)
def test_a_cluster_grows_for_a_search_and_shrinks_again(second_version: bool, bound: str, tmp_path: Path) -> None:
    # Trials that ended would let all others go to processes that are free, and none to the second node.
    prepare(tmp_path, space=SPACE.replace(", max_concurrent: 2", bound), trainable=held(tmp_path / "go"))
    with autoscaled(second_version=second_version) as running:
        assert running.workers() == 0
        searching = running.search(tmp_path)
        searching.until(lambda events: len({event.node for event in events if isinstance(event, Start)}) == 2)
        (tmp_path / "go").touch()
        code, _, err = searching.wait()
        assert code == 0, err
        until(lambda: running.workers() == 0)
