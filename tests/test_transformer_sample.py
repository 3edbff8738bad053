"""From logits to ids, how well they foretell, and where batches come from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytepair import ShapeError, TokenIdError
from bytepair.transformer import Config, cross_entropy, distribution, generate, perplexity, sample_batch
from transformer_reference import SEEDS, model_of, models

# Few values, so that many are equal.
LOGITS = st.lists(st.sampled_from([-50.0, -1.0, 0.0, 0.5, 1.0, 3.0, -math.inf]), min_size=1, max_size=12).filter(
    lambda row: max(row) > -math.inf
)
SMALL = Config(vocab_size=20, context_length=14, num_layers=2, d_model=24, num_heads=6, d_ff=20, num_kv_heads=3)


def plain_distribution(
    logits: list[float], temperature: float, top_k: int | None, top_p: float | None, min_p: float | None
) -> list[float]:
    """The same in plain Python: a list of ids, the most likely first, that is cut three times."""
    top = max(logits)
    if temperature == 0:
        return [float(token_id == logits.index(top)) for token_id in range(len(logits))]
    p = [math.exp((logit - top) / temperature) for logit in logits]
    ids = sorted(range(len(p)), key=lambda token_id: (-p[token_id], token_id))
    ids = ids[:top_k]
    if top_p is not None:
        mass, kept = 0.0, []
        for token_id in ids:
            kept.append(token_id)
            mass += p[token_id]
            if mass >= top_p * sum(p[one] for one in ids):
                break
        ids = kept
    ids = [token_id for token_id in ids if p[token_id] >= (min_p or 0) * p[ids[0]]]
    total = sum(p[token_id] for token_id in ids)
    return [p[token_id] / total if token_id in ids else 0.0 for token_id in range(len(p))]


@given(
    LOGITS,
    st.sampled_from([0, 0.3, 1.0, 2.0]),
    st.none() | st.integers(1, 14),
    # None of these is the sum of probabilities of such logits.
    st.none() | st.sampled_from([0.0123, 0.37, 0.911, 0.9991]),
    st.none() | st.sampled_from([0, 0.011, 0.31, 0.93]),
)
def test_the_distribution_is_the_plain_one(logits, temperature, top_k, top_p, min_p):
    options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    p = distribution(np.array(logits, np.float32), **options)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p, plain_distribution(logits, **options), rtol=1e-12)
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_what_each_option_keeps():
    logits = np.log([0.1, 0.4, 0.2, 0.3])
    kept = lambda **options: np.flatnonzero(distribution(logits, **options)).tolist()  # noqa: E731
    assert kept() == [0, 1, 2, 3]
    assert kept(temperature=0) == kept(top_k=1) == kept(top_p=0.01) == kept(min_p=1) == [1]
    assert kept(top_k=3) == [1, 2, 3]
    assert kept(top_k=99) == kept(top_p=1) == kept(min_p=0) == [0, 1, 2, 3]
    # The fewest ids that have 0.69 together are two, 0.71 takes a third.
    assert (kept(top_p=0.69), kept(top_p=0.71)) == ([1, 3], [1, 2, 3])
    assert kept(min_p=0.6) == [1, 3]
    # In this order: of the three of top_k, 0.4 is 4/9 and with 0.3 7/9.
    assert (kept(top_k=3, top_p=0.77), kept(top_k=3, top_p=0.79)) == ([1, 3], [1, 2, 3])
    # The temperature comes first: the flatter the distribution, the more ids it takes.
    assert (kept(top_p=0.69, temperature=100), kept(top_p=0.69, temperature=0.1)) == ([1, 2, 3], [1])


def test_equals_are_kept_from_the_lowest_id():
    assert distribution([5, 7, 7, 7], temperature=0).tolist() == [0, 1, 0, 0]
    assert np.flatnonzero(distribution([1, 1, 1, 1, 2], top_k=3)).tolist() == [0, 1, 4]
    assert np.flatnonzero(distribution([1, 1, 1, 1], top_p=0.4)).tolist() == [0, 1]
    # Exactly as much as was asked for is enough.
    assert np.flatnonzero(distribution([1, 1, 1, 1], top_p=0.5)).tolist() == [0, 1]
    assert np.flatnonzero(distribution(np.arange(1024) % 2, top_p=1e-3, temperature=0.01)).tolist() == [1]


def test_extremes_do_not_overflow():
    assert distribution([1e4, -1e4, 1e4], temperature=1e-300).tolist() == [0.5, 0, 0.5]
    assert distribution([1e308, 0.0]).tolist() == [1, 0]
    assert distribution([-math.inf, 0.0], top_p=0.5).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("logits", "options", "message"),
    [
        ([0.0, math.nan], {}, "NaN or infinite"),
        ([0.0, math.inf], {"temperature": 0}, "NaN or infinite"),
        ([-math.inf] * 2, {}, "all are minus infinity"),
        ([], {}, r"\(V,\), not \(0,\)"),
        ([[0.0]], {}, r"not \(1, 1\)"),
        ([0.0], {"temperature": -1}, "temperature must be 0 or more"),
        ([0.0], {"temperature": math.nan}, "temperature"),
        ([0.0], {"temperature": math.inf}, "temperature"),
        ([0.0], {"top_k": 0}, "top_k must be 1 or more"),
        ([0.0], {"top_p": 0}, "top_p must be above 0"),
        ([0.0], {"top_p": 1.1}, "top_p"),
        ([0.0], {"min_p": -0.1}, "min_p must be from 0 to 1"),
        ([0.0], {"min_p": math.nan}, "min_p"),
    ],
)
def test_no_distribution(logits, options, message):
    with pytest.raises(ValueError, match=message):
        distribution(logits, **options)


@given(st.data(), models(), SEEDS)
def test_a_continuation_is_what_the_whole_text_gives(data, model, seed):
    prompt = np.random.default_rng(seed).integers(0, model.config.vocab_size, data.draw(st.integers(1, 6)))
    ids = prompt.tolist()
    new = list(generate(model, prompt, max_new_tokens=8, temperature=0))
    assert len(new) == 8
    for token_id in new:
        logits = model([ids])[0, -1]
        # The highest, but for what rounding makes of equals.
        assert logits[token_id] == pytest.approx(logits.max(), abs=1e-9)
        ids.append(token_id)


def test_draws_follow_the_distribution():
    model = model_of(SMALL, 7, "float32")
    expected = distribution(model([[1, 2, 3]])[0, -1], temperature=1.5, top_p=0.9)
    rng = np.random.default_rng(12)
    draws = [
        next(generate(model, [1, 2, 3], max_new_tokens=1, temperature=1.5, top_p=0.9, rng=rng)) for _ in range(4000)
    ]
    counts = np.bincount(draws, minlength=20)
    assert (counts[expected == 0] == 0).all()
    # Five standard deviations.
    assert (abs(counts - 4000 * expected) <= 5 * np.sqrt(4000 * expected) + 1).all()


@pytest.mark.parametrize("drawn", [0.0, 1 - 2**-53])
def test_the_first_and_the_last_number_draw_an_id_that_is_kept(drawn):
    class Drawn(np.random.Generator):
        def random(self) -> float:
            return drawn

    model, rng = model_of(SMALL, 7, "float32"), Drawn(np.random.PCG64(0))
    ids: list[int] = [1]
    for _ in range(12):
        kept = np.flatnonzero(distribution(model([ids])[0, -1], top_k=3))
        ids.append(next(generate(model, ids, max_new_tokens=1, top_k=3, rng=rng)))
        assert ids[-1] == kept[0 if drawn == 0 else -1]


def test_the_same_seed_gives_the_same_ids_and_no_state_is_shared():
    model = model_of(SMALL, 7, "float32")
    one, same, other = (
        list(generate(model, [1, 2], max_new_tokens=12, temperature=3, rng=np.random.default_rng(seed)))
        for seed in (1, 1, 2)
    )
    assert one == same != other
    state = np.random.get_state()[1].copy()
    assert list(generate(model, [1], max_new_tokens=3)) != []
    assert (np.random.get_state()[1] == state).all()


def test_a_continuation_ends():
    model = model_of(SMALL, 7, "float32")
    greedy = list(generate(model, [1, 2], max_new_tokens=13, temperature=0))
    assert len(greedy) == 13  # The last is not looked at: 2 + 12 fill the context.
    assert list(generate(model, [1, 2], max_new_tokens=0)) == []
    stop = greedy[4]
    before = greedy[: greedy.index(stop)]
    assert list(generate(model, [1, 2], max_new_tokens=13, temperature=0, stop_ids=[stop])) == before
    # One id after the other: nothing is computed that nobody asks for.
    assert next(generate(model, np.array([1, 2], np.uint16), max_new_tokens=13, temperature=0)) == greedy[0]


@pytest.mark.parametrize(
    ("ids", "options", "error", "message"),
    [
        ([], {}, ShapeError, "one or more"),
        ([[1]], {}, ShapeError, r"not of shape \(1, 1\)"),
        ([1] * 12, {"max_new_tokens": 4}, ShapeError, "12 ids and 4 new ones are more than the context of 14"),
        ([1], {"max_new_tokens": -1}, ValueError, "max_new_tokens must be 0 or more"),
        ([1], {"top_k": 0}, ValueError, "top_k"),
    ],
)
def test_no_continuation(ids, options, error, message):
    # At the call, not when the first id is asked for.
    with pytest.raises(error, match=message):
        generate(model_of(SMALL, 0), ids, **{"max_new_tokens": 3} | options)


def test_a_prompt_of_unknown_ids():
    with pytest.raises(TokenIdError, match="the id 20 is not in"):
        next(generate(model_of(SMALL, 0), [20], max_new_tokens=1))


@given(st.lists(st.lists(st.floats(-30, 30, width=32), min_size=4, max_size=4), min_size=1, max_size=5), st.data())
def test_cross_entropy_is_its_formula(logits, data):
    targets = [data.draw(st.integers(0, 3)) for _ in logits]
    losses = [
        math.log(sum(math.exp(logit) for logit in row)) - row[target]
        for row, target in zip(logits, targets, strict=True)
    ]
    expected = sum(losses) / len(losses)
    assert cross_entropy(logits, targets) == pytest.approx(expected, abs=1e-9)
    assert perplexity(np.array([logits], np.float32), [targets]) == pytest.approx(math.exp(expected), rel=1e-6)


def test_cross_entropy_of_many_and_of_large(monkeypatch):
    rng = np.random.default_rng(3)
    logits, targets = rng.standard_normal((7, 5, 11)), rng.integers(0, 11, (7, 5))
    whole = cross_entropy(logits, targets)
    monkeypatch.setattr("bytepair.transformer.loss._AT_A_TIME", 30)
    assert cross_entropy(logits, targets) == pytest.approx(whole, abs=1e-12)
    assert cross_entropy(1e6 * logits, logits.argmax(-1)) == pytest.approx(0, abs=1e-9)
    assert perplexity([[0.0, 1e4]], [0]) == math.inf


@pytest.mark.parametrize(
    ("logits", "targets", "error", "message"),
    [
        ([[0.0, 1.0]], [2], TokenIdError, r"target 0: the id 2 is not in 0 \.\.\. 1"),
        ([[0.0, 1.0]] * 2, [0, -1], TokenIdError, "target 1: the id -1"),
        ([[0.0, 1.0]], [0, 1], ShapeError, "do not fit"),
        ([], [], ShapeError, "do not fit"),
        (0.0, 0, ShapeError, "do not fit"),
        ([[0.0, 1.0]], [0.0], ShapeError, "integers"),
    ],
)
def test_no_loss(logits, targets, error, message):
    with pytest.raises(error, match=message):
        cross_entropy(logits, targets)


@pytest.mark.parametrize("kind", ["array", "memmap", "npy"])
def test_batches_are_stretches_of_the_file(kind, tmp_path):
    ids = np.arange(100, dtype=np.uint16)
    path = tmp_path / "tokens.npy"
    if kind == "memmap":
        ids.tofile(path)
    else:
        np.save(path, ids)
    tokens = {"array": ids, "memmap": np.memmap(path, np.uint16, mode="r") if kind == "memmap" else None, "npy": path}[
        kind
    ]
    rng = np.random.default_rng(4)
    starts = np.zeros(100)
    for _ in range(1000):
        inputs, targets = sample_batch(tokens, 32, 7, rng)
        assert inputs.shape == targets.shape == (32, 7)
        assert inputs.dtype == targets.dtype == np.int64
        assert (targets == inputs + 1).all()
        assert (inputs == inputs[:, :1] + np.arange(7)).all()
        np.add.at(starts, inputs[:, 0], 1)
    # Each of the 93 places as often as any other, within five deviations; and no other.
    assert np.flatnonzero(starts).tolist() == list(range(93))
    expected = 32_000 / 93
    assert abs(starts[:93] - expected).max() < 5 * math.sqrt(expected * (1 - 1 / 93))


@pytest.mark.parametrize(
    ("tokens", "batch", "length", "message"),
    [
        (np.arange(7), 1, 7, "7 tokens are too few for 7 and the one behind them"),
        (np.zeros((2, 9), int), 1, 7, r"one axis, not int64 of shape \(2, 9\)"),
        (np.zeros(9), 1, 7, "integers in one axis, not float64"),
        (np.arange(9), 0, 7, "batch and length"),
        (np.arange(9), 1, 0, "batch and length"),
    ],
)
def test_no_batches(tokens, batch, length, message):
    with pytest.raises(ShapeError, match=message):
        sample_batch(tokens, batch, length, np.random.default_rng(0))


def test_a_file_that_would_run_code_is_not_read(tmp_path):
    np.save(tmp_path / "tokens.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"[Oo]bject|pickle"):
        sample_batch(tmp_path / "tokens.npy", 1, 1, np.random.default_rng(0))
