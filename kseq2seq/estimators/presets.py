"""Named sets of parameters to start from."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "translation": {
        "source_tokenizer": "bpe:6000",
        "target_tokenizer": "bpe:6000",
        "lowercase": True,
        "unicode_normalization": "NFC",
        "attention_kind": "general",
        "cell": "gru",
        "units": 256,
        "embedding_dim": 256,
        "tied_embeddings": True,
        "dropout": 0.4,
        "label_smoothing": 0.1,
        "learning_rate": 0.002,
        "ema_momentum": 0.998,
        "batch_size": 64,
        "epochs": 16,
        "beam_size": 5,
        "length_penalty": 1.0,
    },
}
"""Parameters of ``Seq2SeqEstimator`` by the name of a task, as plain JSON values.

>>> from kseq2seq import Seq2SeqEstimator
>>> from kseq2seq.estimators import PRESETS
>>> Seq2SeqEstimator(**PRESETS["translation"] | {"epochs": 5}).cell
'gru'
"""
