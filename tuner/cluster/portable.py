"""Whether what a search names is there where its job runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuner.facts.addresses import is_address
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.overrides import Flags, override
from tuner.space.package import Package
from tuner.space.problems import Place, Reporter
from tuner.space.searchfile import SearchFile
from tuner.space.yaml_nodes import Node, read_yaml

_PATHS = (("data", "root"), ("data", "weights"))
_KEPT = "the nodes of a cluster keep them: an absolute path of a folder that all of them share, or s3://bucket/prefix"
_NAMED = "--results, or results: in the file, names a folder that all nodes share by its absolute path, or s3://bucket/prefix"


def check_portable(file: SearchFile, overrides: Sequence[str], flags: Flags, package: Package) -> None:
    """Check that a job finds what a search names, and that its results outlive it.

    Args:
        file: The search, as it was read here.
        overrides: As ``read_search_file`` had them.
        flags: As ``read_search_file`` had them.
        package: What the job takes along.

    Raises:
        SearchFileError: All that would not be there.
    """
    report = Reporter()
    root = read_yaml(file.text, str(file.path), report)
    assert root is not None, "the file was read before"
    root = override(root, overrides, flags, TRAINABLES, report)
    results = _found(root, ("results",))
    if results is None or results.content is None:
        report.error(Place(str(file.path)), f"'results' is missing: {_NAMED}")
    elif not _is_absolute(results) and not is_address(str(results.plain)):
        report.error(results.place, f"'{results.plain}' is relative, and a job's own folder is thrown away; {_KEPT}")
    for path in _PATHS:
        node = _found(root, path)
        if node is None or node.content is None or _is_absolute(node):
            continue
        # What the command line says is relative to the current folder, which stays here.
        if not node.place.in_file or not package.holds(str(node.plain)):
            report.error(
                node.place,
                f"the job does not take '{node.plain}' along; {'.'.join(path)} is an absolute path that the nodes have",
            )
    report.raise_errors()


def _found(root: Node, path: tuple[str, ...]) -> Node | None:
    node: Node | None = root
    for key in path:
        node = None if node is None else (node.mapping or {}).get(key)
    return node


def _is_absolute(node: Node) -> bool:
    return Path(str(node.plain)).is_absolute()
