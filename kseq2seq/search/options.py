"""The options of a search for ids, checked, and the search that they ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import check_flag, check_real, check_whole, shown
from kseq2seq.search.beam import BeamSearch
from kseq2seq.search.greedy import GreedySearch
from kseq2seq.search.sampling import SamplingSearch
from kseq2seq.search.token_search import TokenSearch
from kseq2seq.vocabulary import END, PAD, START

LARGEST_PENALTY = 100.0
"""A beam's penalties are this at most, so that scores stay numbers."""
LARGEST_TEMPERATURE = 1000.0
"""Far below it already, ids are drawn as if all were as likely."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How ids are searched for: greedily, by a beam or at random, and by which rules.

    See :func:`kseq2seq.build_generator` for what each means.
    """

    beam_size: int = 1
    n_best: int | None = None
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    min_length: int = 0
    forced_prefix: Sequence[int] = ()
    no_repeat_ngram_size: int = 0
    forbidden_ids: Sequence[int] = (PAD, START)
    attention_weights: bool = True

    def given(self, *names: str) -> dict[str, Any]:
        """Return the options that are not the defaults; all, or those of the names."""
        fields = {field.name: field.default for field in dataclasses.fields(self)}
        values = {name: getattr(self, name) for name in names or fields}
        return {
            name: value
            for name, value in values.items()
            if not _is_same(value, fields[name])
        }

    def check_for_values(self) -> None:
        """Raise where an option is given that means nothing to real-valued targets."""
        check_flag("attention_weights", self.attention_weights)
        given = self.given()
        given.pop("attention_weights", None)
        for name, value in given.items():
            raise ValueError(
                f"{name} means nothing where the targets are real values; got "
                f"{shown(value)}. Leave it out."
            )

    def checked(
        self, *, max_length: int, num_ids: int, has_attention: bool
    ) -> SearchOptions:
        """Return the options as plain numbers and lists, or raise."""
        rules = self._checked_rules(max_length, num_ids)
        usable = num_ids - len(set(rules["forbidden_ids"]))
        if self.temperature is None:
            self._check_no_sampling()
            others = self._checked_beam(usable, has_attention)
        else:
            others = self._checked_sampling()
        return dataclasses.replace(self, **rules, **others)

    def _checked_rules(self, max_length: int, num_ids: int) -> dict[str, Any]:
        min_length = check_whole(
            "min_length", self.min_length, minimum=0, maximum=max_length
        )
        forbidden_ids = _checked_ids("forbidden_ids", self.forbidden_ids, num_ids)
        left = set(range(num_ids)) - set(forbidden_ids)
        if not left:
            raise ValueError(
                "forbidden_ids must leave an id to choose; got all of them."
            )
        if min_length and left == {END}:
            raise ValueError(
                f"forbidden_ids must leave an id to choose before END, which cannot "
                f"come before min_length={min_length}; got all the others."
            )
        return {
            "min_length": min_length,
            "forbidden_ids": forbidden_ids,
            "forced_prefix": self._checked_prefix(max_length, num_ids, forbidden_ids),
            "no_repeat_ngram_size": check_whole(
                "no_repeat_ngram_size", self.no_repeat_ngram_size, minimum=0
            ),
            "attention_weights": check_flag(
                "attention_weights", self.attention_weights
            ),
        }

    def _checked_prefix(
        self, max_length: int, num_ids: int, forbidden_ids: list[int]
    ) -> list[int]:
        prefix = _checked_ids("forced_prefix", self.forced_prefix, num_ids)
        if len(prefix) > max_length:
            raise ValueError(
                f"forced_prefix must be at most max_length={max_length} ids long; got "
                f"{len(prefix)}."
            )
        for i in prefix:
            if i in (PAD, END):
                raise ValueError(
                    f"forced_prefix must hold neither PAD nor END, which would end the "
                    f"answer; got {i}. Leave it out."
                )
            if i in forbidden_ids:
                raise ValueError(
                    f"forced_prefix must hold no forbidden id; got {i}. Take it out of "
                    "forced_prefix or of forbidden_ids."
                )
        return prefix

    def _checked_beam(self, usable: int, has_attention: bool) -> dict[str, Any]:
        beam_size = check_whole("beam_size", self.beam_size)
        if beam_size > usable:
            raise ValueError(
                f"beam_size must be at most {usable}, as many as there are ids to "
                f"choose from; got {beam_size}."
            )
        n_best = self.n_best
        if n_best is not None and check_whole("n_best", n_best) > beam_size:
            raise ValueError(
                f"n_best must be at most beam_size, {beam_size}; got {n_best}. Widen "
                "the beam."
            )
        coverage = check_real(
            "coverage_penalty", self.coverage_penalty, maximum=LARGEST_PENALTY
        )
        if coverage and not has_attention:
            raise ValueError(
                f"coverage_penalty needs a model with attention; got {coverage} for "
                "one without. Leave it out, or use build_attention_seq2seq."
            )
        return {
            "beam_size": beam_size,
            "n_best": None if n_best is None else int(n_best),
            "length_penalty": check_real(
                "length_penalty", self.length_penalty, maximum=LARGEST_PENALTY
            ),
            "coverage_penalty": coverage,
        }

    def _check_no_sampling(self) -> None:
        for name, value in self.given("top_k", "top_p", "seed").items():
            raise ValueError(
                f"{name} means nothing without a temperature, at which ids are drawn; "
                f"got {shown(value)}. Give one, as temperature=1.0."
            )

    def _checked_sampling(self) -> dict[str, Any]:
        temperature = check_real(
            "temperature",
            self.temperature,
            maximum=LARGEST_TEMPERATURE,
            exclusive=True,
        )
        beam = ("beam_size", "n_best", "length_penalty", "coverage_penalty")
        for name, value in self.given(*beam).items():
            raise ValueError(
                f"{name} means nothing with a temperature, at which a single answer is "
                f"drawn; got {shown(value)}. Leave out one of the two."
            )
        top_k, top_p, seed = self.top_k, self.top_p, self.seed
        if top_p is not None:
            top_p = check_real("top_p", top_p, maximum=1.0)
            if not top_p:
                raise ValueError(
                    f"top_p must be above 0 and at most 1; got {self.top_p!r}."
                )
        if seed is not None:
            seed = check_whole("seed", seed, minimum=0, maximum=2**31 - 1)
        return {
            "temperature": temperature,
            "top_k": None if top_k is None else check_whole("top_k", top_k),
            "top_p": top_p,
            "seed": seed,
        }

    def search(
        self, decoder: keras.Model, num_states: int, max_length: int
    ) -> TokenSearch:
        """Return the search that the options, once checked, ask for."""
        rules: dict[str, Any] = {
            "decoder": decoder,
            "num_states": num_states,
            "max_length": max_length,
            "min_length": self.min_length,
            "forbidden_ids": self.forbidden_ids,
            "forced_prefix": self.forced_prefix,
            "no_repeat_ngram_size": self.no_repeat_ngram_size,
            "return_attention": self.attention_weights,
        }
        if self.temperature is not None:
            return SamplingSearch(
                **rules,
                temperature=self.temperature,
                top_k=self.top_k,
                top_p=self.top_p,
                seed=self.seed,
                name="sampling_search",
            )
        # A single hypothesis with a penalty has a ranking score too.
        if self.given("beam_size", "n_best", "length_penalty", "coverage_penalty"):
            return BeamSearch(
                **rules,
                beam_size=self.beam_size,
                n_best=self.n_best,
                length_penalty=self.length_penalty,
                coverage_penalty=self.coverage_penalty,
                name="beam_search",
            )
        return GreedySearch(**rules, name="greedy_search")


def _checked_ids(name: str, ids: Any, num_ids: int) -> list[int]:
    is_list = isinstance(ids, Sequence) or (
        isinstance(ids, np.ndarray) and ids.ndim == 1
    )
    if not is_list:
        raise TypeError(f"{name} must be a list of ids; got {ids!r}.")
    return [check_whole(name, i, minimum=0, maximum=num_ids - 1) for i in ids]


def _is_same(value: Any, default: Any) -> bool:
    if isinstance(default, tuple) and isinstance(value, Sequence | np.ndarray):
        return list(value) == list(default)
    return value is default or (not isinstance(value, bool) and value == default)
