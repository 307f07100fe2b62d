"""What the package never calls, held by every module's syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuner

PACKAGE = Path(tuner.__file__).parent

#: Modules that turn data into code or objects, or take an archive's word for where its files go.
MODULES = {
    "pickle",
    "_pickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
    "runpy",
    "zipfile",
    "tarfile",
    "yaml",
}
#: Calls that run text, or read what does.
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "system",
    "popen",
    "getoutput",
    "getstatusoutput",
    "read_pickle",
    "to_pickle",
    "extract",
    "extractall",
    "query",
}
#: Calls that are safe with one keyword alone.
KEYWORDS = {
    "numpy.load": ("allow_pickle", False),
    "numpy.save": ("allow_pickle", False),
    "torch.load": ("weights_only", True),
}

#: Module and what it may do after all, to the reason.
REASONS: dict[tuple[str, str], str] = {
    ("tuner.study.archive", "tarfile"): "a checkpoint's folder as one object",
    ("tuner.study.archive", "extractall"): "with a filter that refuses more than filter='data' does",
    ("tuner.study.job", "import_module"): "one's own trainable, named in the search file",
    ("tuner.__init__", "import_module"): "a public name, from its table",
    ("tuner.cli.main", "import_module"): "the module of a command, from its table",
}


def findings(tree: ast.Module, module: str) -> Iterator[str]:
    """Yield a word or two for everything in a module that may not be there."""
    names = aliases(tree)
    found = {name.partition(".")[0] for name in names.values()} & MODULES
    found |= {wrong for node in ast.walk(tree) if isinstance(node, ast.Call) and (wrong := problem(node, names))}
    yield from sorted(wrong for wrong in found if (module, wrong) not in REASONS)


def problem(call: ast.Call, names: dict[str, str]) -> str | None:
    """Return what is wrong with a call; None if nothing is."""
    name = dotted(call.func, names)
    last = name.rpartition(".")[2]
    keywords = {item.arg: item.value.value for item in call.keywords if isinstance(item.value, ast.Constant)}
    if keywords.get("shell") is True:
        return "a shell"
    if name in KEYWORDS:
        keyword, value = KEYWORDS[name]
        return None if keywords.get(keyword) is value else f"{name} without {keyword}={value}"
    if last == "import_module" and not (call.args and isinstance(call.args[0], ast.Constant)):
        return last
    if last in METHODS:
        return None if keywords.get("filter") == "data" else last
    return name if name in BUILTINS else None


def aliases(tree: ast.Module) -> dict[str, str]:
    """Return the dotted origin of each imported name."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                top = item.name.partition(".")[0]
                found[item.asname or top] = item.name if item.asname else top
        elif isinstance(node, ast.ImportFrom):
            found |= {(item.asname or item.name): f"{node.module}.{item.name}" for item in node.names}
    return found


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def test_nothing_in_the_package_runs_what_it_reads() -> None:
    wrong = []
    for file in sorted(PACKAGE.rglob("*.py")):
        module = ".".join(("tuner", *file.relative_to(PACKAGE).with_suffix("").parts))
        wrong += [f"{module}: {found}" for found in findings(ast.parse(file.read_text(encoding="utf-8")), module)]
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import cloudpickle as c",
        "def f():\n    import marshal",
        "import yaml",
        "import zipfile",
        "import tarfile",
        "import torch\ntorch.load(path)",
        "import torch\ntorch.load(path, weights_only=False)",
        "from torch import load\nload(path)",
        "import numpy as np\nnp.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
        "import numpy as np\nnp.save(path, values)",
        "archive.extractall(path)",
        "archive.extract(member, path, filter='fully_trusted')",
        "eval(text)",
        "exec(text)",
        "compile(text, '', 'eval')",
        "__import__(name)",
        "import importlib\nimportlib.import_module(name)",
        "from importlib import import_module\nimport_module(f'a.{name}')",
        "import os\nos.system(text)",
        "import subprocess\nsubprocess.run(text, shell=True)",
        "frame.query(text)",
        "pd.read_pickle(path)",
    ],
)
def test_a_planted_line_is_caught(line: str) -> None:
    assert list(findings(ast.parse(line), "tuner.planted"))


@pytest.mark.parametrize(
    "line",
    [
        "import re\nre.compile('a')",
        "import torch\ntorch.load(path, map_location='cpu', weights_only=True)",
        "import numpy as np\nnp.load(path, mmap_mode='c', allow_pickle=False)",
        "archive.extractall(path, filter='data')",
        "import subprocess\nsubprocess.run(['git', 'describe'], check=True)",
        "model.eval()",
    ],
)
def test_a_harmless_line_passes(line: str) -> None:
    assert list(findings(ast.parse(line), "tuner.planted")) == []


def test_every_exception_is_still_needed() -> None:
    for module, what in REASONS:
        file = PACKAGE.parent / (module.replace(".", "/") + ".py")
        assert what in file.read_text(encoding="utf-8"), module
