"""What the documentation shows is what happens."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bytepair
from bytepair import _core

ROOT = Path(__file__).parent.parent
PUBLIC = sorted(name for name in vars(_core.Tokenizer) if not name.startswith("_"))


def run_examples(text: str, name: str) -> int:
    test = doctest.DocTestParser().get_doctest(text, {"bytepair": bytepair}, name, None, 0)
    failed, run = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert failed == 0
    return run


@pytest.mark.parametrize("name", PUBLIC)
def test_compiled_methods(name: str):
    doc = getattr(_core.Tokenizer, name).__doc__
    assert doc
    method = callable(getattr(_core.Tokenizer, name))
    assert run_examples(doc, name) > 0 or not method, "each method shows an example"
    if method:
        assert "Returns\n-------" in doc


@pytest.mark.parametrize(
    "name",
    ["DecodeStream.push", "DecodeStream.flush", "EncodeStream.append", "EncodeStream.rollback", "EncodeStream.ids"],
)
def test_methods_of_streams(name: str):
    kind, method = name.split(".")
    assert run_examples(getattr(getattr(_core, kind), method).__doc__, name) > 0


@pytest.mark.parametrize("module", [m.name for m in pkgutil.walk_packages(bytepair.__path__, "bytepair.")])
def test_modules(module: str):
    if module.endswith(("__main__", "_core")):
        return
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_the_package():
    assert doctest.testmod(bytepair).attempted > 0


def test_readme_examples():
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert run_examples("\n".join(blocks), "README.md") >= 5


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("migrating-*.md")), ids=lambda path: path.name)
def test_migration_examples(path: Path):
    blocks = re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    assert run_examples("\n".join(blocks), path.name) >= 3


def test_the_readme_holds_no_placeholders():
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", prose) == []


def test_every_target_of_the_makefile_is_helped():
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE).group(1).split()
    # Run under `make ci`, another make would speak of the folders that it enters.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "help"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in shown.splitlines()] == phony


def test_the_version_is_one():
    cargo = (ROOT / "Cargo.toml").read_text()
    assert f'version = "{bytepair.__version__}"' in cargo
    assert f"## {bytepair.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    shown = subprocess.run(
        [sys.executable, "-m", "bytepair", "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert shown == f"bytepair {bytepair.__version__}\n"
