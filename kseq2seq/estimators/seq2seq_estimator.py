"""Sequence-to-sequence models with scikit-learn's fit, predict and score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import (
    LARGEST_BATCH,
    check_choice,
    check_flag,
    check_whole,
    shown,
)
from kseq2seq.builders import (
    ATTENTIONS,
    DECODERS,
    MakeAttention,
    MakeCell,
)
from kseq2seq.training.objectives import check_validation_data, new_callbacks
from kseq2seq.estimators.fitting import FittingEstimator
from kseq2seq.generation import LONGEST
from kseq2seq.metrics import METRICS, check_metrics
from kseq2seq.tokenizers import check_tokenizer
from kseq2seq.training import (
    check_teacher_forcing,
)
from kseq2seq.vocabulary import Token, Vocabulary


class Seq2SeqEstimator(FittingEstimator):
    """Learn to answer sequences with sequences.

    X and y may each hold strings, token lists, or rows of integers of one length; the
    answers come back in the kind that y had.

    Parameters
    ----------
    source_tokenizer, target_tokenizer : str or object, default "char"
        How strings are split: ``"char"``, ``"word"``, ``"whitespace"``; ``"bpe:8000"``
        or ``"unigram:8000"`` into so many subwords at most, which `fit` learns from the
        texts (with the ``text`` extra; see
        :func:`kseq2seq.tokenizers.train_tokenizer`); a pair of functions ``(split,
        join)``, a ``tokenizers.Tokenizer``, or an object with ``encode`` and
        ``decode``.
    lowercase : bool, default False
        Whether capitals of texts become small letters, on both sides; answers are
        measured in these.
    unicode_normalization : {"NFC", "NFD", "NFKC", "NFKD", None}
        The Unicode form that texts are brought to; None for as they are.
    unknown : {"unk", "error"}, default "unk"
        What a source token that training never saw becomes at predict: UNK, or an
        error.
    min_frequency : int, default 1
        Tokens seen less often in training are UNK.
    max_size : int, optional
        How many tokens each vocabulary keeps at most.
    source_vocabulary, target_vocabulary : list or str, optional
        The tokens, given up front: a list of strings or of integers, or the characters
        of a string. Training raises for a token that is not among them. Learned from
        the data when None, which a stream does not allow.
    shared_vocabulary : bool, default False
        Whether both sides have one vocabulary, learned from the texts or token lists of
        both, as their one tokenizer is.
    reverse_source : bool, default False
        Whether the model reads sources from their end to their start, which brings the
        tokens that are needed first near to the first answer (Sutskever et al., 2014,
        arXiv:1409.3215, 3.3). Sources and pictures keep their order.
    decoder : {"autoregressive", "repeat"}, default "autoregressive"
        What the decoder is fed at each step: its last answer, or always the encoder's
        last state.
    attention_kind : {"dot", "scaled_dot", "general", "additive"} or callable, optional
        The builders' `attention`, ``"dot"`` by default: how the decoder looks back at
        the encoder outputs; None (on the command line ``none``) for not at all.
    attention_units : int, optional
        The width of the layer between attention and logits; `units` when None.
    attention_dropout : float, default 0
        Share of the attention weights that training drops from what is looked at.
    input_feeding : bool, default False
        Whether each step also reads what the step before has looked at; slower to
        train.
    units : int, default 128
        The width of the decoder.
    encoder_units : int, optional
        The width of the encoder outputs; `units` when None.
    cell : {"lstm", "gru", "rnn"} or callable, default "lstm"
        The recurrent layers' cell, or what makes one of a width, as the builders say.
    num_layers : int, default 1
        Recurrent layers of the encoder, and of the decoder; 1 to 4.
    bidirectional : bool, default True
        Whether the encoder reads in both directions.
    bridge : bool, default False
        Whether a dense layer stands between the encoder's last states and the decoder's
        first; where they differ in width, it always does.
    residual : bool, default False
        Whether, from the second recurrent layer on, a layer's inputs are added to its
        outputs.
    layer_normalization : bool, default False
        Whether each recurrent layer's outputs are normalized.
    embedding_dim : int, optional, default 64
        The width of learned embeddings; `units` when None.
    source_embedding, target_embedding : {"learned", "one_hot"} or array, default \
"learned"
        An array ``(vocabulary size, width)`` is the embeddings' start: rows 0 to 3 for
        PAD, UNK, START and END, then one for each token in the order that
        ``vocabulary.Vocabulary.from_sequences`` gives.
    freeze_embeddings : bool, default False
        Whether embeddings given as arrays stay as they are.
    tied_embeddings : bool, default False
        Whether the logits are the products with the target embeddings; `embedding_dim`
        must then be as wide as what they are read from, `units` or `attention_units`.
    dropout : float, default 0.3
        Share of embeddings and of values between layers that training drops.
    recurrent_dropout : float, default 0
        Share of the recurrent layers' states that training drops.
    word_dropout : float, default 0
        Share of the tokens of sources and decoder inputs that are UNK in training.
    kernel_initializer, recurrent_initializer, bias_initializer, \
embeddings_initializer : str or keras.initializers.Initializer
        As in :func:`kseq2seq.build_seq2seq`.
    max_length : int, optional
        How many tokens an answer has at most; half as many again as the longest of
        training when None, which a stream of texts or token lists does not allow.
    beam_size : int, default 1
        How many hypotheses `predict` grows side by side; 1 is greedy search. Like all
        parameters of the search, from here to `top_p`, it shapes answers and not
        training: ``set_params`` changes it for a fitted estimator.
    length_penalty, coverage_penalty : float, default 0
        How a beam ranks hypotheses: the higher the first, the better long ones, and the
        higher the second, the worse those that left source tokens without attention.
        See :func:`kseq2seq.build_generator`.
    min_length : int, default 0
        How many tokens an answer has at least.
    no_repeat_ngram_size : int, default 0
        No run of so many tokens comes twice in an answer; 0 for no such rule.
    forced_prefix : str, token list or integers, optional
        The beginning of every answer, in the kind that y has.
    forbidden_tokens : sequence of tokens, optional
        Tokens of the target vocabulary that no answer holds.
    replace_unknown : bool, default False
        Whether `predict` writes, in place of an UNK in an answer, the source token that
        attention points to at most (Luong et al., 2015, arXiv:1410.8206); without, it
        writes ``"<unk>"``. Training shows UNK in answers where `min_frequency` or
        `max_size` leave tokens out.
    temperature : float, optional
        Above 0: answers are drawn at random, token by token, with the model's
        probabilities at 1, with more even ones above; seeded by `random_state`. None
        takes the best.
    top_k : int, optional
        Draw among so many of the best tokens.
    top_p : float, optional
        Draw among the fewest tokens whose probabilities add up to it; above 0, up to 1.
    teacher_forcing : float, default 1
        The probability, at each step of training, of feeding the decoder the gold token
        before; else it is fed its own best token. 0 is training as it will answer.
    teacher_forcing_schedule : {"constant", "linear", "exponential", \
"inverse_sigmoid"}, default "constant"
        How that probability falls over the epochs; see
        :func:`kseq2seq.training.forcing_probability`.
    optimizer : str or keras.optimizers.Optimizer, default "adam"
        A name, or an optimizer with a learning rate of its own, which is copied.
    learning_rate : float, default 0.003
        Where an optimizer given by name starts; the rate falls along half a cosine
        over the epochs.
    warmup_steps : int, default 0
        The updates over which that rate rises from 0 first; it then falls with every
        update.
    ema_momentum : float, optional
        Above 0 and below 1, such as 0.999: validation sees, and training ends with, the
        exponential moving averages of the weights. None for the weights themselves.
    gradient_accumulation_steps : int, default 1
        The batches whose gradients are averaged for one update.
    clip_norm : float, optional, default 1
        The largest norm of all gradients together.
    label_smoothing : float, default 0.1
        The share of each target's probability that is spread over all ids.
    loss : keras.losses.Loss, optional
        In place of the cross-entropy: of target ids ``(batch, target_len)``, logits
        ``(batch, target_len, vocabulary)`` and weights, 0 on padding. With the
        reduction ``"mean_with_sample_weight"`` it is a mean over tokens.
    metrics : sequence of keras.metrics.Metric, optional
        More to measure in training and validation, of the same; copied for each fit.
        Keras must know a class of your own
        (``@keras.saving.register_keras_serializable()``).
    batch_size : int, default 64
        Pairs a batch.
    batch_tokens : int, optional
        In place of `batch_size`: how many tokens each side of a batch has at most, END
        and padding included, so that batches of long pairs have fewer of them. Not for
        a stream.
    epochs : int, optional
        Passes over the training pairs at most; when None as many as make 4,000 updates,
        at least 10 and at most 100.
    warm_start : bool, default False
        Whether `fit` goes on from what an earlier one has learned: its models, with the
        layers that are not ``trainable`` left as they are, its vocabularies and its
        tokenizers; new tokens are UNK.
    validation_fraction : float, default 0.1
        Share of the pairs held back where `fit` gets no validation data; 0 for none.
    patience : int, optional, default 10
        Training ends when the validation loss has not fallen for so many epochs, and
        the best weights return; None to train all epochs and keep the last weights.
    early_stopping_metric : str, default "loss"
        What `patience` looks at, and the best weights are the best by: the validation
        loss, or a metric of the validation answers, decoded as `predict` does:
        ``"bleu"``, ``"chrf"``, ``"exact_match"``, ``"token_accuracy"``,
        ``"edit_distance"`` or ``"token_error_rate"``, on 1,000 pairs at most.
    tol : float, optional
        Training ends when an epoch's training loss is no more than this.
    callbacks : sequence of keras.callbacks.Callback, or of functions, optional
        Each is copied, or made by its function, for each fit; see ``callbacks_``.
        Those of ``kseq2seq.training`` that look at answers come before the others.
    verbose : {0, 1, 2}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.
    random_state : int, optional
        Seeds weights, dropout, the order of batches and the held-back part; and what
        is drawn with a `temperature`, which is then the same at each `predict`.

    Attributes
    ----------
    models_ : Seq2SeqModels
    generator_ : keras.Model
    source_vocabulary_, target_vocabulary_ : Vocabulary
    source_tokenizer_, target_tokenizer_ : object
        What splits texts: as given, or the subwords that `fit` has learned.
    history_ : dict of str to list of float
        What each epoch measured, by name. ``teacher_forced_accuracy`` says how training
        went, not how well the model answers: that is :meth:`score`.
    max_length_ : int
        How many ids an answer has at most, END included.
    callbacks_ : list of keras.callbacks.Callback

    Examples
    --------
    >>> from kseq2seq import Seq2SeqEstimator
    >>> X, y = ["ab", "ba", "aab", "bba"] * 8, ["ba", "ab", "baa", "abb"] * 8
    >>> estimator = Seq2SeqEstimator(
    ...     units=32, learning_rate=0.01, epochs=40, validation_fraction=0,
    ...     batch_size=8, random_state=0,
    ... )
    >>> estimator.fit(X, y).predict(["ab", "bba"])
    ['ba', 'abb']
    """

    def __init__(
        self,
        *,
        source_tokenizer: Any = "char",
        target_tokenizer: Any = "char",
        lowercase: bool = False,
        unicode_normalization: str | None = None,
        unknown: str = "unk",
        min_frequency: int = 1,
        max_size: int | None = None,
        source_vocabulary: Sequence[Token] | Vocabulary | None = None,
        target_vocabulary: Sequence[Token] | Vocabulary | None = None,
        shared_vocabulary: bool = False,
        reverse_source: bool = False,
        decoder: str = "autoregressive",
        attention_kind: str | MakeAttention | None = "dot",
        attention_units: int | None = None,
        attention_dropout: float = 0.0,
        input_feeding: bool = False,
        units: int = 128,
        encoder_units: int | None = None,
        cell: str | MakeCell = "lstm",
        num_layers: int = 1,
        bidirectional: bool = True,
        bridge: bool = False,
        residual: bool = False,
        layer_normalization: bool = False,
        embedding_dim: int | None = 64,
        source_embedding: str | np.ndarray = "learned",
        target_embedding: str | np.ndarray = "learned",
        freeze_embeddings: bool = False,
        tied_embeddings: bool = False,
        dropout: float = 0.3,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        embeddings_initializer: Any = None,
        max_length: int | None = None,
        beam_size: int = 1,
        length_penalty: float = 0.0,
        coverage_penalty: float = 0.0,
        min_length: int = 0,
        no_repeat_ngram_size: int = 0,
        forced_prefix: Any = None,
        forbidden_tokens: Sequence[Token] | None = None,
        replace_unknown: bool = False,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        teacher_forcing: float = 1.0,
        teacher_forcing_schedule: str = "constant",
        optimizer: str | keras.optimizers.Optimizer = "adam",
        learning_rate: float = 0.003,
        warmup_steps: int = 0,
        ema_momentum: float | None = None,
        gradient_accumulation_steps: int = 1,
        clip_norm: float | None = 1.0,
        label_smoothing: float = 0.1,
        loss: keras.losses.Loss | None = None,
        metrics: Sequence[keras.metrics.Metric] | None = None,
        batch_size: int = 64,
        batch_tokens: int | None = None,
        epochs: int | None = None,
        warm_start: bool = False,
        validation_fraction: float = 0.1,
        patience: int | None = 10,
        early_stopping_metric: str = "loss",
        tol: float | None = None,
        callbacks: Sequence[Any] | None = None,
        verbose: int | str = 0,
        random_state: int | None = None,
    ) -> None:
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer
        self.lowercase = lowercase
        self.unicode_normalization = unicode_normalization
        self.unknown = unknown
        self.min_frequency = min_frequency
        self.max_size = max_size
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.shared_vocabulary = shared_vocabulary
        self.reverse_source = reverse_source
        self.decoder = decoder
        self.attention_kind = attention_kind
        self.attention_units = attention_units
        self.attention_dropout = attention_dropout
        self.input_feeding = input_feeding
        self.units = units
        self.encoder_units = encoder_units
        self.cell = cell
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.bridge = bridge
        self.residual = residual
        self.layer_normalization = layer_normalization
        self.embedding_dim = embedding_dim
        self.source_embedding = source_embedding
        self.target_embedding = target_embedding
        self.freeze_embeddings = freeze_embeddings
        self.tied_embeddings = tied_embeddings
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.word_dropout = word_dropout
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer
        self.embeddings_initializer = embeddings_initializer
        self.max_length = max_length
        self.beam_size = beam_size
        self.length_penalty = length_penalty
        self.coverage_penalty = coverage_penalty
        self.min_length = min_length
        self.no_repeat_ngram_size = no_repeat_ngram_size
        self.forced_prefix = forced_prefix
        self.forbidden_tokens = forbidden_tokens
        self.replace_unknown = replace_unknown
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.teacher_forcing = teacher_forcing
        self.teacher_forcing_schedule = teacher_forcing_schedule
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps
        self.ema_momentum = ema_momentum
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.loss = loss
        self.metrics = metrics
        self.batch_size = batch_size
        self.batch_tokens = batch_tokens
        self.epochs = epochs
        self.warm_start = warm_start
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.early_stopping_metric = early_stopping_metric
        self.tol = tol
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Sequence[float] | None = None,
        validation_data: tuple[Any, Any] | None = None,
        steps_per_epoch: int | None = None,
        checkpoint: str | Path | None = None,
    ) -> Seq2SeqEstimator:
        """Learn from pairs; without `warm_start` what was learned before is forgotten.

        An interrupt (Ctrl-C) ends training after the step under way, with a warning,
        and leaves a fitted estimator.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
            Without y, X is a stream: an iterator of pairs (source, target), or a
            ``keras.utils.PyDataset`` of batches (sources, targets). Both vocabularies
            and, unless targets are rows of integers, `max_length` must be given then.
        sample_weight : sequence of float ``(n_pairs,)``, optional
            How much each pair counts; at least 0. Not for a stream.
        validation_data : pair (X, y), optional
            What to validate on; a held-back part of the pairs when None, of a stream
            nothing.
        steps_per_epoch : int, optional
            How many batches of a stream make an epoch, at least 2; all of a data set
            when None.
        checkpoint : str or path, optional
            A model file to write after each epoch, with all that going on from there
            takes. If it exists, `fit` goes on from it: broken off and called again, it
            ends, on a CPU, with the weights of a fit that was not. It must be called
            with the same data and parameters; `callbacks` get back their numbers and
            arrays. Not for a stream.

        Returns
        -------
        Seq2SeqEstimator
            This estimator.

        Raises
        ------
        ValueError, TypeError
            When data or a parameter is not as described, before any model is built.
        kseq2seq.training.StreamError
            A ``ValueError``: when a stream fails or ends early; if an epoch or more was
            done, the estimator is fitted with what it has learned.
        FloatingPointError
            When training diverges; what was learned before this fit is kept, and a
            checkpoint has the last epoch with a finite loss.
        """
        with self._all_or_nothing():
            self._check_parameters()
            self.callbacks_ = new_callbacks(self.callbacks or ())
            if validation_data is not None:
                validation_data = check_validation_data(validation_data)
            if y is None:
                if checkpoint is not None:
                    raise TypeError(
                        "checkpoint is for pairs: a stream cannot be taken up where it "
                        "was. Leave it out, or pass X and y."
                    )
                self._fit_stream(X, sample_weight, validation_data, steps_per_epoch)
            elif steps_per_epoch is not None:
                raise TypeError("steps_per_epoch is for a stream; X and y have an end.")
            else:
                self._fit_pairs(X, y, sample_weight, validation_data, checkpoint)
        return self

    def partial_fit(
        self, X: Any, y: Any, *, sample_weight: Sequence[float] | None = None
    ) -> Seq2SeqEstimator:
        """Learn from one pass over pairs, going on from what was learned before.

        The first call learns the vocabularies as `fit` does; pass them where the first
        pairs do not show all tokens. The optimizer goes on, at its full rate; nothing
        is held back.

        Parameters
        ----------
        X, y : sequences of str, of token lists, or integers ``(n_pairs, len)``
            The more pairs a call has the better: each takes seconds to get ready.
        sample_weight : sequence of float ``(n_pairs,)``, optional

        Returns
        -------
        Seq2SeqEstimator
            This estimator, with the history of this pass.

        Raises
        ------
        ValueError, TypeError
            As `fit`; what was learned before is kept.
        """
        if y is None:
            raise TypeError("y is missing: partial_fit learns from pairs, X and y.")
        with self._one_pass():
            return self.fit(X, y, sample_weight=sample_weight)

    def _check_parameters(self) -> None:
        """Raise for a parameter out of range; builders check those that they take."""
        self._check_training_parameters()
        check_tokenizer("target_tokenizer", self.target_tokenizer)
        if not callable(self.attention_kind):
            check_choice("attention_kind", self.attention_kind, (*ATTENTIONS, None))
        check_choice("decoder", self.decoder, DECODERS)
        check_flag("reverse_source", self.reverse_source)
        check_teacher_forcing(self.teacher_forcing, self.teacher_forcing_schedule)
        check_choice(
            "early_stopping_metric", self.early_stopping_metric, ("loss", *METRICS)
        )
        if self.early_stopping_metric != "loss":
            check_metrics([self.early_stopping_metric])
        for name in ("shared_vocabulary", "replace_unknown"):
            check_flag(name, getattr(self, name))
        if self.replace_unknown and self.attention_kind is None:
            raise ValueError(
                "replace_unknown=True looks where attention points, and "
                "attention_kind=None has none. Pass attention_kind='dot', or leave "
                "replace_unknown out."
            )
        if self.shared_vocabulary:
            self._check_shared_vocabulary()
        if self.batch_tokens is not None:
            check_whole("batch_tokens", self.batch_tokens, maximum=LARGEST_BATCH)
        if self.max_length is not None:
            check_whole("max_length", self.max_length, maximum=LONGEST - 1)
        if self.attention_units is not None:
            check_whole("attention_units", self.attention_units)

    def _check_shared_vocabulary(self) -> None:
        """Raise unless both sides are to be split alike."""
        if self.source_tokenizer != self.target_tokenizer:
            raise ValueError(
                "shared_vocabulary=True needs the same tokenizer on both sides; got "
                f"source_tokenizer={shown(self.source_tokenizer)} and "
                f"target_tokenizer={shown(self.target_tokenizer)}."
            )
        for name in ("source_vocabulary", "target_vocabulary"):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{name} is given, and shared_vocabulary=True learns one for both "
                    "sides. Leave one of the two out."
                )
