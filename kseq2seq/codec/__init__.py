"""Sequences as users have them (texts, token lists, integer arrays) to ids and back."""

from kseq2seq.codec.features import (
    FEATURE,
    source_text,
    split_features,
    with_features,
)
from kseq2seq.codec.labels import LabelCodec, as_labels
from kseq2seq.codec.sequence_codec import SequenceCodec
from kseq2seq.codec.sequences import (
    KINDS,
    as_sequences,
    as_vocabulary,
    without_tensor,
)

__all__ = [
    "FEATURE",
    "KINDS",
    "LabelCodec",
    "SequenceCodec",
    "as_labels",
    "as_sequences",
    "as_vocabulary",
    "source_text",
    "split_features",
    "with_features",
    "without_tensor",
]
