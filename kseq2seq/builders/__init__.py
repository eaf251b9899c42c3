"""Sizes to Keras models that share layers."""

from kseq2seq.builders.architecture import ATTENTIONS, CELLS, EMBEDDINGS
from kseq2seq.builders.seq2seq import (
    Seq2SeqModels,
    build_attention_seq2seq,
    build_seq2seq,
)

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "EMBEDDINGS",
    "Seq2SeqModels",
    "build_attention_seq2seq",
    "build_seq2seq",
]
