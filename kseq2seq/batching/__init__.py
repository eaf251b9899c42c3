"""Sequences to padded batches, in few shapes."""

from kseq2seq.batching.batches import Batches, LabelBatches, ValueBatches
from kseq2seq.batching.buckets import (
    Batch,
    BucketedBatches,
    Runs,
    relative_size,
    run_length,
)
from kseq2seq.batching.padding import (
    FIRST_VALUES,
    close_and_pad,
    pad,
    shift,
    shift_values,
)
from kseq2seq.batching.stream import StreamBatches

__all__ = [
    "FIRST_VALUES",
    "Batch",
    "Batches",
    "BucketedBatches",
    "LabelBatches",
    "Runs",
    "StreamBatches",
    "ValueBatches",
    "close_and_pad",
    "pad",
    "relative_size",
    "run_length",
    "shift",
    "shift_values",
]
