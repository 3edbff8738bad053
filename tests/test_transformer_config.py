"""Shapes of models: what is refused, and those known by name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bytepair import ShapeError
from bytepair.transformer import COMPONENTS, Config, count_flops
from bytepair.transformer.ops import matmul

SMALL = {"vocab_size": 9, "context_length": 8, "num_layers": 1, "d_model": 12, "num_heads": 6, "d_ff": 5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vocab_size", 0),
        ("context_length", -1),
        ("num_layers", 2**31),
        ("d_model", 12.0),
        ("d_model", 13),
        ("num_heads", True),
        ("d_ff", "5"),
        ("num_kv_heads", 4),
        ("num_kv_heads", 0),
        ("rope_theta", 0),
        ("rope_theta", float("inf")),
        ("norm_eps", float("nan")),
        ("norm_eps", "1e-5"),
        ("tie_embeddings", 1),
        ("activation", "relu"),
        ("norm", None),
        ("position", ["rope"]),
        ("bias", False),
    ],
)
def test_a_field_that_does_not_fit_is_named(field, value):
    with pytest.raises(ShapeError, match=f"^{field} "):
        Config(**SMALL | {field: value})


def test_rotary_positions_need_pairs():
    with pytest.raises(ShapeError, match="even"):
        Config(**SMALL | {"d_model": 18})
    assert Config(**SMALL | {"d_model": 18, "position": "learned"}).head_dim == 3


def test_a_config_is_a_value():
    config = Config(**SMALL)
    assert config == Config(**SMALL, num_kv_heads=6)
    assert hash(config) == hash(Config(**SMALL, num_kv_heads=None))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_ff = 6


def test_presets():
    assert {Config.preset(name).vocab_size for name in Config.presets()} == {50_257, 10_000, 49_152}
    sizes = ("small", "medium", "large", "xl")
    assert [Config.preset(size).d_ff for size in sizes] == [3072, 4096, 5120, 6400]
    assert [Config.preset(f"{size}-8/3").d_ff for size in sizes] == [2048, 2752, 3392, 4288]
    assert all(Config.preset(f"gpt2-{size}").tie_embeddings for size in sizes)
    notes = Config.preset("gpt2-xl-notes")
    assert dataclasses.astuple(notes)[:7] == (50_257, 1024, 48, 1600, 25, 6400, 25)
    with pytest.raises(ValueError, match=r"no preset 'gpt3'.*tinystories"):
        Config.preset("gpt3")


def test_products_are_counted_by_component_and_only_within():
    a, b = np.ones((4, 1, 2, 3), np.float32), np.ones((5, 3, 7), np.float32)
    matmul("scores", a, b)
    with count_flops() as flops:
        assert flops == dict.fromkeys(COMPONENTS, 0)
        matmul("scores", a, b)
        matmul("ffn", a[0, 0], b[0])
    matmul("ffn", a[0, 0], b[0])
    assert flops == dict.fromkeys(COMPONENTS, 0) | {"scores": 2 * 4 * 5 * 2 * 3 * 7, "ffn": 2 * 2 * 3 * 7}
