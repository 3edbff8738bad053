"""The guide shows what happens: every snippet is run, in the order of the text, and its output compared."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parent.parent / "docs" / "from-text-to-logits.md"

BLOCK = re.compile(r"^```(\w+)( measured)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")

# What is measured on the standard library of another Python differs by less than this.
TOLERANCE = 0.1


def alike(want: str, got: str) -> bool:
    """Whether two outputs are the same but for numbers, and these nearly."""
    if [part.split() for part in NUMBER.split(want)] != [part.split() for part in NUMBER.split(got)]:
        return False
    pairs = zip(NUMBER.findall(want), NUMBER.findall(got), strict=True)
    values = [(float(a.replace(",", "")), float(b.replace(",", ""))) for a, b in pairs]
    return all(abs(a - b) <= TOLERANCE * max(a, b) for a, b in values)


class Measured(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        return alike(want, got) or super().check_output(want, got, optionflags)


def blocks(language: str) -> list[tuple[bool, str]]:
    """The blocks of a language, and whether what they print is measured."""
    found = BLOCK.findall(GUIDE.read_text())
    return [(bool(measured), body) for name, measured, body in found if name == language]


def commands() -> list[tuple[str, str]]:
    """The commands for the shell, each with what it prints."""
    found = []
    for _, body in blocks("console"):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_every_block_is_of_a_language_that_is_run():
    names = {name for name, _, _ in BLOCK.findall(GUIDE.read_text())}
    assert names == {"python", "console"}
    assert GUIDE.read_text().count("```") == 2 * len(BLOCK.findall(GUIDE.read_text()))


def test_python():
    session: dict[str, object] = {}
    for measured, body in blocks("python"):
        test = doctest.DocTestParser().get_doctest(body, session, GUIDE.name, None, 0)
        checker = Measured() if measured else doctest.OutputChecker()
        runner = doctest.DocTestRunner(checker, optionflags=doctest.NORMALIZE_WHITESPACE)
        failed, run = runner.run(test, clear_globs=False)
        assert failed == 0
        assert run > 0
        session = test.globs


@pytest.mark.parametrize(("command", "output"), commands())
def test_the_shell(command, output):
    command = re.sub(r"\bbytepair\b", f"{sys.executable} -m bytepair", command)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [line.rstrip() for line in done.stdout.splitlines()] == output.splitlines()


def test_numbers_that_are_measured_may_differ_a_little():
    assert alike("1,000 0.50 7%\n", "1,050  0.51 7%")
    assert not alike("1,000 0.50\n", "1,200 0.50")
    assert not alike("1,000 bytes\n", "1,000 tokens")
    assert not alike("1 2\n", "1")
