"""Recurrent sequence-to-sequence learning in Keras.

Names are imported when they are first used, so that ``import kseq2seq`` loads no
backend. Keras learns of all layers at once, or when it is imported later, and
``keras.models.load_model`` finds those of a ``.keras`` file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kseq2seq._keras_import import register_with_keras

if TYPE_CHECKING:
    from kseq2seq.builders import (
        AutoencoderModels,
        Seq2SeqModels,
        build_attention_seq2seq,
        build_masked_autoencoder,
        build_seq2seq,
        build_sequence_classifier,
    )
    from kseq2seq.estimators import (
        Seq2SeqEnsemble,
        Seq2SeqEstimator,
        SequenceClassifier,
        SequenceForecaster,
        SequenceRegressor,
        load,
    )
    from kseq2seq.generation import build_generator
    from kseq2seq.word_vectors import load_vectors

__version__ = "0.2.0"

_HOMES = {
    "AutoencoderModels": "builders",
    "Seq2SeqEnsemble": "estimators",
    "Seq2SeqEstimator": "estimators",
    "Seq2SeqModels": "builders",
    "SequenceClassifier": "estimators",
    "SequenceForecaster": "estimators",
    "SequenceRegressor": "estimators",
    "build_attention_seq2seq": "builders",
    "build_generator": "generation",
    "build_masked_autoencoder": "builders",
    "build_seq2seq": "builders",
    "build_sequence_classifier": "builders",
    "load": "estimators",
    "load_vectors": "word_vectors",
}
_MODULES = ("datasets", "metrics", "plotting", "training")

__all__ = [
    "AutoencoderModels",
    "Seq2SeqEnsemble",
    "Seq2SeqEstimator",
    "Seq2SeqModels",
    "SequenceClassifier",
    "SequenceForecaster",
    "SequenceRegressor",
    "build_attention_seq2seq",
    "build_generator",
    "build_masked_autoencoder",
    "build_seq2seq",
    "build_sequence_classifier",
    "load",
    "load_vectors",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"kseq2seq.{_HOMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"kseq2seq.{name}")
    raise AttributeError(f"module 'kseq2seq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})


register_with_keras()
