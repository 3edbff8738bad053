"""Models from files: every format against the same weights, and files that are cut, lie or hold something else."""

from __future__ import annotations

import json
import random
import shutil
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors
import safetensors.numpy

import bytepair
from bytepair import BytepairError, FormatError, ShapeError
from bytepair.transformer import Config, Transformer, parameter_shapes

MODELS = Path(__file__).parent / "data" / "models"
GOLDENS = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
ARCHITECTURES = {"gpt2": gguf.MODEL_ARCH.GPT2, "qwen2": gguf.MODEL_ARCH.QWEN2, "llama": gguf.MODEL_ARCH.LLAMA}
KINDS = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]

Arrays = dict[str, np.ndarray]

each_golden = pytest.mark.parametrize("golden", GOLDENS)


def arrays_of(golden: str) -> Arrays:
    return safetensors.numpy.load_file(MODELS / golden / "model.safetensors")


def said_by(golden: str) -> dict[str, object]:
    return json.loads((MODELS / golden / "config.json").read_text())


def folder_with(path: Path, golden: str, arrays: Arrays | None = None, **changed: object) -> Path:
    """A folder with a model of these arrays and a config.json of which some fields are changed, or None for absent."""
    path.mkdir(exist_ok=True)
    safetensors.numpy.save_file(arrays_of(golden) if arrays is None else arrays, path / "model.safetensors")
    said = said_by(golden) | changed
    (path / "config.json").write_text(json.dumps({name: value for name, value in said.items() if value is not None}))
    return path


def rounded(array: np.ndarray, kind: str) -> tuple[np.ndarray, gguf.GGMLQuantizationType]:
    """An array as a GGUF file holds it; rows that cannot be cut into blocks, and vectors, stay F32."""
    fits = array.ndim > 1 and array.shape[1] % 32 == 0
    quantization = gguf.GGMLQuantizationType[kind if fits else "F32"]
    return gguf.quants.quantize(array, quantization), quantization


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def converted(path: Path, golden: str, kind: str = "F32", **changed: object) -> Path:
    """Write a golden model as a GGUF file, with names of the package `gguf` and the layout of llama.cpp's converter."""
    said = said_by(golden)
    name = str(said["model_type"])
    config = Transformer.load(MODELS / golden).config
    names = gguf.get_tensor_name_map(ARCHITECTURES[name], config.num_layers)
    writer = gguf.GGUFWriter(path, name)
    fields = {
        "context_length": config.context_length,
        "embedding_length": config.d_model,
        "block_count": config.num_layers,
        "feed_forward_length": config.d_ff,
        "attention.head_count": config.num_heads,
        "attention.head_count_kv": config.num_kv_heads,
        "attention.layer_norm_epsilon" if name == "gpt2" else "attention.layer_norm_rms_epsilon": config.norm_eps,
    }
    if name != "gpt2":
        fields |= {"rope.freq_base": config.rope_theta, "rope.dimension_count": config.head_dim, "vocab_size": 257}
    for field, value in (fields | changed).items():
        if isinstance(value, str):
            writer.add_string(f"{name}.{field}", value)
        elif isinstance(value, float):
            writer.add_float32(f"{name}.{field}", value)
        elif value is not None:
            writer.add_uint32(f"{name}.{field}", value)
    for theirs, array in arrays_of(golden).items():
        if theirs.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
            array = array.T
        if (name == "llama" and ".self_attn.q_proj" in theirs) or (name == "llama" and ".self_attn.k_proj" in theirs):
            array = array.reshape(-1, 2, config.head_dim // 2, config.d_model).swapaxes(1, 2).reshape(array.shape)
        data, quantization = rounded(np.ascontiguousarray(array), kind)
        ours = names.get_name(theirs, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(ours, data, raw_dtype=quantization)
    finish(writer)
    return path


def assert_same(model: Transformer, other: Transformer) -> None:
    assert model.config == other.config
    assert list(model.weights) == list(other.weights)
    for name, array in model.weights.items():
        assert array.dtype == np.float32
        assert (array == other.weights[name]).all(), name


@each_golden
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("low_memory", [False, True])
def test_gguf_holds_what_safetensors_hold(golden, kind, low_memory, tmp_path):
    def of_kind(theirs: str, array: np.ndarray) -> np.ndarray:
        # GPT-2's matrices lie the other way in safetensors.
        turned = array.T if theirs.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")) else array
        data, quantization = rounded(np.ascontiguousarray(turned), kind)
        widened = gguf.dequantize(data, quantization)
        return np.ascontiguousarray(widened.T if turned is not array else widened)

    arrays = {theirs: of_kind(theirs, array) for theirs, array in arrays_of(golden).items()}
    expected = Transformer.load(folder_with(tmp_path / "as safetensors", golden, arrays))
    model = Transformer.load(converted(tmp_path / "model.gguf", golden, kind), low_memory=low_memory)
    assert_same(model, expected)
    if kind == "F32":
        z = np.load(MODELS / golden / "golden.npz")
        np.testing.assert_allclose(model(z["ids"]), z["logits"], rtol=0, atol=5e-4)


@each_golden
@pytest.mark.parametrize("kind", ["F16", "BF16"])
@pytest.mark.parametrize("low_memory", [False, True])
def test_half_as_wide(golden, kind, low_memory, tmp_path):
    arrays, widened, data, header = arrays_of(golden), {}, b"", {}
    for name, array in arrays.items():
        if kind == "F16":
            half = array.astype(np.float16)
            widened[name] = half.astype(np.float32)
        else:
            half = (array.view(np.uint32) >> 16).astype(np.uint16)
            widened[name] = (half.astype(np.uint32) << 16).view(np.float32)
        offsets = [len(data), len(data) + half.nbytes]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": offsets}
        data += half.tobytes()
    folder = folder_with(tmp_path / "half", golden)
    # Its own writer: the package takes BF16 from PyTorch's tensors alone.
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    model = Transformer.load(folder, low_memory=low_memory)
    assert_same(model, Transformer.load(folder_with(tmp_path / "wide", golden, widened)))


def test_names_are_those_of_cs336():
    config = Config(vocab_size=9, context_length=8, num_layers=1, d_model=8, num_heads=4, d_ff=5, num_kv_heads=2)
    assert dict(parameter_shapes(config)) == {
        "token_embeddings.weight": (9, 8),
        "layers.0.ln1.weight": (8,),
        "layers.0.ln2.weight": (8,),
        "layers.0.attn.q_proj.weight": (8, 8),
        "layers.0.attn.k_proj.weight": (4, 8),
        "layers.0.attn.v_proj.weight": (4, 8),
        "layers.0.attn.output_proj.weight": (8, 8),
        "layers.0.ffn.w1.weight": (5, 8),
        "layers.0.ffn.w2.weight": (8, 5),
        "layers.0.ffn.w3.weight": (5, 8),
        "ln_final.weight": (8,),
        "lm_head.weight": (9, 8),
    }


@each_golden
def test_a_folder_its_file_and_its_parts(golden, tmp_path):
    folder = folder_with(tmp_path / "model", golden)
    model = Transformer.load(folder)
    assert_same(Transformer.load(folder / "model.safetensors"), model)
    assert_same(Transformer.load(str(folder)), model)
    parts: list[Arrays] = [{}, {}, {}]
    for index, (name, array) in enumerate(arrays_of(golden).items()):
        parts[index % 3][name] = array
    (folder / "model.safetensors").unlink()
    for index, part in enumerate(parts):
        safetensors.numpy.save_file(part, folder / f"model-0000{index + 1}-of-00003.safetensors")
    assert_same(Transformer.load(folder), model)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FormatError, match="is missing"):
        Transformer.load(folder)
    shutil.copy(folder / "model-00001-of-00003.safetensors", folder / "model-00002-of-00003.safetensors")
    with pytest.raises(FormatError, match=r"model-00002-of-00003.safetensors: the array .* is there twice"):
        Transformer.load(folder)


def test_names_without_what_holds_the_model(tmp_path):
    for golden, prefix in (("llama-gqa-tied", "model."), ("gpt2", "transformer.")):
        arrays = {name.removeprefix(prefix): array for name, array in arrays_of(golden).items()}
        folder = folder_with(tmp_path / golden, golden, arrays)
        assert_same(Transformer.load(folder), Transformer.load(MODELS / golden))


def test_arrays_that_hold_nothing_learned_may_be_there(tmp_path):
    more = {f"transformer.h.0.attn.{name}": np.ones(3, np.float32) for name in ("bias", "masked_bias")}
    assert_same(
        Transformer.load(folder_with(tmp_path / "gpt2", "gpt2", arrays_of("gpt2") | more)),
        Transformer.load(MODELS / "gpt2"),
    )
    # Causal masks are bytes or truth values in some published files.
    for name, kind in (("u8", np.uint8), ("bool", np.bool_)):
        more = {f"transformer.h.{n}.attn.bias": np.tri(8, dtype=kind)[None, None] for n in range(2)}
        assert_same(
            Transformer.load(folder_with(tmp_path / name, "gpt2", arrays_of("gpt2") | more)),
            Transformer.load(MODELS / "gpt2"),
        )
    head = {"lm_head.weight": arrays_of("qwen2")["model.embed_tokens.weight"]}
    more = {"model.layers.1.self_attn.rotary_emb.inv_freq": np.ones(3, np.float32)}
    assert_same(
        Transformer.load(folder_with(tmp_path / "qwen2", "qwen2", arrays_of("qwen2") | more | head)),
        Transformer.load(MODELS / "qwen2"),
    )


def test_a_head_of_its_own_in_gguf(tmp_path):
    assert Transformer.load(converted(tmp_path / "model.gguf", "llama-mha")).config.tie_embeddings is False


def test_older_configs(tmp_path):
    """Base and scaling of rotary positions have had three places."""
    theta = {"rope_parameters": None, "rope_theta": 50_000.0}
    assert Transformer.load(folder_with(tmp_path / "a", "qwen2", **theta)).config.rope_theta == 50_000.0
    absent = {"rope_parameters": None}
    assert Transformer.load(folder_with(tmp_path / "b", "qwen2", **absent)).config.rope_theta == 10_000.0
    with pytest.raises(FormatError, match=r"config.json: \$.rope_type: 'linear' is not modelled"):
        Transformer.load(folder_with(tmp_path / "c", "qwen2", **theta, rope_scaling={"type": "linear", "factor": 2.0}))
    absent = {"num_key_value_heads": None, "tie_word_embeddings": None}
    config = Transformer.load(folder_with(tmp_path / "d", "llama-mha", **absent)).config
    assert (config.num_kv_heads, config.tie_embeddings) == (4, False)


def test_mapped_weights_are_not_copied(tmp_path):
    folder = folder_with(tmp_path / "model", "llama-mha")
    tracemalloc.start()
    try:
        model = Transformer.load(folder)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    array = model.weights["layers.0.attn.v_proj.weight"]
    while isinstance(array.base, np.ndarray):
        array = array.base
    assert not array.flags.writeable
    # Queries and keys are turned, which makes copies: 2 layers of 2 matrices.
    assert held < 4 * 64 * 64 * 4 + 100_000 < (folder / "model.safetensors").stat().st_size


def test_low_memory_keeps_nothing_wide(tmp_path):
    path = converted(tmp_path / "model.gguf", "llama-mha", "Q8_0")
    Transformer.load(path)([[1]])
    held = {}
    for low_memory in (True, False):
        tracemalloc.start()
        try:
            model = Transformer.load(path, low_memory=low_memory)
            model([[1]])
            held[low_memory] = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    # What is F32 in the file is used where it lies there.
    n_bytes = sum(array.nbytes for array in model.weights.values() if array.ndim == 2 and array.shape[1] % 32 == 0)
    assert held[False] > n_bytes
    assert held[True] < held[False] - 0.75 * n_bytes


# Changes of a config.json or of arrays, and what the error says.
LIES: dict[str, tuple[str, dict[str, object], str]] = {
    "unknown family": ("llama-mha", {"model_type": "mamba"}, r"config.json: \$.model_type: 'mamba' is not modelled"),
    "no family": (
        "llama-mha",
        {"model_type": None},
        r"\$.model_type: None is not modelled; read are llama",
    ),
    "a family that is no text": ("llama-mha", {"model_type": ["llama"]}, r"is not modelled"),
    "no field": ("llama-mha", {"hidden_size": None}, r"\$.hidden_size: the field is missing"),
    "a text": ("llama-mha", {"hidden_size": "64"}, "d_model must be an integer"),
    "half a layer": ("llama-mha", {"num_hidden_layers": 1.5}, "num_layers must be an integer"),
    "no layers": ("llama-mha", {"num_hidden_layers": 0}, "num_layers must be an integer"),
    "fewer layers": ("llama-mha", {"num_hidden_layers": 1}, r"layers.1.* is not modelled"),
    "more layers": (
        "llama-mha",
        {"num_hidden_layers": 2**31 - 1},
        "layers.2.input_layernorm.weight is missing",
    ),
    "more ids": (
        "llama-mha",
        {"vocab_size": 2**31 - 1},
        r"embed_tokens.weight has shape \(257, 64\)",
    ),
    "wider": ("llama-mha", {"hidden_size": 2**30, "head_dim": None}, "by the config"),
    "more heads": ("llama-mha", {"num_attention_heads": 3}, "d_model must be a multiple of num_heads"),
    "heads of another width": ("llama-mha", {"head_dim": 32}, r"\$.head_dim: 32 is not modelled; it has to be 16"),
    "too few heads of keys": ("qwen2", {"num_key_value_heads": 3}, "num_kv_heads must divide num_heads"),
    "other heads of keys": ("qwen2", {"num_key_value_heads": 1}, "k_proj.weight has shape"),
    "an untied head": ("qwen2", {"tie_word_embeddings": False}, "the array lm_head.weight is missing"),
    "another activation": ("llama-mha", {"hidden_act": "gelu"}, r"\$.hidden_act: 'gelu' is not modelled"),
    "a window": ("qwen2", {"use_sliding_window": True}, r"\$.use_sliding_window: True is not modelled"),
    "layers with a window": ("qwen2", {"layer_types": ["full_attention", "sliding_attention"]}, r"\$.layer_types"),
    "stretched positions": ("qwen2", {"rope_parameters": {"rope_type": "yarn"}}, r"\$.rope_type: 'yarn'"),
    "positions that are a list": ("qwen2", {"rope_parameters": [1]}, r"\$.rope_parameters: must be an object"),
    "quantized": ("qwen2", {"quantization_config": {"bits": 4}}, r"\$.quantization_config: .* has to be absent"),
    "no scale": ("gpt2", {"scale_attn_weights": False}, r"\$.scale_attn_weights: False is not modelled"),
    "a context of nothing": ("gpt2", {"n_positions": 0}, "context_length must be"),
    "a longer context": ("gpt2", {"n_positions": 10**9}, "wpe.weight has shape"),
    "infinite": ("llama-mha", {"rms_norm_eps": float("inf")}, "norm_eps must be a finite number"),
}


@pytest.mark.parametrize("case", LIES)
def test_a_config_that_does_not_fit_is_refused_before_anything_is_made(case, tmp_path):
    golden, changed, message = LIES[case]
    folder = folder_with(tmp_path / "model", golden, **changed)
    tracemalloc.start()
    try:
        with pytest.raises((FormatError, ShapeError), match=message) as info:
            Transformer.load(folder)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    assert str(folder) in str(info.value) + str(getattr(info.value, "__notes__", ""))


def changed(change: Callable[[Arrays], object]) -> Arrays:
    arrays = arrays_of("llama-mha")
    change(arrays)
    return arrays


FFN = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda a: a.pop(FFN), FormatError, r"model.safetensors: the array layers.1.mlp.up_proj.weight is missing"),
        (
            lambda a: a.update({FFN: a[FFN].T.copy()}),
            FormatError,
            r"shape \(64, 176\), and by the config \(176, 64\)",
        ),
        (lambda a: a.update({FFN: a[FFN].ravel()}), FormatError, r"has shape \(11264,\)"),
        (lambda a: a.update({FFN: a[FFN].astype(np.float64)}), FormatError, "holds F64; read are F32, F16, BF16"),
        (lambda a: a.update({FFN: a[FFN].astype(np.int8)}), FormatError, "holds I8"),
        (
            lambda a: a.update({"model.layers.0.self_attn.q_norm.weight": a[FFN]}),
            FormatError,
            "q_norm.* is not modelled",
        ),
        (
            lambda a: a.update({"model.layers.0.self_attn.q_proj.bias": a[FFN]}),
            FormatError,
            "q_proj.bias is not modelled",
        ),
        (
            lambda a: a[FFN].__setitem__((3, 5), np.nan),
            ShapeError,
            r"layers.1.ffn.w3.weight is not finite: at \[3, 5",
        ),
        (lambda a: a[FFN].__setitem__((0, 0), -np.inf), ShapeError, r"at \[0, 0\] is -inf"),
    ],
)
@pytest.mark.parametrize("low_memory", [False, True])
def test_arrays_that_are_not_the_model(change, error, message, low_memory, tmp_path):
    folder = folder_with(tmp_path / "model", "llama-mha", changed(change))
    with pytest.raises(error, match=message):
        # What is widened when it is used is looked at when it is used.
        Transformer.load(folder, low_memory=low_memory)([[1]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"block_count": None}, "llama.block_count: the field is missing"),
        ({"block_count": 3}, "blk.2.attn_norm.weight is missing"),
        ({"block_count": "two"}, "num_layers must be an integer"),
        ({"rope.scaling.type": "yarn"}, "llama.rope.scaling.type: 'yarn' is not modelled; it has to be 'none'"),
        ({"rope.dimension_count": 8}, "llama.rope.dimension_count: 8 is not modelled; it has to be 16"),
        ({"expert_count": 8}, "llama.expert_count: not modelled, and ignoring it could change"),
        ({"attention.sliding_window": 8}, "llama.attention.sliding_window: not modelled"),
        (
            {"embedding_length": 128, "rope.dimension_count": None},
            r"token_embd.weight has shape \(257, 64\), and by the config \(257, 128\)",
        ),
    ],
)
def test_a_gguf_header_that_does_not_fit(changed, message, tmp_path):
    path = converted(tmp_path / "model.gguf", "llama-mha", **changed)
    with pytest.raises((FormatError, ShapeError), match=message) as info:
        Transformer.load(path)
    assert str(path) in str(info.value) + str(getattr(info.value, "__notes__", ""))


def test_gguf_of_what_is_not_read(tmp_path):
    path = tmp_path / "model.gguf"
    for name, kind, message in (("mamba", np.float32, "'mamba' is not modelled"), ("llama", np.int8, "x holds I8")):
        writer = gguf.GGUFWriter(path, name)
        writer.add_tensor("x", np.zeros((2, 32), kind))
        finish(writer)
        with pytest.raises(FormatError, match=message):
            Transformer.load(path)
    writer = gguf.GGUFWriter(path, "llama")
    finish(writer)
    with pytest.raises(FormatError, match=r"token_embd.weight is missing"):
        Transformer.load(path)
    writer = gguf.GGUFWriter(path, "llama", endianess=gguf.GGUFEndian.BIG)
    finish(writer)
    with pytest.raises(FormatError, match="big-endian"):
        Transformer.load(path)


def test_gguf_of_more_tensors_than_there_are(tmp_path):
    path = tmp_path / "model.gguf"
    for count, message in (
        (2**16, "the file ends before"),
        (2**16 + 1, "65,537 tensors, more than the limit of 65,536"),
    ):
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, count, 0))
        with pytest.raises(FormatError, match=message):
            Transformer.load(path)


def a_header(**about: object) -> bytes:
    text = json.dumps({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} | about}).encode()
    return struct.pack("<Q", len(text)) + text + bytes(8)


@pytest.mark.parametrize(
    "data",
    [
        a_header(data_offsets=[0, 16]),
        a_header(data_offsets=[8, 0]),
        a_header(data_offsets=[0, 2**63]),
        a_header(data_offsets=[-8, 0]),
        a_header(shape=[3]),
        a_header(shape=[2**32, 2**32]),
        a_header(shape=[2**63, 2]),
        a_header(shape=[-2]),
        a_header(dtype="F31"),
        a_header()[:-1],
        a_header() + b"0",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**8) + b"{}",
        struct.pack("<Q", 2**24) + b"{}",
        struct.pack("<Q", 2) + b"{]",
        struct.pack("<Q", 10**5) + b"{" + b"[" * 10**5,
    ],
)
def test_safetensors_headers_that_lie(data, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(
            FormatError, match=r"model.safetensors: (not a sound safetensors file|the header has [0-9,]+ bytes)"
        ):
            Transformer.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21


@pytest.mark.parametrize("name", ["model.safetensors", "model.gguf"])
def test_files_that_are_cut_or_damaged(name, tmp_path, rng: random.Random):
    if name == "model.gguf":
        path = converted(tmp_path / name, "llama-mha", "Q8_0")
    else:
        path = folder_with(tmp_path, "llama-mha") / name
    data = path.read_bytes()
    # Up to where the arrays begin, and after that.
    begin = gguf.GGUFReader(path).data_offset if name == "model.gguf" else 8 + struct.unpack("<Q", data[:8])[0]
    lengths = [rng.randrange(begin) for _ in range(150)] + [rng.randrange(begin, len(data)) for _ in range(50)]
    for length in [*lengths, 0, 1, 8, 9, len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(FormatError) as info:
            Transformer.load(path)
        assert str(path) in str(info.value)
    n_refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(begin)] = rng.randrange(256)
        path.write_bytes(damaged)
        tracemalloc.start()
        try:
            Transformer.load(path, low_memory=True)
        except BytepairError:
            n_refused += 1
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 2**24
    print(f"{name}: {n_refused} of 400 damaged headers refused")
    assert n_refused > 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"[]", "must be an object of JSON"),
        (b"{" * 10**6, "not valid JSON"),
        (b"[" * 10**6, "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b" " * 2**21, "at most 1 MiB"),
        (b'{"model_type": "llama"}', "the field is missing"),
    ],
)
def test_config_files_that_are_none(text, message, tmp_path):
    folder = folder_with(tmp_path / "model", "gpt2")
    (folder / "config.json").write_bytes(text)
    with pytest.raises(FormatError, match=message) as info:
        Transformer.load(folder)
    assert str(folder / "config.json") in str(info.value)


def test_what_is_no_model(tmp_path):
    with pytest.raises(FormatError, match=r"the folder has no model.safetensors"):
        Transformer.load(tmp_path)
    path = tmp_path / "model.bin"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(FormatError, match=r"model.bin: neither a safetensors nor a GGUF file"):
        Transformer.load(path)
    with pytest.raises(FileNotFoundError):
        Transformer.load(tmp_path / "absent")
    folder = folder_with(tmp_path / "model", "gpt2")
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config.json, which says what the arrays beside it are"):
        Transformer.load(folder)


def test_without_the_packages_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = converted(tmp_path / "model.gguf", "gpt2")
    monkeypatch.delitem(sys.modules, "bytepair._gguf_reader")
    monkeypatch.delattr(bytepair, "_gguf_reader")
    for package, file, what in (("gguf", path, "a GGUF file"), ("safetensors", MODELS / "gpt2", "safetensors files")):
        monkeypatch.setitem(sys.modules, package, None)
        message = rf"{what} (is|are) read with the package {package}: pip install 'bytepair\[weights\]'"
        with pytest.raises(ModuleNotFoundError, match=message):
            Transformer.load(file)
