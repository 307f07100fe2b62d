"""Looks for the file and function of one's own trainable, ``package.module:function``, without importing it."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tuner.facts.errors import relative_to_cwd
from tuner.space.problems import suggestion

_SPELLING = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


_MOST_ARGUMENTS = 2


def trainable_problem(trainable: str, builtin: Iterable[str], folder: Path) -> str | None:
    """Return why a trainable cannot be used, as one sentence; None if it is built in or its function was found.

    Args:
        trainable: As the search file says it.
        builtin: Names of the built-in ones.
        folder: The search file's folder; the current folder and the import path come after it.
    """
    known = tuple(builtin)
    if trainable in known:
        return None
    if _SPELLING.fullmatch(trainable) is None:
        near = suggestion(trainable, known)
        return f"trainable must be {' or '.join(known)}, or package.module:function, not '{trainable}'{near}"
    module, function = trainable.split(":")
    parts = module.split(".")
    path = _find(parts, [folder, Path.cwd()]) or _installed(parts)
    if path is None:
        return f"the module '{module}' is neither beside the search file, nor in the current folder, nor installed"
    wrong = _function_problem(path, function)
    return None if wrong is None else f"the module '{module}' ({relative_to_cwd(path)}) {wrong}"


def lies_in(trainable: str, folder: Path) -> bool:
    """Return whether the module of one's own trainable is a file in a folder, or in a package there."""
    return _find(trainable.partition(":")[0].split("."), [folder]) is not None


def _function_problem(path: Path, function: str) -> str | None:
    if path.suffix != ".py":
        return None  # compiled: only an import could tell
    try:
        body = ast.parse(path.read_bytes()).body
    except SyntaxError as error:
        return f"is wrong in line {error.lineno}: {error.msg}"
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        return f"cannot be read: {error}"
    names = set(_bound(body))
    if function not in names and "*" not in names:
        return f"has no function '{function}'{suggestion(function, names)}"
    plain = [item for item in body if isinstance(item, ast.FunctionDef) and item.name == function]
    return _shape_problem(plain[-1]) if plain and not plain[-1].decorator_list else None


def _shape_problem(function: ast.FunctionDef) -> str | None:
    """Return what keeps a function from being a trainable, as far as its text tells."""
    if not any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function)):
        return f"has a function '{function.name}' without a yield; it must yield once an epoch"
    arguments = function.args
    positional = len(arguments.posonlyargs) + len(arguments.args)
    required = positional - len(arguments.defaults)
    if (arguments.vararg is None and positional == 0) or required > _MOST_ARGUMENTS:
        return f"has a function '{function.name}' that cannot be called as train(config) or train(config, checkpoint)"
    return None


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """Yield what a function's body holds, functions inside it left out."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def _find(parts: list[str], folders: Iterable[Path]) -> Path | None:
    for folder in folders:
        place = folder.joinpath(*parts)
        for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _installed(parts: list[str]) -> Path | None:
    try:
        spec = importlib.util.find_spec(parts[0])  # of a top-level name: finds without importing
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if len(parts) == 1:
        return Path(spec.origin) if spec.origin and spec.has_location else None
    return _find(parts[1:], [Path(folder) for folder in spec.submodule_search_locations or ()])


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind at the top of a module, inside ``if`` and ``try`` as well."""
    for statement in body:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from (alias.asname or alias.name for alias in aliases)
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.If(body=inner, orelse=other):
                yield from _bound([*inner, *other])
            case ast.Try(body=inner, handlers=handlers, orelse=other):
                yield from _bound([*inner, *other, *(item for handler in handlers for item in handler.body)])
