"""Sequences as users have them (texts, token lists, integer arrays) to ids and back."""

from kseq2seq.codec.features import (
    FEATURE,
    source_text,
    split_features,
    with_features,
)
from kseq2seq.codec.labels import LabelCodec, as_labels
from kseq2seq.codec.scaling import SCALINGS, Scale, Scaling
from kseq2seq.codec.seasons import find_season_lengths
from kseq2seq.codec.sequence_codec import SequenceCodec
from kseq2seq.codec.sequences import (
    KINDS,
    as_sequences,
    as_vocabulary,
    without_tensor,
)
from kseq2seq.codec.series import SeriesCodec
from kseq2seq.codec.values import SourceValues, TargetValues, value_sequences

__all__ = [
    "FEATURE",
    "KINDS",
    "SCALINGS",
    "LabelCodec",
    "Scale",
    "Scaling",
    "SequenceCodec",
    "SeriesCodec",
    "SourceValues",
    "TargetValues",
    "as_labels",
    "as_sequences",
    "as_vocabulary",
    "find_season_lengths",
    "source_text",
    "split_features",
    "value_sequences",
    "with_features",
    "without_tensor",
]
