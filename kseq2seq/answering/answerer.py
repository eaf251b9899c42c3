"""A fitted model that answers: codecs, models and limits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np

from kseq2seq.answering.answer_stream import answer_stream, side_by_side
from kseq2seq.answering.attention_maps import (
    AttentionMap,
    attention_maps,
    tokens_looked_at,
)
from kseq2seq.answering.kept_models import KeptModels
from kseq2seq.answering.scoring import Scoring, summed
from kseq2seq.answering.settings import AnswerSettings
from kseq2seq.answering.source_batches import Side, generate_seeded
from kseq2seq.answering.tokens import own_prefix_ids, prefix_ids, token_ids
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
from kseq2seq.metrics import References, measure
from kseq2seq.ragged import RaggedIds
from kseq2seq.search import SearchOptions, SearchSettings
from kseq2seq.vocabulary import UNK


class Hypothesis(NamedTuple):
    """An answer to a source, with its score.

    Attributes
    ----------
    answer : str, token list or row of integers
        In the kind that y had.
    score : float
        The sum of the log-probabilities of its tokens and of its end; with a length or
        coverage penalty, what ranks it. Where probabilities were asked for, its
        probability, 0 to 1.
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
    before : Answerer, optional
        Another one; what it has built is kept if it is of the same models.

    Attributes
    ----------
    calibration_temperature : float
        The probabilities of answers are those at this temperature; 1 at first.
    """

    def __init__(
        self,
        models: Seq2SeqModels,
        source: SequenceCodec,
        target: SequenceCodec,
        *,
        max_length: int,
        forbidden_ids: list[int],
        before: Answerer | None = None,
    ) -> None:
        self.models, self.source, self.target = models, source, target
        self.max_length, self.forbidden_ids = max_length, forbidden_ids
        self.calibration_temperature = 1.0
        self._kept = KeptModels()
        if before is not None and before.models is models:
            self._kept = before._kept
        self._scoring = Scoring(models, target.num_ids, self._kept)

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
        key = repr((self.max_length, sorted(vars(options).items())))
        build = partial(build_generator, self.models, self.max_length, **vars(options))
        return self._kept.get(key, build)

    def predict(
        self,
        X: Any,
        search: AnswerSettings,
        *,
        prefixes: Any = None,
        with_scores: bool = False,
        probabilities: bool = False,
    ) -> Any:
        """Return the answers, in the kind that y had; of an iterator an iterator.

        A stream is answered as the settings stand now, whatever they are set to later.
        With scores, each answer is a Hypothesis.
        """
        search = taken(AnswerSettings, search)
        options = self.options(
            search,
            attention_weights=self._replaces(search),
            **_prefix_options(prefixes),
        )
        return self._answer(
            X,
            prefixes,
            options,
            search,
            self._scored if with_scores else self._decoded,
            probabilities=probabilities,
        )

    def _replaces(self, search: AnswerSettings) -> bool:
        """Return whether UNK in answers is replaced, or raise where it cannot be."""
        if check_flag("replace_unknown", search.replace_unknown):
            self.check_attention("replace_unknown=True needs")
            check_same_tokens(self.source, self.target)
        return search.replace_unknown

    def _answer(
        self,
        X: Any,
        prefixes: Any,
        options: SearchOptions,
        search: AnswerSettings,
        decode: Callable[[dict[str, np.ndarray], Any, AnswerSettings], Any],
        *,
        probabilities: bool,
    ) -> Any:
        """Return what `decode` makes of a generator's answers; of an iterator one."""
        check_flag("probabilities", probabilities)
        generator, temperature = self.generator(options), self.calibration_temperature
        told: set[str] = set()  # of unknown features a call warns once

        def answer(block: Any, own: Any = None, **how: Any) -> Any:
            sources = self._encode(block, told)
            ids = None
            if own is not None:
                ids = own_prefix_ids(
                    self.target,
                    own,
                    len(sources),
                    max_length=self.max_length,
                    forbidden_ids=options.forbidden_ids,
                )
            answers = self._generate(
                generator, sources, prefixes=ids, search=search, **how
            )
            if probabilities:
                found = self._scoring.probabilities(
                    sources,
                    answers["ids"],
                    temperature=temperature,
                    compiles=how.get("compiles"),
                )
                stands = np.isfinite(answers["scores"])  # there may be fewer than n
                answers["scores"] = np.where(stands, found, -np.inf)
            return decode(answers, block, search)

        if not isinstance(X, Iterator):
            return answer(X, prefixes)
        if prefixes is None:
            return answer_stream(X, answer)
        return answer_stream(
            side_by_side(X, prefixes),
            lambda block, **how: answer(*map(list, zip(*block, strict=True)), **how),
        )

    def log_prob(
        self,
        X: Any,
        y: Any,
        search: AnswerSettings,
        *,
        per_token: bool = False,
        calibrated: bool = False,
    ) -> Any:
        """Return the log-probability of each answer of y, or of each of its tokens."""
        check_flag("per_token", per_token)
        check_flag("calibrated", calibrated)
        X, y = (list(side) if isinstance(side, Iterator) else side for side in (X, y))
        sources, answers = self._encode(X), self.target.encode(y)
        check_lengths(len(sources), len(answers))
        self.target.check_width(answers)
        found = self._scoring.token_log_probs(
            sources,
            # Rows of integers are all of one width: nothing ends them.
            Side(answers, closed=self.target.width is None),
            temperature=self.calibration_temperature if calibrated else 1.0,
            verbose=search.verbose in (1, "auto"),
        )
        for row in np.flatnonzero(self._have_no_answer(sources)):
            found[row][:] = -np.inf if answers.lengths[row] else 0.0
        if np.isin(answers.ids, self.forbidden_ids).any():
            for log_probs, ids in zip(found, answers, strict=True):
                log_probs[: len(ids)][np.isin(ids, self.forbidden_ids)] = -np.inf
        return found if per_token else summed(found)

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

    def predict_n_best(
        self,
        X: Any,
        n: int,
        search: AnswerSettings,
        *,
        prefixes: Any = None,
        probabilities: bool = False,
    ) -> Any:
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
        options = self.options(
            search,
            attention_weights=self._replaces(search),
            **_prefix_options(prefixes),
        )
        usable = len(self.target.vocabulary) - len(options.forbidden_ids)
        check_whole("n", n, maximum=usable)
        options.beam_size = max(check_whole("beam_size", search.beam_size), n)
        options.n_best = n
        return self._answer(
            X, prefixes, options, search, self._n_best, probabilities=probabilities
        )

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
        answers = self._generate(generator, self._encode(X), search=search)
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
        y = list(y) if isinstance(y, Iterator) else y
        right = References(y, of_texts=self.target.kind == "text")
        right = right.mapped(self.target.sequences)
        given, _ = as_sequences("answers", answers)
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
                "attention_kind='general'."
            )

    def _encode(self, X: Any, told: set[str] | None = None) -> RaggedIds:
        """Return the ids of sources; tell where nothing of them is known."""
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
        return sources

    def _generate(
        self,
        generator: keras.Model,
        sources: RaggedIds,
        *,
        prefixes: RaggedIds | None = None,
        search: AnswerSettings,
        compiles: bool | None = None,
        continues: bool = False,
    ) -> dict[str, np.ndarray]:
        """Return what a generator answers; what is drawn starts from the seed.

        Unless it continues what it drew before.
        """
        answers = generate_seeded(
            generator,
            sources,
            prefixes=prefixes,
            compiles=compiles,
            restarts=search.random_state is not None and not continues,
            verbose=search.verbose in (1, "auto"),
        )
        _say_nothing(answers, np.flatnonzero(self._have_no_answer(sources)))
        return answers

    def _have_no_answer(self, sources: RaggedIds) -> np.ndarray:
        """Return which sources are empty, where training knew none that are."""
        knows_none = not (self.source.saw_empty or self.target.width)
        return (self.source.without_features(sources).lengths == 0) & knows_none


def _prefix_options(prefixes: Any) -> dict[str, Any]:
    """Return the options of a search that takes prefixes, if any are given."""
    return {} if prefixes is None else {"prefix_input": True, "forced_prefix": []}


def _say_nothing(answers: dict[str, np.ndarray], rows: np.ndarray) -> None:
    """Make the answers of these rows empty, and certain."""
    for name, array in answers.items():
        array[rows] = 0
        if name == "scores" and array.ndim > 1:
            array[rows, 1:] = -np.inf  # there is no second best


def check_same_tokens(source: SequenceCodec, target: SequenceCodec) -> None:
    """Raise unless a source's tokens can stand for UNK in an answer."""
    sides = source.kind_of_tokens, target.kind_of_tokens
    if sides[0] != sides[1]:
        raise ValueError(
            "replace_unknown=True writes source tokens into answers, and those of X "
            f"are {sides[0]} and those of y {sides[1]}. Split both sides alike, or "
            "leave it out."
        )
