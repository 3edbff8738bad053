"""Imports point one way only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RUST = ROOT / "rust" / "core" / "src"

# Each Rust module, and the others that it may use.
RUST_MAY_USE = {
    "error": {"ids"},
    "ids": set(),
    "interrupt": {"error"},
    "counters": set(),
    "threads": {"error"},
    "huge_pages": set(),
    "prefetch": set(),
    "unicode": set(),
    "rows": {"ids", "error"},
    "pretokenize": {"ids", "error", "counters", "unicode"},
    "keys": {"ids", "pretokenize"},
    "text": {"ids", "error", "prefetch", "pretokenize"},
    "pipeline": {"ids", "error", "unicode", "pretokenize"},
    "definition": {"ids", "error", "pretokenize", "pipeline"},
    "vocab": {"ids", "error", "counters", "definition", "pipeline"},
    "encode": {
        "ids",
        "error",
        "counters",
        "interrupt",
        "keys",
        "prefetch",
        "threads",
        "definition",
        "pretokenize",
        "vocab",
        "huge_pages",
        "text",
    },
    "decode": {"ids", "error", "vocab"},
    "train": {
        "ids",
        "error",
        "interrupt",
        "keys",
        "huge_pages",
        "prefetch",
        "threads",
        "unicode",
        "definition",
        "pretokenize",
        "vocab",
        "pipeline",
    },
    "formats": {"ids", "error", "definition", "pretokenize", "vocab", "pipeline"},
    "ask": {"ids", "error", "interrupt", "definition", "pretokenize", "vocab", "encode", "tokenizer"},
    "builtin": {"definition", "encode", "error", "formats", "ids", "pretokenize", "tokenizer", "vocab"},
    "open_end": {"ids", "error", "interrupt", "definition", "encode", "vocab", "tokenizer"},
    "tokenizer": {
        "ids",
        "error",
        "interrupt",
        "threads",
        "huge_pages",
        "definition",
        "pretokenize",
        "vocab",
        "encode",
        "decode",
        "formats",
        "pipeline",
        "text",
        "unicode",
    },
}

# Each Python module of the package, and the others that it may import.
PYTHON_MAY_IMPORT = {
    "errors": set(),
    "reference": set(),
    "_types": {"sources"},
    "_report": {"_corpus", "_report_page", "_types"},
    # Imported where a report is saved.
    "_report_page": {"_files", "_report", "_svg"},
    "_svg": set(),
    "_files": {"errors"},
    "_load": {"_core", "_files", "_gguf", "_hub", "_types", "errors"},
    # Imported where they are needed: each needs an extra.
    "_gguf": {"_core", "_gguf_reader", "errors"},
    "_gguf_reader": {"errors"},
    "_hub": {"_load", "errors"},
    "sources": {"_readers", "_types", "errors"},
    # Imported where a file is read, and the second where an extra is needed.
    "_readers": {"_columns", "_core", "errors", "sources"},
    "_columns": {"_readers", "_types", "errors", "sources"},
    "_processors": set(),
    "_corpus": {"_core", "_processors", "_readers", "_types", "errors", "sources"},
    "_arguments": {"errors"},
    "_arrays": {"_core", "_types"},
    "counts": {"_arguments", "_core", "_corpus", "_files", "_types", "errors", "sources"},
    # Imported where a training has one.
    "_checkpoint": {"_corpus", "_files", "_types", "counts", "errors", "sources"},
    "_training": {"_arrays", "_checkpoint", "_core", "_report", "_types", "counts", "errors", "sources"},
    "tokenizer": {"_arguments", "_core", "_files", "_load", "_training", "_types", "counts", "errors"},
    # Ray is imported where a function is called that needs it.
    "distributed": {
        "_corpus",
        "_files",
        "_readers",
        "_training",
        "_types",
        "counts",
        "distributed",
        "errors",
        "sources",
        "tokenizer",
    },
    "_figure": set(),
    "unicode": {"_corpus", "_figure", "_types", "errors", "tokenizer", "unicode"},
    "_encoding": {"_core"},
    "huggingface": {"_core", "_encoding", "_files", "_load", "errors", "tokenizer"},
    "__init__": {"_core", "_report", "counts", "errors", "sources", "tokenizer"},
    "__main__": {"cli"},
    "tiktoken": {"_core", "_files", "tiktoken"},
    # It knows no tokenizer: ids come in as arrays.
    "transformer": {"_gguf_reader", "errors", "transformer"},
    # Of the transformer, `config` alone: tests/test_accounting.py.
    "accounting": {"_figure", "accounting", "transformer"},
    "_measure": {"__init__", "_measure", "errors"},
    "cli": {
        "_core",
        "__init__",
        "_figure",
        "_files",
        "_measure",
        "_processors",
        "_types",
        "accounting",
        "cli",
        "transformer",
        "unicode",
    },
}


def rust_module(path: Path) -> str:
    return path.relative_to(RUST).parts[0].removesuffix(".rs")


def rust_uses(code: str) -> set[str]:
    """The modules of the crate that code names, also in braces: `crate::{error::Error, ids}`."""
    used = set(re.findall(r"\bcrate::([a-z_]+)\b(?!!)", code))
    for group in re.findall(r"\bcrate::\{((?:[^{}]|\{[^{}]*\})*)\}", code):
        used.update(re.findall(r"(?:^|,)\s*([a-z_]+)", re.sub(r"\{[^{}]*\}", "", group)))
    return used


def test_uses_are_seen_in_any_form():
    assert rust_uses("use crate::error::Error; crate::ids::widen(1)") == {"error", "ids"}
    assert rust_uses("use crate::{error::{Error, Result}, ids, train::x};") == {"error", "ids", "train"}
    assert rust_uses("use crate::vocab;") == {"vocab"}
    assert rust_uses("use crate::{Error, Result};") == set()


def test_rust_modules_use_only_those_below_them():
    seen = set()
    for path in RUST.rglob("*.rs"):
        module = rust_module(path)
        # The second is a test.
        if module in {"lib", "linear_time"}:
            continue
        seen.add(module)
        tests = r"^#\[cfg\(test\)\]\s+(?:pub\(super\) )?mod tests\b"
        code = re.split(tests, path.read_text(), maxsplit=1, flags=re.MULTILINE)[0]
        # `//!` and `///` may name what lies above; code may not.
        code = "\n".join(line for line in code.splitlines() if not line.lstrip().startswith("//"))
        used = rust_uses(code) - {module}
        if path.name == "tests.rs":
            continue
        assert used <= RUST_MAY_USE[module], f"{path} uses {used - RUST_MAY_USE[module]}"
    assert seen == set(RUST_MAY_USE)


def test_the_core_knows_no_python():
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "--offline", "--package", "bytepair-core", "--edges", "normal"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "bytepair-core" in tree
    assert "pyo3" not in tree
    assert "fancy-regex" not in tree, "no backtracking engine in what ships"


def imports(path: Path) -> set[str]:
    """The modules of bytepair that a file imports when it runs; for annotations alone does not count."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bytepair":
            below = node.module.split(".")[1:2]
            found.update(below or (alias.name for alias in node.names))
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found.update((name[1:2] or ["__init__"])[0] for name in names if name[0] == "bytepair")
    modules = {path.stem for path in (ROOT / "python" / "bytepair").iterdir()} | {"_core"}
    return {name if name in modules else "__init__" for name in found}


def test_python_modules_import_only_those_below_them():
    package = ROOT / "python" / "bytepair"
    for path in package.rglob("*.py"):
        module = path.relative_to(package).parts[0].removesuffix(".py")
        extra = imports(path) - PYTHON_MAY_IMPORT[module]
        assert not extra, f"{path} imports {extra}"


@pytest.mark.alone
def test_importing_bytepair_loads_nothing_slow(tmp_path):
    slow = ("numpy", "rich", "regex", "dataclasses", "inspect", "importlib.metadata", "hashlib", "difflib", "tempfile")
    # What the interpreter has loaded before, such as for an editable install, does not count.
    code = f"""
import sys, time
before, started = set(sys.modules), time.perf_counter()
import bytepair
print(f"{{(time.perf_counter() - started) * 1000:.1f}} ms", *({{*{slow}}} & (set(sys.modules) - before)))
"""
    shown = [
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    print("importing bytepair takes", min(shown, key=lambda line: float(line.split()[0])).strip())
    assert [line.split()[2:] for line in shown] == [[]] * 3


def test_the_command_starts_without_numpy():
    """Each verb imports what it needs when it runs: `bytepair encode` does not wait for what `account` needs."""
    code = "import sys, bytepair.cli; print(*{'numpy', 'rich', 'bytepair.transformer'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == []


# Each file that has unsafe code, and how many blocks: what it gains is in benches/LOG.md, why it is sound in the file.
UNSAFE = {
    "core/src/pretokenize/simd/x86.rs": 4,
    "core/src/pretokenize/simd/avx512.rs": 6,
    "core/src/pretokenize/simd/neon.rs": 2,
    "core/src/keys/eights.rs": 5,
    "core/src/keys/fours.rs": 5,
    "core/src/encode/hits.rs": 2,
    "core/src/encode/apart.rs": 6,
    "core/src/encode/segments.rs": 2,
    "core/src/text/avx2.rs": 6,
    "core/src/text/avx512.rs": 4,
    "core/src/text/characters/avx2.rs": 4,
    "core/src/text/characters/mod.rs": 1,
    "core/src/prefetch.rs": 1,
    "core/src/huge_pages.rs": 1,
    "py/src/buffer.rs": 2,
    "py/src/characters.rs": 4,
    "py/src/ints.rs": 3,
}


def test_unsafe_code_is_where_it_may_be():
    found = {}
    for path in (ROOT / "rust").glob("*/src/**/*.rs"):
        n_blocks = len(re.findall(r"\bunsafe\s*(?:\{|fn|impl)", path.read_text()))
        if n_blocks:
            found[path.relative_to(ROOT / "rust").as_posix()] = n_blocks
    assert found == UNSAFE
