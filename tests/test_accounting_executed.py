"""Formulas against what the transformer executes and holds: the same integers, component by component."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bytepair.accounting as accounting
from bytepair.transformer import PREFILL_CHUNK, Config, Transformer, count_flops
from common import SEED

MODELS = Path(__file__).parent / "data" / "models"

# Which component of the parameters an array belongs to, by what its name has in it.
COMPONENT = {
    "token_embeddings": "embedding",
    "position_embeddings": "position",
    "q_proj": "qkv",
    "k_proj": "qkv",
    "v_proj": "qkv",
    "output_proj": "output",
    "ffn.": "ffn",
    "ln": "norms",
    "lm_head": "head",
}


@st.composite
def configs(draw) -> Config:
    kv_heads, group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return Config(
        vocab_size=draw(st.integers(1, 40)),
        context_length=64,
        num_layers=draw(st.integers(1, 3)),
        d_model=kv_heads * group * 2 * draw(st.integers(1, 4)),
        num_heads=kv_heads * group,
        num_kv_heads=kv_heads,
        d_ff=draw(st.integers(1, 30)),
        tie_embeddings=draw(st.booleans()),
        activation=draw(st.sampled_from(["swiglu", "gelu"])),
        norm=draw(st.sampled_from(["rms", "layer"])),
        position=draw(st.sampled_from(["rope", "learned"])),
        bias=draw(st.sampled_from(["none", "qkv", "all"])),
    )


def arrays(model: Transformer) -> dict[str, np.ndarray]:
    """The distinct arrays of a model, by name."""
    distinct = {array.__array_interface__["data"][0]: name for name, array in model.weights.items()}
    return {name: model.weights[name] for name in distinct.values()}


@given(configs())
def test_parameters_are_the_arrays_of_a_model(config: Config):
    held = dict.fromkeys(accounting.parameters(config).components, 0)
    found = arrays(Transformer.init(config, seed=0))
    for name, array in found.items():
        held[next(component for part, component in COMPONENT.items() if part in name)] += array.size
    assert held == accounting.parameters(config).components
    assert sum(array.nbytes for array in found.values()) == accounting.weight_bytes(config).total


@given(
    config=configs(),
    batch=st.integers(1, 3),
    past=st.integers(0, 20),
    seq_len=st.integers(1, 40),
    chunk=st.integers(1, 50),
    last_only=st.booleans(),
)
def test_flops_are_those_that_are_executed(config, batch, past, seq_len, chunk, last_only):
    model = Transformer.init(config, seed=0)
    cache = model.new_cache(batch, past + seq_len)
    ids = np.zeros((batch, past + seq_len), np.int64)
    if past:
        model(ids[:, :past], cache=cache)
    with count_flops() as counted:
        model(ids[:, past:], cache=cache, chunk=chunk, last_only=last_only)
    said = accounting.forward_flops(
        config, seq_len, batch, past=past, causal="executed", chunk=chunk, last_only=last_only
    )
    assert counted == said.components
    assert cache.nbytes == accounting.kv_cache_bytes(config, past + seq_len, batch).total
    if chunk == 1:
        exact = accounting.forward_flops(config, seq_len, batch, past=past, causal="exact", last_only=last_only)
        assert counted == exact.components
    if chunk >= seq_len:
        full = accounting.forward_flops(config, seq_len, batch, past=past, last_only=last_only)
        assert counted == full.components
    if seq_len == 1:
        assert counted == accounting.decode_flops(config, past, batch).components


@pytest.mark.parametrize("name", ["llama-mha", "llama-gqa-tied", "gpt2", "qwen2"])
def test_flops_and_parameters_that_torch_counted(name: str):
    golden = json.loads((MODELS / name / "flops.json").read_text())
    config = Transformer.load(MODELS / name).config
    assert accounting.forward_flops(config, golden["seq_len"], golden["batch"]).total == golden["matmul_flops"]
    assert accounting.parameters(config).total == golden["parameters"]


def peak(model: Transformer, seq_len: int, batch: int, chunk: int, *, last_only: bool) -> int:
    """The most bytes that reading a prompt takes, cache included."""
    ids = np.zeros((batch, seq_len), np.int64)
    model(ids[:, :1])
    tracemalloc.start()
    try:
        model(ids, cache=model.new_cache(batch, seq_len), chunk=chunk, last_only=last_only)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_of_a_prompt_through_a_layer_of_xl():
    config = replace(Config.preset("gpt2-xl-notes"), num_layers=1, vocab_size=512)
    model = Transformer.init(config, seed=0)
    said = accounting.prefill_bytes(config, 1024).total
    actual = peak(model, 1024, 1, PREFILL_CHUNK, last_only=True)
    print(f"a prompt of 1,024 tokens: {actual:,} bytes, {said:,} predicted")
    assert said / 1.1 < actual < 1.1 * said


def test_memory_of_prompts():
    rng = np.random.default_rng(SEED)
    for _ in range(20):
        kv_heads, group = rng.integers(1, 4, 2).tolist()
        config = Config(
            vocab_size=int(rng.integers(100, 1000)),
            context_length=1024,
            num_layers=int(rng.integers(1, 4)),
            d_model=kv_heads * group * 32,
            num_heads=kv_heads * group,
            num_kv_heads=kv_heads,
            d_ff=int(rng.integers(64, 512)),
            activation=str(rng.choice(["swiglu", "gelu"])),
            norm=str(rng.choice(["rms", "layer"])),
            position=str(rng.choice(["rope", "learned"])),
        )
        batch, seq_len, chunk = (int(rng.integers(*span)) for span in ((1, 4), (200, 800), (64, 600)))
        last_only = bool(rng.integers(2))
        said = accounting.prefill_bytes(config, seq_len, batch, chunk=chunk, last_only=last_only).total
        actual = peak(Transformer.init(config, seed=0), seq_len, batch, chunk, last_only=last_only)
        assert said / 1.5 < actual < 1.5 * said, (config, batch, seq_len, chunk, last_only)


def test_the_roofline_measures_a_model_beside_its_bound():
    config = Config(vocab_size=257, context_length=64, num_layers=2, d_model=64, num_heads=4, d_ff=176)
    model = Transformer.init(config, seed=0)
    found = accounting.roofline(config, model, seq_len=32, seconds=0.05)
    read, make = found.bounds
    assert read.flops == accounting.forward_flops(config, 32, causal="executed", last_only=True).total
    assert make.flops == accounting.decode_flops(config, 32).total
    assert make.n_bytes == accounting.decode_bytes(config, 32).total
    assert min(read.measured, make.measured, *found.machine) > 0
    assert "of bound" in str(found)
    with pytest.raises(ValueError, match="seq_len below 64"):
        accounting.roofline(config, model, seq_len=64)
