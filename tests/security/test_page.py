"""Each defence that docs/security.md promises has tests, and they exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

PAGE = Path("docs/security.md")


def rows() -> list[list[str]]:
    """Return the cells of the table of threats."""
    table = PAGE.read_text(encoding="utf-8").partition("| threat |")[2].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table if line.startswith("|")]


def test_every_defence_names_tests_that_exist() -> None:
    assert len(rows()) >= 12
    for threat, _, tests in rows():
        named = re.findall(r"`([^`:]+)::(\w+)`", tests)
        assert named, threat
        for file, name in named:
            tree = ast.parse(Path(file).read_text(encoding="utf-8"))
            assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_every_file_of_these_tests_stands_behind_a_defence() -> None:
    text = PAGE.read_text(encoding="utf-8")
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}
    assert {name for name in files if name not in text} == set()
