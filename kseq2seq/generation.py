"""An encoder, a decoder step and a search, as one Keras model that answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.arguments import check_choice, check_whole
from kseq2seq.batching import FIRST_VALUES
from kseq2seq.builders import Seq2SeqModels, build_ensemble
from kseq2seq.declarations import documented
from kseq2seq.layers import (
    FixedShapeGenerator,
    Generator,
    LastFrame,
    TokenLogProbs,
)
from kseq2seq.search import LONGEST, Rollout, SearchOptions, TokenSearch, make_search
from kseq2seq.vocabulary import PAD, START


@documented(SearchOptions)
def build_generator(
    models: Seq2SeqModels | Sequence[Seq2SeqModels],
    max_length: int,
    *,
    beam_size: int = 1,
    n_best: int | None = None,
    length_penalty: float = 0.0,
    coverage_penalty: float = 0.0,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    min_length: int = 0,
    forced_prefix: Sequence[int] = (),
    prefix_input: bool = False,
    no_repeat_ngram_size: int = 0,
    forbidden_ids: Sequence[int] = (PAD, START),
    attention_weights: bool = True,
    first_values: str = "zeros",
) -> keras.Model:
    """Build a model from ``source_ids`` to answers, with the search loop in its graph.

    The search is greedy unless told otherwise: at every step each row takes its most
    probable id and is fed it. A `beam_size` above 1 grows the best hypotheses side by
    side; a `temperature` draws ids at random. What has ended is frozen; the loop ends
    when all rows have. Where the targets are real values, each step is fed those of the
    step before for `max_length` steps, and no other option but `attention_weights` and
    `first_values` may be given.

    The hypotheses of a beam are ranked by ``log P(Y|X) / lp(Y) + cp(X; Y)``, with
    ``lp(Y) = ((5 + |Y|) / 6) ^ length_penalty`` and
    ``cp(X; Y) = coverage_penalty * sum_i log(min(sum_j p_ij, 1))``, where ``|Y|``
    counts the ids up to END and ``p_ij`` is the attention weight of source token i at
    step j (Wu et al., 2016, arXiv:1609.08144, equation 14). What greedy search would
    choose never leaves the beam: no answer ranks below greedy's.

    Parameters
    ----------
    models : Seq2SeqModels, or list or tuple of them
        What a builder returned; the generator shares its weights. Several answer as an
        ensemble: at each step their probabilities are averaged, with equal weights, and
        the search continues with the average (Sutskever et al., 2014, arXiv:1409.3215,
        section 3.6); real values are averaged likewise. They may differ in all but the
        ids: the numbers of ids must be equal, and each id must mean the same token to
        all of them. The attention weights are the average over those members that have
        attention.
    max_length : int
        How many ids an answer has at most, END included; up to 100,000. How many frames
        it has, where they are real values.
    {parameters}
    first_values : {"zeros", "last"}, default "zeros"
        What the first step is fed, of real values: a frame of zeros, or the last frame
        of the source, whose first features must then be those of the targets; as the
        training's inputs were shifted (:func:`kseq2seq.batching.shift_values`).

    Returns
    -------
    keras.Model
        ``source_ids (batch, source_len)`` int32, closed by END and padded (with
        `prefix_input` a list of these and ``prefix_ids``), to a dict:
        ``ids (batch, max_length)`` int32, the answer, END, then PAD; ``scores
        (batch,)``, the sum of the model's own log-probabilities of these ids (of an
        ensemble, the logarithms of its averaged probabilities), or with a penalty what
        ranks them; and with attention ``attention_weights (batch,
        max_length, source_len)``. With `n_best` each has an axis of this size after the
        batch's; where there are fewer answers, the score is -inf and the ids are PAD.
        For targets of real values, ``values (batch, max_length, target_features)``
        stand in place of ids and scores, and where models have quantiles, these beside
        them: ``quantiles (batch, max_length, target_features, number of quantiles)``,
        rising. What such models know ahead is a second input, ``decoder_features
        (batch, max_length, decoder_features)``.

    Raises
    ------
    ValueError, TypeError
        When a value is out of its range, or means nothing beside another; when the
        models of an ensemble have other ids or frames than the first.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq import build_attention_seq2seq, build_generator
    >>> models = build_attention_seq2seq(9, 8, units=4, random_state=0)
    >>> generator = build_generator(models, max_length=5)
    >>> answers = generator.predict(np.array([[4, 5, 3]]), verbose=0)
    >>> answers["ids"].shape, answers["attention_weights"].shape
    ((1, 5), (1, 5, 3))
    >>> generator = build_generator(models, max_length=5, beam_size=4, n_best=2)
    >>> answers = generator.predict(np.array([[4, 5, 3]]), verbose=0)
    >>> answers["ids"].shape, bool(answers["scores"][0, 0] >= answers["scores"][0, 1])
    ((1, 2, 5), True)

    An ensemble of two models:

    >>> other = build_attention_seq2seq(9, 8, units=6, cell="gru", random_state=1)
    >>> generator = build_generator([models, other], max_length=5)
    >>> answers = generator.predict(np.array([[4, 5, 3]]), verbose=0)
    >>> answers["ids"].shape, answers["attention_weights"].shape
    ((1, 5), (1, 5, 3))
    """
    arguments = {**locals()}
    for name in ("models", "max_length", "first_values"):
        del arguments[name]
    options = SearchOptions(**arguments)
    if not isinstance(models, Seq2SeqModels):
        models = build_ensemble(models)
    check_whole("max_length", max_length, maximum=LONGEST)
    _check_first_values(models, first_values)
    source = models.encoder.inputs[0]
    source = keras.Input(source.shape[1:], name=source.name, dtype=source.dtype)
    search = _search(models, int(max_length), options)
    memory = _unshared(models.encoder)(source)
    if not isinstance(memory, list):
        memory = [memory]  # some of Keras's paths unpack a list of one
    inputs, given = [source], {}
    if options.prefix_input:
        prefix_ids = keras.Input((None,), name="prefix_ids", dtype="int32")
        inputs, memory = [source, prefix_ids], [*memory, prefix_ids]
    if models.num_decoder_inputs > 1:
        shape = (max_length, models.decoder.inputs[1].shape[-1])
        given["decoder_features"] = keras.Input(shape, name="decoder_features")
        inputs.append(given["decoder_features"])
    if first_values == "last":
        width = models.decoder.inputs[0].shape[-1]
        given["first"] = LastFrame(width, name="first_values")(source)
    # Frames of another width would fail in the depths of a backend.
    model = Generator if source.dtype == "int32" else FixedShapeGenerator
    answers = search(memory, **given)
    return model(inputs if len(inputs) > 1 else source, answers, name="generator")


def _check_first_values(models: Seq2SeqModels, first_values: Any) -> None:
    """Raise unless the decoder can start from this."""
    check_choice("first_values", first_values, FIRST_VALUES)
    if first_values == "zeros":
        return
    if not models.has_real_targets:
        raise ValueError(
            "first_values is for real-valued targets; ids start from START. Leave it "
            "out."
        )
    source, width = models.encoder.inputs[0], models.decoder.inputs[0].shape[-1]
    if source.dtype == "int32" or source.shape[-1] < width:
        got = "ids" if source.dtype == "int32" else f"{source.shape[-1]} features"
        raise ValueError(
            "first_values='last' takes the first features of the source's last frame "
            f"for the targets' own, of which there are {width}; the source has {got}. "
            "Pass first_values='zeros'."
        )


def build_scorer(models: Seq2SeqModels, temperature: float = 1.0) -> keras.Model:
    """Build a model from sources and answers to the answers' log-probabilities.

    It feeds the decoder the answers' own ids (teacher forcing), all steps at once.

    Parameters
    ----------
    models : Seq2SeqModels
        Of ids; those of an ensemble too.
    temperature : float, default 1
        The probabilities are ``softmax(logits / temperature)``.

    Returns
    -------
    keras.Model
        ``[source_ids (batch, source_len), target_ids (batch, target_len)]``, both
        closed by END and padded, to ``log_probs (batch, target_len)`` in a dict: the
        natural logarithm of each id's probability, 0 on padding.
    """
    source = models.training.inputs[0]
    source = keras.Input(source.shape[1:], name=source.name, dtype=source.dtype)
    target_ids = keras.Input((None,), name="target_ids", dtype="int32")
    first = ops.full_like(target_ids[:, :1], START)
    decoder_input_ids = ops.concatenate([first, target_ids[:, :-1]], axis=1)
    inputs = [source, decoder_input_ids]
    (logits,) = keras.tree.flatten(_unshared(models.training)(inputs))
    log_probs = TokenLogProbs(temperature, name="log_probs")(logits, target_ids)
    return Generator([source, target_ids], {"log_probs": log_probs}, name="scorer")


def _unshared(model: keras.Model) -> keras.Model:
    """Return the same model as one of its own.

    Keras notes in a model what was made of it: a generator would live as long as the
    encoder.
    """
    return type(model)(model.inputs, model.outputs, name=model.name)


def _search(
    models: Seq2SeqModels, max_length: int, options: SearchOptions
) -> Rollout | TokenSearch:
    decoder, num_states = models.decoder, models.num_states
    if models.has_real_targets:
        options.check_for_values()
        return Rollout(
            decoder,
            num_states,
            max_length,
            return_attention=options.attention_weights,
            name="rollout",
        )
    num_ids = decoder.outputs[0].shape[-1]
    options = options.checked(
        max_length=max_length, num_ids=num_ids, has_attention=models.has_attention
    )
    return make_search(options, decoder, num_states, max_length)
