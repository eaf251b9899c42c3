"""Registered Keras layers: recurrent layers, embeddings, masks, attention, averages."""

from kseq2seq.layers.attention import AdditiveAttention, DotAttention
from kseq2seq.layers.averages import AverageProbabilities
from kseq2seq.layers.dense import Dense, Dropout, random_uniform
from kseq2seq.layers.embeddings import Embedding, OneHot, TiedEmbedding, WordDropout
from kseq2seq.layers.feeding import NothingYet, StepCell
from kseq2seq.layers.fixed_shape import FixedShapeModel
from kseq2seq.layers.masks import EveryFrame, PaddingMask, RepeatAlong, Unmasked
from kseq2seq.layers.recurrent import GRU, LSTM, RECURRENT_LAYERS, SimpleRNN

__all__ = [
    "GRU",
    "LSTM",
    "RECURRENT_LAYERS",
    "AdditiveAttention",
    "AverageProbabilities",
    "Dense",
    "DotAttention",
    "Dropout",
    "Embedding",
    "EveryFrame",
    "FixedShapeModel",
    "NothingYet",
    "OneHot",
    "PaddingMask",
    "RepeatAlong",
    "SimpleRNN",
    "StepCell",
    "TiedEmbedding",
    "Unmasked",
    "WordDropout",
    "random_uniform",
]
