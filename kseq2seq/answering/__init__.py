"""A fitted model that answers: the Answerer, batches of sources, attention maps."""

from kseq2seq.answering.answerer import Answerer, Hypothesis, check_same_tokens
from kseq2seq.answering.attention_maps import AttentionMap
from kseq2seq.answering.mixin import AnsweringMixin
from kseq2seq.answering.settings import AnswerSettings
from kseq2seq.answering.source_batches import generate
from kseq2seq.answering.value_answers import generate_values

__all__ = [
    "AnswerSettings",
    "Answerer",
    "AnsweringMixin",
    "AttentionMap",
    "Hypothesis",
    "check_same_tokens",
    "generate",
    "generate_values",
]
