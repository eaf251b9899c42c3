"""Registered Keras layers: recurrence, embeddings, masks, attention, copying."""

from kseq2seq.layers.attention import (
    ATTENTION_KINDS,
    AdditiveAttention,
    AttentionKind,
    DotAttention,
)
from kseq2seq.layers.averages import AverageProbabilities
from kseq2seq.layers.copying import CopyIds, PointerGenerator
from kseq2seq.layers.dense import Dense, Dropout, random_uniform
from kseq2seq.layers.embeddings import Embedding, OneHot, TiedEmbedding, WordDropout
from kseq2seq.layers.feeding import FeedAlong, NothingYet, StepCell
from kseq2seq.layers.fixed_shape import FixedShapeModel
from kseq2seq.layers.generators import FixedShapeGenerator, Generator
from kseq2seq.layers.masks import (
    EveryFrame,
    LastFrame,
    PaddingMask,
    RepeatAlong,
    Unmasked,
    WholeFrames,
    ZerosForNaN,
    masks_nan,
)
from kseq2seq.layers.monotonic import FirstPlace, MonotonicAttention, PlaceVectors
from kseq2seq.layers.recurrent import CELL_KINDS, GRU, LSTM, CellKind, SimpleRNN
from kseq2seq.layers.scaling import WindowScale
from kseq2seq.layers.token_log_probs import TokenLogProbs
from kseq2seq.layers.training_model import TrainingModel

__all__ = [
    "ATTENTION_KINDS",
    "CELL_KINDS",
    "GRU",
    "LSTM",
    "AdditiveAttention",
    "AttentionKind",
    "AverageProbabilities",
    "CellKind",
    "CopyIds",
    "Dense",
    "DotAttention",
    "Dropout",
    "Embedding",
    "EveryFrame",
    "FeedAlong",
    "FirstPlace",
    "FixedShapeGenerator",
    "FixedShapeModel",
    "Generator",
    "LastFrame",
    "MonotonicAttention",
    "NothingYet",
    "OneHot",
    "PaddingMask",
    "PlaceVectors",
    "PointerGenerator",
    "RepeatAlong",
    "SimpleRNN",
    "StepCell",
    "TiedEmbedding",
    "TokenLogProbs",
    "TrainingModel",
    "Unmasked",
    "WholeFrames",
    "WindowScale",
    "WordDropout",
    "ZerosForNaN",
    "masks_nan",
    "random_uniform",
]
