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
from kseq2seq.batching.windows import (
    Series,
    Window,
    WindowBatches,
    Windows,
    WindowShape,
    season_errors,
)

__all__ = [
    "FIRST_VALUES",
    "Batch",
    "Batches",
    "BucketedBatches",
    "LabelBatches",
    "Runs",
    "Series",
    "StreamBatches",
    "ValueBatches",
    "Window",
    "WindowBatches",
    "WindowShape",
    "Windows",
    "close_and_pad",
    "pad",
    "relative_size",
    "run_length",
    "season_errors",
    "shift",
    "shift_values",
]
