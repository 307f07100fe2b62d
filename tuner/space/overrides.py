"""``--set PATH=VALUE`` and dedicated options such as ``--trials 10``, put in the file's place before it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from tuner.facts.fields import Field
from tuner.space.problems import Place, Reporter
from tuner.space.sections import SECTIONS, TOP, TOP_KEYS, keys_of
from tuner.space.yaml_nodes import Node, node_of, read_yaml

#: Dotted path of a key to the option as it is spelled and its value.
Flags = Mapping[str, tuple[str, object]]
Path = tuple[str, ...]


def override(
    root: Node, overrides: Sequence[str], flags: Flags, trainables: Mapping[str, Mapping[str, Field]], report: Reporter
) -> Node:
    """Return the file's nodes with what the command line says in the place of what the file says.

    Args:
        root: The file's mapping.
        overrides: Texts ``PATH=VALUE``, later ones over earlier ones. VALUE is YAML; PATH is dotted from the top, or
            a bare key that names exactly one key of a section or parameter.
        flags: Dedicated options; one together with an override of the same key is an error.
        trainables: The built-in trainables' fields, which may be set though the file lacks them.
        report: Takes the problems, with the option as their source.
    """
    work = _Override(root, trainables, report)
    for text in overrides:
        work.text(text)
    for dotted, (option, value) in flags.items():
        work.flag(tuple(dotted.split(".")), option, value)
    return work.root


class _Override:
    def __init__(self, root: Node, trainables: Mapping[str, Mapping[str, Field]], report: Reporter) -> None:
        self.root = root
        self._trainables = trainables
        self._report = report
        self._done: dict[Path, str] = {}

    def text(self, text: str) -> None:
        place = Place(f"--set {text}")
        dotted, equals, value = text.partition("=")
        if not equals or not dotted.strip():
            self._report.error(place, "an override is PATH=VALUE, such as parameters.lr=0.1")
            return
        path = self._resolve(dotted.strip(), place)
        node = read_yaml(value, place.source, self._report, positions=False)
        if path is not None and node is not None:
            self._done[path] = place.source
            self.root = self._put(self.root, path, Node(node.content, place, place))

    def flag(self, path: Path, option: str, value: object) -> None:
        said = " ".join(value) if option.startswith("-") and isinstance(value, list) else value
        place = Place(f"{option} {said}" if option.startswith("-") else f"{option}={value}")
        twice = [source for other, source in self._done.items() if other[: len(path)] == path[: len(other)]]
        if twice:
            self._report.error(place, f"this sets {'.'.join(path)}, and so does '{twice[0]}'; leave one out")
        elif self._exists(path, place):
            self.root = self._put(self.root, path, node_of(value, place))

    def _resolve(self, dotted: str, place: Place) -> Path | None:
        path = tuple(dotted.split("."))
        if len(path) > 1 or dotted in TOP_KEYS:
            return path if self._exists(path, place) else None
        found = [(section, dotted) for section in SECTIONS if dotted in keys_of(section)]
        if dotted in self._given or (not found and dotted in self._fields):
            found.append(("parameters", dotted))
        if len(found) == 1:
            return found[0]
        if found:
            self._report.error(place, f"'{dotted}' is ambiguous; write {' or '.join(map('.'.join, found))}")
        else:
            self._report.error(place, f"unknown key '{dotted}'{self._near(dotted)}")
        return None

    def _exists(self, path: Path, place: Place) -> bool:
        """Return whether a path leads to a key that a file may hold; reports if not."""
        head = path[0]
        depth = 3 if head == "parameters" else 2 if head in SECTIONS else 1
        if head not in TOP_KEYS:
            self._report.error(place, f"unknown key '{head}'{self._near(head)}")
        elif head in SECTIONS and len(path) > 1 and path[1] not in keys_of(head):
            self._report.error(place, f"unknown key '{'.'.join(path)}'{self._near(path[1])}")
        elif len(path) > depth:
            self._report.error(place, f"'{'.'.join(path[:depth])}' has no keys below it")
        else:
            return True
        return False

    def _put(self, node: Node, path: Path, value: Node) -> Node:
        """Return a mapping with one node of it, at any depth, replaced or added."""
        keys = dict(node.mapping or {})
        key, rest = path[0], path[1:]
        if not rest:
            return Node({**keys, key: value}, node.place, node.key)
        below = keys.get(key, Node(None, value.place, value.place))
        if below.content is not None and below.mapping is None:
            self._report.error(value.place, f"'{key}' is no mapping here, so it has no '{rest[0]}'")
            return node
        return Node({**keys, key: self._put(below, rest, value)}, node.place, node.key)

    def _near(self, word: str) -> str:
        """Return a suggestion with its full path."""
        paths = {key: key for key in TOP_KEYS}
        paths |= {key: f"{section}.{key}" for section in SECTIONS for key in keys_of(section)}
        paths |= {name: f"parameters.{name}" for name in (*self._fields, *self._given)}
        near = get_close_matches(word, paths, n=1)
        return f"; did you mean '{paths[near[0]]}'?" if near else ""

    @property
    def _given(self) -> Iterable[str]:
        """Return the names that stand in ``parameters``."""
        node = (self.root.mapping or {}).get("parameters")
        return () if node is None else node.mapping or ()

    @property
    def _fields(self) -> Mapping[str, Field]:
        """Return the fields of the trainable as the file and the overrides so far name it."""
        node = (self.root.mapping or {}).get("trainable")
        name = TOP["trainable"].default if node is None or node.content is None else node.content
        return self._trainables.get(name, {}) if isinstance(name, str) else {}
