"""Tasks to learn from: text, integers, pictures, and pairs from files."""

from kseq2seq.datasets.add_two_digits import make_add_two_digits
from kseq2seq.datasets.arithmetic import OPERATORS, make_arithmetic
from kseq2seq.datasets.columns import (
    Columns,
    check_columns,
    exact_columns,
    has_header,
    take_columns,
    take_features,
)
from kseq2seq.datasets.daily_counts import make_daily_counts
from kseq2seq.datasets.dates import FIRST_DATE, LAST_DATE, make_dates
from kseq2seq.datasets.echo import make_echo
from kseq2seq.datasets.files import decode_lines, load_pairs, read_lines
from kseq2seq.datasets.images import mask_left_half
from kseq2seq.datasets.number_words import make_number_words, stream_number_words
from kseq2seq.datasets.pairs import Pairs
from kseq2seq.datasets.series import load_covariates, load_series

__all__ = [
    "Columns",
    "FIRST_DATE",
    "LAST_DATE",
    "OPERATORS",
    "Pairs",
    "check_columns",
    "decode_lines",
    "exact_columns",
    "has_header",
    "load_covariates",
    "load_pairs",
    "load_series",
    "make_add_two_digits",
    "make_arithmetic",
    "make_daily_counts",
    "make_dates",
    "make_echo",
    "make_number_words",
    "mask_left_half",
    "read_lines",
    "stream_number_words",
    "take_columns",
    "take_features",
]
