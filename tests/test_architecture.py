"""The table of floors and rooms, held by every import in the package, also those inside functions."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuner

PACKAGE = Path(tuner.__file__).parent

FACTS = {"facts"}
LANGUAGE = FACTS | {"space", "hyperparameters", "storage", "journal"}
ENGINES = LANGUAGE | {"training", "search", "leaderboard", "datasets"}

#: Room to the other rooms that its modules may import, floor by floor from the ground.
MAY_IMPORT: dict[str, set[str]] = {
    "facts": set(),
    "space": FACTS,
    "hyperparameters": FACTS,
    "storage": FACTS,
    "journal": FACTS | {"storage"},
    "training": LANGUAGE,
    "search": LANGUAGE,
    "leaderboard": LANGUAGE,
    "datasets": LANGUAGE,
    "study": ENGINES,
    "cluster": ENGINES,
    "report": LANGUAGE | {"leaderboard"},
    "service": LANGUAGE | {"leaderboard"},
    "cli": ENGINES | {"study", "cluster", "report", "service"},
}

#: Room to the packages of others that it must do without.
FORBIDDEN: dict[str, set[str]] = {
    "space": {"torch", "torchvision", "ray", "optuna", "pandas", "pyarrow"},
    "hyperparameters": {"torch", "torchvision", "ray", "optuna", "pandas", "pyarrow"},
    "storage": {"torch", "torchvision", "ray", "optuna", "pandas", "pyarrow"},
    "journal": {"torch", "torchvision", "ray", "optuna", "pandas"},
    "training": {"ray", "optuna", "pyarrow"},
    "search": {"torch", "torchvision"},
    "leaderboard": {"torch", "torchvision", "ray", "optuna"},
    "datasets": {"ray", "optuna", "pandas"},
    "report": {"torch", "torchvision", "ray"},
    "service": {"torch", "torchvision", "ray"},
}

#: What reads the test split, and the only modules that may import it: they run after the choice is made.
TEST_SPLIT = ("tuner.datasets.test_split", "tuner.datasets.prepared.load_split")
TEST_SPLIT_READERS = ("tuner.cli.train", "tuner.cli.evaluate")


def violations(package: Path) -> list[str]:
    """Return one sentence for each import, or ``__init__`` file, under ``package`` that breaks the table."""
    found = []
    for file in sorted(package.rglob("*.py")):
        module = ".".join(("tuner", *file.relative_to(package).with_suffix("").parts))
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if file.parent == package:
            continue  # the package's own __init__ and __main__ hand out what lies in the rooms
        if file.name == "__init__.py" and not holds_only_a_docstring(tree):
            found.append(f"{module} holds more than a docstring")
        for name in imports(tree, module):
            if (wrong := problem(module, name)) is not None:
                found.append(f"{module} imports {name}: {wrong}")
    return found


def imports(tree: ast.Module, module: str) -> Iterator[str]:
    """Yield the dotted name of everything that is imported, ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            yield from (word.value for word in node.args[:1] if isinstance(word, ast.Constant))


def problem(module: str, name: str) -> str | None:
    """Return what is wrong with one import; None if the table allows it."""
    room = module.split(".")[1]
    top, _, rest = name.partition(".")
    other = rest.partition(".")[0]
    if room not in MAY_IMPORT:
        return f"the room {room} is not in the table"
    if top != "tuner":
        if room == "facts" and top not in sys.stdlib_module_names:
            return "facts need the standard library alone"
        return f"{room} does without {top}" if top in FORBIDDEN.get(room, ()) else None
    if room != "datasets" and module not in TEST_SPLIT_READERS and within(name, TEST_SPLIT):
        return "the test split is out of reach while anything is chosen"
    # What is no room is a name of the package itself, such as its version.
    allowed = other == room or other not in MAY_IMPORT or other in MAY_IMPORT[room]
    return None if allowed else f"{room} may not import {other}"


def within(name: str, targets: tuple[str, ...]) -> bool:
    return any(name == target or name.startswith(f"{target}.") for target in targets)


def holds_only_a_docstring(tree: ast.Module) -> bool:
    return len(tree.body) == 1 and ast.get_docstring(tree) is not None


def test_every_import_keeps_to_the_table():
    assert violations(PACKAGE) == []


def test_every_room_is_in_the_table():
    rooms = {folder.name for folder in PACKAGE.iterdir() if (folder / "__init__.py").exists()}
    assert rooms <= set(MAY_IMPORT)


def test_no_room_bears_the_name_of_a_public_function():
    assert not set(tuner.__all__) & {path.stem for path in PACKAGE.iterdir()}


def test_nothing_in_the_data_sets_but_its_own_module_reads_the_test_split():
    """Splits that trials see are made in the same room, so its own modules are looked at one by one."""
    for file in (PACKAGE / "datasets").glob("*.py"):
        names = imports(ast.parse(file.read_text(encoding="utf-8")), f"tuner.datasets.{file.stem}")
        assert not any(within(name, TEST_SPLIT[:1]) for name in names), file.name


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("facts/a.py", "import numpy", "facts need the standard library alone"),
        ("facts/a.py", "from tuner.space import domains", "facts may not import space"),
        ("space/a.py", "from tuner.hyperparameters.table import FIELDS", "space may not import hyperparameters"),
        ("training/a.py", "import ray", "training does without ray"),
        ("training/a.py", "def f():\n    from optuna.trial import Trial", "training does without optuna"),
        ("training/a.py", "import pyarrow.parquet as pq", "training does without pyarrow"),
        ("training/a.py", "from tuner.datasets.split import split", "training may not import datasets"),
        ("search/a.py", "import torch.nn", "search does without torch"),
        ("search/a.py", "from ..training import loop", "search may not import training"),
        ("leaderboard/a.py", "import tuner.search.ledger", "leaderboard may not import search"),
        ("study/a.py", "from tuner import cli", "study may not import cli"),
        ("study/a.py", "import importlib\nimportlib.import_module('tuner.cli.main')", "study may not import cli"),
        ("study/a.py", "from tuner.datasets import test_split", "the test split is out of reach"),
        ("study/a.py", "from tuner.datasets.test_split import load_test", "the test split is out of reach"),
        ("study/a.py", "from tuner.datasets.prepared import load_split", "the test split is out of reach"),
        ("cli/search.py", "from tuner.datasets.test_split import load_test", "the test split is out of reach"),
        ("report/a.py", "from tuner.study.run import run", "report may not import study"),
        ("service/a.py", "import torch", "service does without torch"),
        ("attic/a.py", "import json", "the room attic is not in the table"),
        ("space/__init__.py", '"""Words."""\nfrom tuner.facts import errors', "holds more than a docstring"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path, module, line, said):
    plant(tmp_path, module, line)
    assert [sentence for sentence in violations(tmp_path) if said in sentence]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("facts/a.py", "import json, os.path"),
        (
            "space/a.py",
            "from tuner.facts.errors import Problem\nfrom tuner.space import domains\nfrom . import domains",
        ),
        ("cli/a.py", "import tuner\nfrom tuner import __version__\nfrom tuner.study.run import run"),
        ("cli/train.py", "from tuner.datasets.test_split import load_test"),
        ("study/a.py", "from tuner.datasets.prepare import prepare\nimport ray, torch"),
        ("space/__init__.py", '"""Words."""'),
    ],
)
def test_what_the_table_allows_passes(tmp_path, module, line):
    plant(tmp_path, module, line)
    assert violations(tmp_path) == []


def plant(folder, module, text):
    file = folder / module
    file.parent.mkdir()
    file.write_text(text)


def test_help_and_the_package_load_nothing_heavy():
    code = (
        "import contextlib, sys, tuner; from tuner.cli.main import main\n"
        "with contextlib.suppress(SystemExit): main(['--help'])\n"
        "sys.exit(' '.join({'torch', 'ray', 'optuna', 'pandas', 'pyarrow', 'numpy', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == ""
    assert "leaderboard" in done.stdout
