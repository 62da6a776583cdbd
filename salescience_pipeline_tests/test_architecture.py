"""The house's own rules, held by tests: layers, file sizes, docstrings, annotations, and nothing unfinished."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "salescience_pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.py"))
TESTS = sorted((ROOT / "salescience_pipeline_tests").rglob("*.py"))
PUBLISHED = [path for path in (*MODULES, *BENCHMARKS, *TESTS) if path.name != Path(__file__).name]

TABLES = {"documents/geography.py"}
"""Files that are one table from top to bottom; only such a file may be longer than 400 lines."""
LIMIT = 400


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _functions(tree: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_the_import_contracts_hold(tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--config", ROOT / "pyproject.toml"]
    done = subprocess.run(
        [*map(str, command), "--cache-dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_every_room_has_its_place_in_the_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    # The sandbox and what it serves stand outside: they have contracts of their own.
    assert rooms - placed == {"sandbox", "fiction"}


def test_no_module_is_too_long() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    tables = {PACKAGE / name for name in TABLES}
    assert {_name(path): count for path, count in lines.items() if count > LIMIT and path not in tables} == {}
    # A table with much code in it would be no table.
    assert {_name(path) for path in tables if len(_functions(_tree(path))) > 6} == set()


def test_every_module_says_what_it_is() -> None:
    every = [*MODULES, *BENCHMARKS, *TESTS]
    assert [_name(path) for path in every if len((ast.get_docstring(_tree(path)) or "").split()) < 3] == []


def test_every_function_says_what_it_returns() -> None:
    silent = [
        f"{_name(path)}: {function.name}"
        for path in (*MODULES, *BENCHMARKS)
        for function in _functions(_tree(path))
        if function.returns is None
    ]
    assert silent == []


def test_there_are_no_stubs() -> None:
    stubs = [f"{_name(path)}: {name}" for path in MODULES for name in _stubs(_tree(path))]
    assert stubs == []
    hollow = [path for path in MODULES if path.name != "__init__.py" and len(_tree(path).body) < 2]
    assert [_name(path) for path in hollow] == []


def _stubs(tree: ast.Module) -> list[str]:
    """Functions without a body that say nothing of why; those of protocols are meant to have none."""
    promised = {
        part
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any("Protocol" in ast.unparse(base) for base in node.bases)
        for part in node.body
    }
    return [
        function.name
        for function in _functions(tree)
        if function not in promised
        and (
            "NotImplementedError" in ast.unparse(function)
            or (all(_is_nothing(part) for part in function.body) and not ast.get_docstring(function))
        )
    ]


def _is_nothing(part: ast.stmt) -> bool:
    return isinstance(part, ast.Pass) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))


def test_nothing_is_left_for_later() -> None:
    marks = ("TODO", "FIXME", "XXX:")
    assert [_name(path) for path in PUBLISHED if any(mark in path.read_text("utf-8") for mark in marks)] == []


def test_folders_are_two_deep_at_most() -> None:
    # Alembic wants its versions in a folder of their own.
    deep = [_name(path) for path in MODULES if len(path.relative_to(PACKAGE).parts) > 2]
    assert [name for name in deep if "/ledger/migrations/" not in name] == []


def test_the_dbt_project_does_not_shadow_dbt() -> None:
    assert not list((ROOT / "dbt").rglob("__init__.py"))
