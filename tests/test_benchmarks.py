"""The comparison with the peers runs, on a little of each kind of work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

COMPARE = Path(__file__).parents[1] / "benches" / "compare.py"


def test_every_regime_runs(tmp_path):
    path = tmp_path / "figures.json"
    # The names are of a corpus, of what is there without corpora, and of a hostile text.
    options = ["--megabytes", "0.05", "--runs", "1", "--only", "en", "standard library", "a", "--json", str(path)]
    done = subprocess.run([sys.executable, COMPARE, *options], capture_output=True, text=True, check=True)
    machine, versions, *table = done.stdout.splitlines()
    assert machine
    assert "tiktoken" in versions
    assert max(map(len, table)) <= 80
    report = json.loads(path.read_text())
    assert report["versions"].keys() == {"bytepair", "tiktoken", "tokenizers", "rustbpe"}
    for name, rows in report["regimes"].items():
        assert f"\n{name}: " in done.stdout
        assert len(rows) == 1
        for figures in rows[0]["engines"].values():
            assert all(figure["median"] > 0 for figure in figures.values())
