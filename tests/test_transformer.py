"""The forward pass against its plain twin, against PyTorch, and against itself."""

from __future__ import annotations

import ast
import itertools
import json
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import bytepair.transformer
from bytepair import ShapeError, TokenIdError
from bytepair.transformer import COMPONENTS, Config, Transformer, count_flops, ops
from transformer_reference import CONTEXT, SEEDS, batches, configs, logits_of, model_of, models, random_arrays

GOLDENS = sorted((Path(__file__).parent / "data" / "models").glob("*/"))
# Sums in another order differ by less, in float64.
CLOSE = {"rtol": 0, "atol": 1e-10}
SMALL = Config(vocab_size=20, context_length=14, num_layers=2, d_model=24, num_heads=6, d_ff=20, num_kv_heads=3)

# Few, so that short texts go through a layer in several stretches.
STRETCHES = st.sampled_from([1, 3, 5, 512])

each_golden = pytest.mark.parametrize("folder", GOLDENS, ids=lambda folder: folder.name)


def at_a_time(n_positions: int):
    """Let so many positions through a layer together."""
    return mock.patch.object(bytepair.transformer.model, "POSITIONS_AT_A_TIME", n_positions)


def ids_of(*shape: int, below: int = SMALL.vocab_size, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, below, shape)


@given(st.data(), configs(), SEEDS)
def test_logits_are_those_of_the_plain_twin(data, config, seed):
    arrays = random_arrays(config, seed)
    model = Transformer.from_state_dict(config, arrays, dtype="float64")
    ids = data.draw(batches(model, most=5))
    expected = np.stack([logits_of(config, arrays, row) for row in ids])
    np.testing.assert_allclose(model(ids), expected, **CLOSE)


@each_golden
def test_logits_are_those_of_pytorch(folder):
    model = Transformer.load(folder)
    golden = np.load(folder / "golden.npz")
    logits = model(golden["ids"])
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=5e-4)
    np.testing.assert_allclose(logits, golden["logits64"], rtol=0, atol=5e-4)
    assert (logits.argmax(-1) == golden["logits"].argmax(-1)).all()


@each_golden
def test_counts_are_those_of_pytorch(folder):
    model, counted = Transformer.load(folder), json.loads((folder / "flops.json").read_text())
    with count_flops() as flops:
        model(np.load(folder / "golden.npz")["ids"])
    assert sum(flops.values()) == counted["matmul_flops"]
    # A tied table is there once.
    assert sum(array.size for array in model.weights.values()) == counted["parameters"]


@pytest.mark.parametrize("folder", GOLDENS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("how", ["low memory", "chunks", "cache", "one by one"])
def test_every_way_gives_the_logits_of_pytorch(folder, how):
    model = Transformer.load(folder, low_memory=how == "low memory")
    golden = np.load(folder / "golden.npz")
    ids = golden["ids"]
    if how == "chunks":
        with at_a_time(15):
            logits = model(ids, chunk=7)
    elif how == "low memory":
        logits = model(ids)
    else:
        cache = model.new_cache(*ids.shape)
        cuts = [0, 1, 8, 33, 40] if how == "cache" else range(41)
        parts = itertools.pairwise(cuts)
        logits = np.concatenate([model(ids[:, start:stop], cache=cache) for start, stop in parts], axis=1)
        assert cache.lengths.tolist() == [40] * 3
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=5e-4)


@given(st.data(), models())
def test_with_a_cache_and_in_chunks_as_in_one_go(data, model):
    ids = data.draw(batches(model))
    n = ids.shape[1]
    whole = model(ids)
    cuts = [0, *sorted(data.draw(st.sets(st.integers(1, n - 1)))), n] if n > 1 else [0, n]
    cache = model.new_cache(len(ids), data.draw(st.integers(n, CONTEXT)))
    chunk = data.draw(st.integers(1, CONTEXT))
    parts = itertools.pairwise(cuts)
    with at_a_time(data.draw(STRETCHES)):
        logits = [model(ids[:, start:stop], cache=cache, chunk=chunk) for start, stop in parts]
        np.testing.assert_allclose(np.concatenate(logits, axis=1), whole, **CLOSE)
        np.testing.assert_allclose(model(ids, chunk=chunk), whole, **CLOSE)
    np.testing.assert_allclose(model(ids, last_only=True), whole[:, -1:], **CLOSE)


@given(st.data(), models())
def test_a_cache_that_is_cut_forgets(data, model):
    ids = data.draw(batches(model))
    n = ids.shape[1]
    kept, cut = data.draw(st.integers(0, n - 1)), data.draw(st.integers(1, n))
    cache = model.new_cache(len(ids), CONTEXT)
    model(ids[:, ::-1][:, :cut], cache=cache)
    kept = min(kept, cut)
    cache.truncate(0)
    if kept:
        model(ids[:, :kept], cache=cache)
        model(ids[:, ::-1][:, : min(cut, CONTEXT - kept)], cache=cache)
        cache.truncate(kept)
    np.testing.assert_allclose(model(ids[:, kept:], cache=cache), model(ids)[:, kept:], **CLOSE)


@given(st.data(), models())
def test_a_row_of_a_batch_is_that_row_alone(data, model):
    """Rows differ in length, first and when more follows; what stands behind a row's ids is any other id."""
    ids = data.draw(batches(model, most=CONTEXT // 2))
    more = data.draw(batches(model, most=CONTEXT // 2))[: len(ids)]
    assume(len(more) == len(ids))
    chunk = data.draw(st.integers(1, CONTEXT))
    both = [[data.draw(st.integers(1, part.shape[1])) for _ in part] for part in (ids, more)]
    longest = max(map(sum, zip(*both, strict=True)))
    cache = model.new_cache(len(ids), data.draw(st.integers(longest, CONTEXT)))
    texts: list[list[int]] = [[] for _ in ids]
    for part, lengths in zip((ids, more), both, strict=True):
        with at_a_time(data.draw(STRETCHES)):
            logits = model(part, lengths=lengths, cache=cache, chunk=chunk)
        for row, length in enumerate(lengths):
            texts[row] += part[row, :length].tolist()
            alone = model([texts[row]])[0, -length:]
            np.testing.assert_allclose(logits[row, :length], alone, **CLOSE)
        assert cache.lengths.tolist() == [len(text) for text in texts]
    last = model(more, lengths=lengths, last_only=True)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(last[row], model([more[row, :length]])[0, -1:], **CLOSE)


@given(st.data(), models())
def test_what_follows_changes_nothing(data, model):
    ids = data.draw(batches(model))
    t = data.draw(st.integers(0, ids.shape[1] - 1))
    changed = ids.copy()
    changed[:, t] = (changed[:, t] + 1) % model.config.vocab_size
    # The same shapes, so the same sums: no bit differs.
    assert np.array_equal(model(ids)[:, :t], model(changed)[:, :t])


@given(SEEDS, st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 5000), st.sampled_from([100.0, 1e4]))
def test_rotary_positions_tell_only_how_far_apart(seed, at, other, shift, theta):
    q, k = np.random.default_rng(seed).standard_normal((2, 1, 1, 1, 8))

    def score(m: int, n: int) -> float:
        turned = []
        for x, position in ((q, m), (k, n)):
            x = x.copy()
            ops.rotate(x, ops.rotary_turns(np.array([[position]]), 8, theta, np.float64))
            turned.append(x.ravel())
        return float(turned[0] @ turned[1])

    assert score(at, other) == pytest.approx(score(at + shift, other + shift), abs=1e-8)


@given(st.data(), configs(), SEEDS)
def test_the_order_of_heads_means_nothing(data, config, seed):
    arrays = random_arrays(config, seed)
    n_kv, group, size = config.num_kv_heads, config.num_heads // config.num_kv_heads, config.head_dim
    order = data.draw(st.permutations(range(n_kv)))
    within = data.draw(st.permutations(range(group)))
    permuted = dict(arrays)
    for name, array in arrays.items():
        rest = array.shape[1:]
        if ".q_proj." in name:
            permuted[name] = array.reshape(n_kv, group, size, *rest)[order][:, within].reshape(array.shape)
        elif ".k_proj." in name or ".v_proj." in name:
            permuted[name] = array.reshape(n_kv, size, *rest)[order].reshape(array.shape)
        elif name.endswith("output_proj.weight"):
            columns = array.reshape(-1, n_kv, group, size)
            permuted[name] = columns[:, order][:, :, within].reshape(array.shape)
    one, other = (Transformer.from_state_dict(config, some, dtype="float64") for some in (arrays, permuted))
    ids = data.draw(batches(one))
    np.testing.assert_allclose(other(ids), one(ids), **CLOSE)


@given(st.data(), models())
def test_counts_are_those_of_the_products(data, model):
    """Of each chunk: all its queries with all keys up to its end."""
    config, ids = model.config, data.draw(batches(model))
    (b, t), chunk = ids.shape, data.draw(st.integers(1, CONTEXT))
    last_only = data.draw(st.booleans())
    with count_flops() as flops:
        model(ids, chunk=chunk, last_only=last_only)
    d, kv, layers = config.d_model, config.num_kv_heads * config.head_dim, config.num_layers
    seen = sum((min(start + chunk, t) - start) * min(start + chunk, t) for start in range(0, t, chunk))
    matrices = 3 if config.activation == "swiglu" else 2
    assert flops == {
        "qkv": 2 * b * t * d * (d + 2 * kv) * layers,
        "scores": 2 * b * seen * d * layers,
        "values": 2 * b * seen * d * layers,
        "output": 2 * b * t * d * d * layers,
        "ffn": 2 * b * t * d * config.d_ff * matrices * layers,
        "head": 2 * b * (1 if last_only else t) * d * config.vocab_size,
    }


@pytest.mark.parametrize("n_rows", range(1, 20))
def test_products_of_few_rows_are_products(n_rows):
    rng = np.random.default_rng(n_rows)
    x, weight, bias = rng.standard_normal((n_rows, 30)), rng.standard_normal((70, 30)), rng.standard_normal(70)
    with count_flops() as flops:
        y = ops.linear("ffn", x, weight, bias, np.empty((n_rows, 70)))
    np.testing.assert_allclose(y, np.einsum("ni,oi->no", x, weight) + bias, **CLOSE)
    assert flops["ffn"] == 2 * n_rows * 30 * 70


def test_scores_in_parts_are_scores(monkeypatch):
    model = model_of(SMALL, 3)
    whole = model(ids_of(2, 9))
    monkeypatch.setattr(ops, "SCORES_AT_A_TIME", 1)
    np.testing.assert_allclose(model(ids_of(2, 9)), whole, **CLOSE)


def test_every_product_is_counted():
    """No file of the package multiplies matrices on its own."""
    for path in Path(bytepair.transformer.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text())
        found = [node for node in ast.walk(tree) if isinstance(node, ast.MatMult)]
        names = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
        products = {"matmul", "dot", "vdot", "inner", "einsum", "tensordot", "vecdot", "matvec", "linalg"}
        expected = ["matmul"] if path.name == "ops.py" else []
        assert not found
        assert [name for name in names if name in products] == expected, path
    assert set(COMPONENTS) == {"qkv", "scores", "values", "output", "ffn", "head"}


class Watched(np.ndarray):
    """An array that refuses to be part of anything wider than float32; its results are watched too."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        def plain(value: object) -> object:
            return value.view(np.ndarray) if isinstance(value, Watched) else value

        options = {name: plain(value) for name, value in options.items()}
        if out:
            options["out"] = tuple(map(plain, out))
        result = getattr(ufunc, method)(*map(plain, inputs), **options)
        for value in (*inputs, result):
            assert getattr(value, "dtype", None) not in (np.float64, np.complex128), f"{ufunc.__name__}: {value.dtype}"
        return out[0] if out else result.view(Watched)


@pytest.fixture
def watched(monkeypatch):
    """Make a model of float32 of which each array is watched."""
    get = ops.Scratch.get
    monkeypatch.setattr(ops.Scratch, "get", lambda *args: get(*args).view(Watched))

    def make(config: Config) -> Transformer:
        model = model_of(config, 5, "float32")
        weights = model.weights
        weights._arrays = {name: array.view(Watched) for name, array in weights._arrays.items()}
        weights._layers = [weights._read(layer) for layer in range(config.num_layers)]
        return model

    return make


@pytest.mark.parametrize("position", ["rope", "learned"])
@pytest.mark.parametrize("norm", ["rms", "layer"])
@pytest.mark.parametrize("activation", ["swiglu", "gelu"])
def test_nothing_is_wider_than_float32(watched, position, norm, activation):
    shape = {name: getattr(SMALL, name) for name in ("vocab_size", "context_length", "num_layers", "d_model", "d_ff")}
    more = {"position": position, "norm": norm, "activation": activation, "bias": "all"}
    model = watched(Config(**shape, num_heads=6, num_kv_heads=3, **more))
    cache = model.new_cache(3, 14)
    cache.keys, cache.values = cache.keys.view(Watched), cache.values.view(Watched)
    for part, lengths in ((ids_of(3, 7), [7, 7, 7]), (ids_of(3, 1), None), (ids_of(3, 2), [1, 2, 1])):
        assert model(part, cache=cache, lengths=lengths, chunk=3).dtype == np.float32
    assert type(model.weights["ln_final.weight"]) is Watched


def test_a_wider_number_would_be_seen(watched, monkeypatch):
    model = watched(SMALL)
    swiglu = ops.swiglu
    monkeypatch.setattr(ops, "swiglu", lambda gate, up: swiglu(gate, up * np.sqrt(1)))
    with pytest.raises(AssertionError, match="float64"):
        model(ids_of(1, 3))
    with pytest.raises(TypeError, match=r"same_kind|casting rule"):
        ops.matmul("ffn", np.ones((2, 2), np.float32), np.ones((2, 2)))


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ([[0, 20]], TokenIdError, r"row 0, position 1: the id 20 is not in 0 \.\.\. 19"),
        ([[0, 1], [-1, 0]], TokenIdError, "row 1, position 0: the id -1"),
        (np.array([[2**63]], np.uint64), TokenIdError, "9223372036854775808"),
        ([1, 2], ShapeError, "two axes"),
        ([[[1]]], ShapeError, "two axes"),
        ([], ShapeError, "axes"),
        ([[]], ShapeError, "no ids"),
        (np.zeros((0, 3), int), ShapeError, "no ids"),
        ([[1, 2], [3]], ShapeError, "one length"),
        ([[1.0]], ShapeError, "integers, not float64"),
        ([[True]], ShapeError, "integers, not bool"),
        ([["a"]], ShapeError, "integers"),
        ([[0] * 15], ShapeError, "15 positions, more than the context of 14"),
    ],
)
def test_ids_that_cannot_be(ids, error, message):
    with pytest.raises(error, match=message):
        model_of(SMALL, 0)(ids)


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1], "2 integers"),
        ([1.0, 2.0], "2 integers"),
        ([1, 0], "0 for row 1, and nothing of it would be seen"),
        ([4, 1], "4 for row 0, and it has 3 ids"),
        ([-1, 1], "-1 for row 0"),
    ],
)
def test_lengths_that_cannot_be(lengths, message):
    with pytest.raises(ShapeError, match=message):
        model_of(SMALL, 0)(ids_of(2, 3), lengths=lengths)


def test_caches_that_do_not_fit():
    model, other = model_of(SMALL, 0), model_of(Config(20, 14, 1, 24, 6, 20), 0)
    for batch, length in ((0, 3), (1, 0), (1, 15)):
        with pytest.raises(ShapeError, match=r"batch|max_length"):
            model.new_cache(batch, length)
    with pytest.raises(ShapeError, match="another model, or for 1 rows"):
        model(ids_of(2, 3), cache=model.new_cache(1, 5))
    with pytest.raises(ShapeError, match="another model"):
        model(ids_of(1, 3), cache=other.new_cache(1, 5))
    cache = model.new_cache(2, 5)
    model(ids_of(2, 3), cache=cache)
    before = cache.lengths.copy()
    with pytest.raises(ShapeError, match="row 0 would have 6 positions, and the cache has room for 5"):
        model(ids_of(2, 3), cache=cache)
    with pytest.raises(ShapeError, match="row 1 would have 6"):
        model(ids_of(2, 3), cache=cache, lengths=[1, 3])
    assert (cache.lengths == before).all()
    model(ids_of(2, 3), cache=cache, lengths=[1, 2])
    for lengths in (-1, [4, 6], [1.0, 1.0], [True, False]):
        with pytest.raises(ShapeError, match="lengths must be integers from 0 to"):
            cache.truncate(lengths)
    cache.truncate([4, 2])
    assert cache.lengths.tolist() == [4, 2]
    with pytest.raises(ShapeError, match="chunk"):
        model(ids_of(1, 3), chunk=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ln_final.weight": None}, "ln_final.weight is missing"),
        ({"layers.2.ln1.weight": np.ones(24)}, r"layers.2.ln1.weight is no array"),
        ({"layers.0.ffn.w1.weight": np.ones((24, 20))}, r"layers.0.ffn.w1.weight has shape \(24, 20\).* \(20, 24\)"),
        ({"ln_final.weight": np.ones(24, int)}, "floating-point numbers, not int64"),
        ({"ln_final.weight": np.array([1.0] * 23 + [np.nan])}, r"ln_final.weight is not finite: at \[23\] is nan"),
        ({"ln_final.weight": np.full(24, 1e300)}, r"ln_final.weight is not finite: at \[0\] is inf"),
        ({"layers.0.ffn.w1.weight": np.full((20, 24), -np.inf)}, r"at \[0, 0\] is -inf"),
    ],
)
def test_arrays_that_are_no_model(change, message):
    arrays = random_arrays(SMALL, 0) | change
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(ShapeError, match=message):
        Transformer.from_state_dict(SMALL, arrays)


def test_weights_are_used_as_they_lie():
    arrays = {name: array.astype(np.float32) for name, array in random_arrays(SMALL, 0).items()}
    model = Transformer.from_state_dict(SMALL, arrays)
    assert all(np.shares_memory(model.weights[name], array) for name, array in arrays.items())
    # Sums that overflow are looked at again.
    arrays["token_embeddings.weight"][:2] = 3e38
    assert Transformer.from_state_dict(SMALL, arrays).weights.keys() == arrays.keys()


def test_first_weights():
    model, again, other = (Transformer.init(SMALL, seed) for seed in (1, 1, 2))
    for name, array in model.weights.items():
        assert array.dtype == np.float32
        assert (again.weights[name] == array).all()
        assert array.ndim == 1 or (other.weights[name] != array).any()
    assert (model.weights["ln_final.weight"] == 1).all()
    big = Transformer.init(Config(500, 10, 1, 400, 4, 300), 0).weights
    for name, deviation in (("token_embeddings.weight", 1), ("layers.0.ffn.w1.weight", np.sqrt(2 / 700))):
        assert big[name].std() == pytest.approx(deviation, rel=0.03)
        assert abs(big[name]).max() <= 3 * deviation * (1 + 1e-6)
