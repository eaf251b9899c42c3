"""Sizes to a Keras model that puts a sequence into one of several classes."""

from __future__ import annotations

import keras
import numpy as np

from kseq2seq.arguments import check_size
from kseq2seq.builders.architecture import EncoderArchitecture
from kseq2seq.builders.components import Components
from kseq2seq.builders.custom_parts import MakeCell
from kseq2seq.builders.encoder import join_directions, read_source
from kseq2seq.builders.settings import Embedding, Initializer
from kseq2seq.declarations import documented
from kseq2seq.layers import TrainingModel


@documented(EncoderArchitecture)
def build_sequence_classifier(
    source_vocabulary_size: int | None = None,
    num_classes: int = 2,
    units: int = 256,
    *,
    source_features: int | None = None,
    cell: str | MakeCell = "lstm",
    num_layers: int = 1,
    bidirectional: bool = False,
    embedding_dim: int | None = None,
    source_embedding: Embedding = "learned",
    freeze_embeddings: bool = False,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    word_dropout: float = 0.0,
    kernel_initializer: Initializer = "glorot_uniform",
    recurrent_initializer: Initializer = "orthogonal",
    bias_initializer: Initializer = "zeros",
    embeddings_initializer: Initializer | None = None,
    random_state: int | np.random.Generator | None = None,
) -> keras.Model:
    """Build a model that reads a sequence and puts it into one class: many to one.

    The logits are read from the last layer's last state h, of both directions if there
    are two. Padding on the right changes no answer.

    Parameters
    ----------
    num_classes : int, default 2
        At least 2.
    {parameters}

    Returns
    -------
    keras.Model
        ``source_ids (batch, source_len)`` int32, or ``source_values (batch, source_len,
        source_features)``, to logits ``(batch, num_classes)``.

    Raises
    ------
    ValueError, TypeError
        When an argument is outside its range; the message names the range.

    Examples
    --------
    >>> from kseq2seq import build_sequence_classifier
    >>> from kseq2seq.training import Crossentropy
    >>> model = build_sequence_classifier(16, 19, units=64, random_state=0)
    >>> model.output_shape
    (None, 19)
    >>> model.compile("adam", loss=Crossentropy(), metrics=["accuracy"])  # of logits
    """
    arguments = {**locals()}
    num_classes = check_size("num_classes", arguments.pop("num_classes"), minimum=2)
    architecture = EncoderArchitecture(**arguments)
    components = Components(architecture)
    reading = read_source(architecture, components)
    num_layers = architecture.num_layers
    h, *_ = join_directions(architecture, reading.states[-1], num_layers)
    h = components.dropout(name="logits_dropout")(h)
    logits = components.dense(num_classes, name="logits")(h)
    return TrainingModel([reading.source], logits, name="classifier")
