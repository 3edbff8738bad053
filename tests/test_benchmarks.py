"""The comparison with the peers runs, on a little of each kind of work."""

from __future__ import annotations

import json
import math
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bytepair._measure import rounds, table

pytestmark = pytest.mark.alone

BENCHES = Path(__file__).parents[1] / "benches"
COMPARE = BENCHES / "compare.py"


def compare(*options: object) -> str:
    command = [sys.executable, COMPARE, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_regime_runs(tmp_path):
    path = tmp_path / "figures.json"
    # The names are of a corpus, of all, of what is there without corpora, and of a hostile text.
    options = ["--megabytes", 0.05, "--runs", 1, "--only", "en", "all", "stdlib", "small letters", "--json", path]
    machine, versions, *lines = compare(*options, "--peers", sys.executable).splitlines()
    assert machine
    assert "tiktoken" in versions
    assert max(map(len, lines)) <= 80
    report = json.loads(path.read_text())
    assert report["versions"].keys() == {"bytepair", "tiktoken", "tokenizers", "rustbpe"}
    for name, (row,) in report["regimes"].items():
        assert any(line.startswith(f"{name}: ") for line in lines)
        for contestant, found in row["contestants"].items():
            assert "error" not in found, f"{name}, {contestant}: {found}"
            # What is held above the ids may be less than nothing of so little text.
            assert all(figure["median"] > 0 for key, figure in found["figures"].items() if key != "above")
    shown = compare("--table", path).splitlines()
    assert shown[0].startswith("| what")
    assert any("tokenizers" in line for line in shown)
    assert any(line.startswith("| import |") for line in shown)


def runs(**results: object):
    """What `compare` makes of the results of three contestants."""
    contestants = {name: rounds.Contestant.parse(f"{name} list", 1) for name in ("bytepair", "tiktoken", "peer")}
    good = {"figures": {"cold": 2.0}, "digests": {"ids": "a"}}
    return rounds.compare(contestants, lambda contestant: {**good, **results.get(contestant.engine, {})}, 3)


def test_ratios_are_to_ours():
    found = runs(peer={"figures": {"cold": 5.0}})["peer"]["figures"]["cold"]
    assert found == {"median": 5.0, "ratio": 2.5, "runs": [5.0] * 3}


def test_a_peer_that_differs_is_named_and_has_no_figures():
    found = runs(peer={"digests": {"ids": "b"}})
    assert found["peer"] == {"error": "other results than bytepair's"}
    assert "figures" in found["tiktoken"]
    *_, line = table.lines([*found], found, ["cold"], 10**7)
    assert line.split(maxsplit=1) == ["peer", "other results than bytepair's"]
    assert runs(peer={"error": "ValueError: no"})["peer"] == {"error": "ValueError: no"}


def test_nothing_is_compared_where_ours_differ_from_tiktoken():
    with pytest.raises(rounds.DifferentResultsError, match="tiktoken: other results"):
        runs(tiktoken={"digests": {"ids": "b"}})
    assert "error" in runs(tiktoken={"error": "it is not installed"})["tiktoken"]
    with pytest.raises(rounds.DifferentResultsError, match="bytepair: MemoryError"):
        runs(bytepair={"error": "MemoryError: "})


def test_a_run_that_dies_is_an_error(tmp_path):
    script = tmp_path / "dies.py"
    script.write_text("import os; os.abort()")
    assert "ended with -6" in rounds.run(sys.executable, {}, script)["error"]


def test_names_of_texts_tell_how_much_of_them_is_read():
    texts = runpy.run_path(str(BENCHES / "texts.py"))
    regimes = tomllib.loads((BENCHES / "engines.toml").read_text())["regimes"]
    names = {name for regime in regimes for corpus in regime["corpora"] for name in texts["named"](corpus)}
    sizes = {name: texts["size_of"](name) for name in names}
    found = {name: size for name, size in sizes.items() if size < math.inf}
    assert found == {f"all, {size} MB": size for size in (1, 4, 16, 64)}
    for name in names:
        if name.startswith(texts["HOSTILE"]):
            assert texts["texts_of"](name, None, 0.001, "one")
