"""A fitted model that answers: codecs, models and limits."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from kseq2seq.answering.answer_stream import answer_stream
from kseq2seq.answering.attention_maps import (
    AttentionMap,
    attention_maps,
    tokens_looked_at,
)
from kseq2seq.answering.settings import AnswerSettings
from kseq2seq.answering.source_batches import generate_seeded
from kseq2seq.answering.tokens import prefix_ids, token_ids
from kseq2seq.arguments import (
    check_flag,
    check_lengths,
    check_whole,
    has_order,
    make_rng,
    shown,
    written,
)
from kseq2seq.builders import Seq2SeqModels
from kseq2seq.codec import SequenceCodec, as_sequences
from kseq2seq.declarations import checked, taken
from kseq2seq.generation import build_generator
from kseq2seq.metrics import measure
from kseq2seq.search import SearchOptions, SearchSettings
from kseq2seq.vocabulary import UNK

MOST_GENERATORS = 16
"""The generators of this many settings of the search are kept, some MB each."""


class Hypothesis(NamedTuple):
    """An answer to a source, with its score.

    Attributes
    ----------
    answer : str, token list or row of integers
        In the kind that y had.
    score : float
        The sum of the log-probabilities of its tokens and of its end; with a length or
        coverage penalty, what ranks it.
    """

    answer: Any
    score: float


class Answerer:
    """Answers sequences with sequences; how it searches is said at each question.

    Parameters
    ----------
    models : Seq2SeqModels
    source, target : SequenceCodec
    max_length : int
        How many ids an answer has at most, END included.
    forbidden_ids : list of int
        Ids that no answer has, whatever the settings say.
    """

    def __init__(
        self,
        models: Seq2SeqModels,
        source: SequenceCodec,
        target: SequenceCodec,
        *,
        max_length: int,
        forbidden_ids: list[int],
    ) -> None:
        self.models, self.source, self.target = models, source, target
        self.max_length, self.forbidden_ids = max_length, forbidden_ids
        self._generators: OrderedDict[str, keras.Model] = OrderedDict()
        self._generators_lock = threading.Lock()

    def options(self, search: AnswerSettings, **changes: Any) -> SearchOptions:
        """Return the options of the search that settings ask for, tokens as ids.

        Parameters
        ----------
        search : AnswerSettings
        **changes : object
            Options in place of these.
        """
        checked(taken(AnswerSettings, search), "min_length", "replace_unknown")
        tokens = () if search.forbidden_tokens is None else search.forbidden_tokens
        forbidden = token_ids("forbidden_tokens", self.target, tokens)
        own: dict[str, Any] = {
            "min_length": max(search.min_length, self.target.width or 0),
            "forced_prefix": prefix_ids(self.target, search.forced_prefix),
            "forbidden_ids": sorted({*self.forbidden_ids, *forbidden}),
        }
        if search.temperature is not None and search.random_state is not None:
            own["seed"] = int(make_rng(search.random_state).integers(2**31))
        return SearchOptions(**vars(taken(SearchSettings, search)) | own | changes)

    def generator(self, options: SearchOptions) -> keras.Model:
        """Return the generator of these options, built once while it is in use.

        Those that were asked for last are kept. Threads wait for one that is built.
        """
        key = repr(sorted(vars(options).items()))
        kept = self._generators
        with self._generators_lock:
            if key not in kept:
                built = build_generator(self.models, self.max_length, **vars(options))
                kept[key] = built
            kept.move_to_end(key)
            if len(kept) > MOST_GENERATORS:
                kept.popitem(last=False)
            return kept[key]

    def predict(
        self, X: Any, search: AnswerSettings, *, with_scores: bool = False
    ) -> Any:
        """Return the answers, in the kind that y had; of an iterator an iterator.

        A stream is answered as the settings stand now, whatever they are set to later.
        With scores, each answer is a Hypothesis.
        """
        search = taken(AnswerSettings, search)
        options = self.options(search, attention_weights=self._replaces(search))
        decode = self._scored if with_scores else self._decoded
        return self._answer(X, self.generator(options), search, decode)

    def _replaces(self, search: AnswerSettings) -> bool:
        """Return whether UNK in answers is replaced, or raise where it cannot be."""
        if check_flag("replace_unknown", search.replace_unknown):
            self.check_attention("replace_unknown=True needs")
            check_same_tokens(self.source, self.target, "replace_unknown")
        return search.replace_unknown

    def _answer(
        self,
        X: Any,
        generator: keras.Model,
        search: AnswerSettings,
        decode: Callable[[dict[str, np.ndarray], Any, AnswerSettings], Any],
    ) -> Any:
        """Return what `decode` makes of a generator's answers; of an iterator one."""
        told: set[str] = set()  # of unknown features a call warns once

        def answer(block: Any, **how: Any) -> Any:
            how |= {"search": search, "told": told}
            answers = self._generate(generator, block, **how)
            return decode(answers, block, search)

        return answer_stream(X, answer) if isinstance(X, Iterator) else answer(X)

    def _scored(
        self, answers: dict[str, np.ndarray], X: Any, search: AnswerSettings
    ) -> list[Hypothesis]:
        """Return the answers to X, each with its score."""
        found, scores = self._decoded(answers, X, search), answers["scores"].tolist()
        return [*map(Hypothesis._make, zip(found, scores, strict=True))]

    def _decoded(
        self, answers: dict[str, np.ndarray], X: Any, search: AnswerSettings
    ) -> Any:
        """Return the answers to X in the kind that y had."""
        every = np.ones(len(answers["ids"]), dtype=bool)
        return self._chosen(answers, every, X, search)

    def _chosen(
        self,
        answers: dict[str, np.ndarray],
        chosen: np.ndarray,
        X: Any,
        search: AnswerSettings,
    ) -> Any:
        """Return some answers to X in the kind that y had, those to a source in a row.

        Which ones is a mask ``(n,)``, or ``(n, n_best)`` of several to each source.
        """
        ids = answers["ids"][chosen]
        if not (search.replace_unknown and UNK in ids):
            return self.target.decode(ids)
        sources = self.source.tokens(X)
        unknown = tokens_looked_at(
            answers["attention_weights"][chosen],
            [sources[row] for row in np.nonzero(chosen)[0]],
            ids,
            reverse=self.source.reverse,
        )
        return self.target.decode(ids, unknown=unknown)

    def predict_n_best(self, X: Any, n: int, search: AnswerSettings) -> Any:
        """Return the n best answers to each source, found by a beam.

        Of an iterator it returns an iterator, as :meth:`predict`.
        """
        search = taken(AnswerSettings, search)
        if search.temperature is not None:
            raise ValueError(
                "predict_n_best searches with a beam, and temperature="
                f"{written(search.temperature)} draws answers. "
                "set_params(temperature=None)."
            )
        options = self.options(search, attention_weights=self._replaces(search))
        usable = len(self.target.vocabulary) - len(options.forbidden_ids)
        check_whole("n", n, maximum=usable)
        options.beam_size = max(check_whole("beam_size", search.beam_size), n)
        options.n_best = n
        return self._answer(X, self.generator(options), search, self._n_best)

    def _n_best(
        self, answers: dict[str, np.ndarray], X: Any, search: AnswerSettings
    ) -> list[list[Hypothesis]]:
        """Return the best answers to each source, with their scores."""
        scores = answers["scores"]
        stands = np.isfinite(scores)  # where there are fewer than n, the rest is PAD
        found = iter(self._chosen(answers, stands, X, search))
        return [
            [Hypothesis(next(found), score) for score in row[there].tolist()]
            for row, there in zip(scores, stands, strict=True)
        ]

    def attention(self, X: Any, search: AnswerSettings) -> list[AttentionMap]:
        """Return where each answer looked."""
        self.check_attention("attention(X) shows")
        X = list(X) if isinstance(X, Iterator) else X
        sources = self.source.tokens(X)
        generator = self.generator(self.options(search))
        answers = self._generate(generator, X, search=search)
        return attention_maps(
            answers["attention_weights"],
            sources,
            answers["ids"].tolist(),
            features=self.source.feature_lists(X),
            vocabulary=self.target.vocabulary,
            reverse=self.source.reverse,
        )

    def judge(
        self,
        y: Any,
        answers: Any,
        metrics: Sequence[str],
        *,
        sample_weight: Sequence[float] | None = None,
    ) -> dict[str, float]:
        """Return how good answers are, by name: the one way in which they are measured.

        The right answers are prepared as training prepared them, and tokens are those
        of the target's tokenizer.
        """
        if not has_order(answers) or isinstance(answers, Iterator):
            raise TypeError(
                "answers must be a list or an array, as predict returns them; got "
                f"{shown(answers)}."
            )
        right, (given, _) = self.target.sequences(y), as_sequences("answers", answers)
        check_lengths(len(given), len(right))
        return measure(
            right,
            given,
            metrics,
            tokens=self.target.tokens,
            sample_weight=sample_weight,
        )

    def check_attention(self, reason: str) -> None:
        """Raise unless the model looks back."""
        if not self.models.has_attention:
            raise ValueError(
                f"{reason} attention, and this model has no attention. Fit one with "
                "attention_kind='dot'."
            )

    def _generate(
        self,
        generator: keras.Model,
        X: Any,
        *,
        search: AnswerSettings,
        compiles: bool | None = None,
        continues: bool = False,
        told: set[str] | None = None,
    ) -> dict[str, np.ndarray]:
        """Return what a generator answers; what is drawn starts from the seed.

        Unless it continues what it drew before.
        """
        sources = self.source.encode(X, told=told)
        tokens = self.source.without_features(sources)
        if len(tokens.ids) and (tokens.ids == UNK).all():
            first = shown(self.source.sequences(X)[0])
            warnings.warn(
                f"no token of {first}, nor of any other source, was seen in "
                "training: the answers say nothing about them. Is it the right model, "
                "and the right side of the pairs?",
                stacklevel=3,
            )
        answers = generate_seeded(
            generator,
            sources,
            compiles=compiles,
            restarts=search.random_state is not None and not continues,
            verbose=search.verbose in (1, "auto"),
        )
        empty = np.flatnonzero(tokens.lengths == 0)
        if len(empty) and not (self.source.saw_empty or self.target.width):
            _say_nothing(answers, empty)
        return answers


def _say_nothing(answers: dict[str, np.ndarray], rows: np.ndarray) -> None:
    """Make the answers of these rows empty, and certain."""
    for name, array in answers.items():
        array[rows] = 0
        if name == "scores" and array.ndim > 1:
            array[rows, 1:] = -np.inf  # there is no second best


def check_same_tokens(
    source: SequenceCodec, target: SequenceCodec, parameter: str
) -> None:
    """Raise unless a source's tokens can stand in an answer, as a parameter asks."""
    sides = source.kind_of_tokens, target.kind_of_tokens
    if sides[0] != sides[1]:
        raise ValueError(
            f"{parameter}=True writes source tokens into answers, and those of X "
            f"are {sides[0]} and those of y {sides[1]}. Split both sides alike, or "
            "leave it out."
        )
