"""Settings of a test run, and what its header says."""

from __future__ import annotations

import random
import signal

import pytest
from hypothesis import HealthCheck, settings

import bytepair
from common import EXAMPLES, SEED

settings.register_profile(
    "bytepair",
    max_examples=EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("bytepair")


def pytest_report_header() -> list[str]:
    """Say what decides the results of this run."""
    unicode = bytepair.UNICODE_VERSION
    return [f"bytepair {bytepair.__version__}, Unicode {unicode}; {EXAMPLES} examples a property, seed {SEED}"]


@pytest.fixture(autouse=True)
def ctrl_c() -> None:
    """Let Ctrl-C raise, also where the tests run in the background and the shell has it ignored."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def rng() -> random.Random:
    """Random numbers that are the same in every run with one seed, which the header prints."""
    return random.Random(SEED)
