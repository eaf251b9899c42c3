"""Sizes to Keras models that share layers."""

from kseq2seq.builders.autoencoder import (
    AutoencoderModels,
    build_masked_autoencoder,
)
from kseq2seq.builders.classifier import build_sequence_classifier
from kseq2seq.builders.custom_parts import MakeAttention, MakeCell
from kseq2seq.builders.ensemble import build_ensemble, side_by_side
from kseq2seq.builders.seq2seq import (
    Seq2SeqModels,
    build_attention_seq2seq,
    build_seq2seq,
    check_seq2seq_models,
)
from kseq2seq.builders.settings import ATTENTIONS, CELLS, DECODERS, EMBEDDINGS

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "DECODERS",
    "EMBEDDINGS",
    "AutoencoderModels",
    "MakeAttention",
    "MakeCell",
    "Seq2SeqModels",
    "build_attention_seq2seq",
    "build_ensemble",
    "build_masked_autoencoder",
    "build_seq2seq",
    "build_sequence_classifier",
    "check_seq2seq_models",
    "side_by_side",
]
