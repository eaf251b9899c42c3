"""The options of a search for ids, each declared once, and their checks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from kseq2seq.arguments import check_flag, check_real, check_whole, shown, written
from kseq2seq.declarations import checked, documented, setting, settings
from kseq2seq.vocabulary import END, PAD, START

LONGEST = 100_000
"""No answer is longer; the buffers of the search are made for the longest."""
LARGEST_PENALTY = 100.0
"""A beam's penalties are this at most, so that scores stay numbers."""
LARGEST_TEMPERATURE = 1000.0
"""Far below it already, ids are drawn as if all were as likely."""


_OF_BEAMS = ("beam_size", "n_best", "length_penalty", "coverage_penalty")


def _check_share(name: str, value: Any) -> float:
    """Return a share above 0 and at most 1, or raise."""
    share = check_real(name, value, maximum=1.0)
    if not share:
        raise ValueError(f"{name} must be above 0 and at most 1; got {written(value)}.")
    return share


@settings
class SearchSettings:
    """How answers are searched for: what builders and estimators declare alike."""

    beam_size: int = setting(
        "int",
        """How many hypotheses live side by side; at most as many as there are tokens to
        choose from. 1 is greedy search.""",
        check_whole,
        default=1,
        of_training=False,
    )
    length_penalty: float = setting(
        "float",
        "0 to 100; the higher, the better a beam ranks long answers (Wu et al., 2016, "
        "arXiv:1609.08144, equation 14).",
        partial(check_real, maximum=LARGEST_PENALTY),
        default=0.0,
        of_training=False,
    )
    coverage_penalty: float = setting(
        "float",
        """0 to 100; the higher, the worse rank answers that left source tokens without
        attention. Needs attention.""",
        partial(check_real, maximum=LARGEST_PENALTY),
        default=0.0,
        of_training=False,
    )
    min_length: int = setting(
        "int",
        "How many tokens an answer has at least.",
        partial(check_whole, minimum=0, maximum=LONGEST),
        default=0,
        of_training=False,
    )
    no_repeat_ngram_size: int = setting(
        "int",
        """No n-gram of this size comes twice in an answer, unless nothing else is left
        to choose; 0 for no such rule.""",
        partial(check_whole, minimum=0),
        default=0,
        of_training=False,
    )
    temperature: float | None = setting(
        "float",
        """Above 0 and below 1000. Tokens are drawn at random with the probabilities
        ``softmax(log_probs / temperature)``; at 1 they are the model's own. None draws
        nothing.""",
        partial(check_real, maximum=LARGEST_TEMPERATURE, exclusive=True),
        default=None,
        of_training=False,
    )
    top_k: int | None = setting(
        "int",
        "Draw among this many of the most probable tokens.",
        check_whole,
        default=None,
        of_training=False,
    )
    top_p: float | None = setting(
        "float",
        """Above 0 and at most 1. Draw among the fewest tokens whose probabilities add
        up to it (Holtzman et al., 2020, arXiv:1904.09751).""",
        _check_share,
        default=None,
        of_training=False,
    )


@documented()
@settings
class SearchOptions(SearchSettings):
    """How ids are searched for: greedily, by a beam or at random, and by which rules.

    Parameters
    ----------
    {parameters}
    """

    n_best: int | None = setting(
        "int",
        """How many answers to give for each source, best first; at most `beam_size`.
        None gives the best alone, without an axis for it.""",
        check_whole,
        default=None,
    )
    seed: int | None = setting(
        "int",
        """Where the random numbers start. Each call draws on;
        ``generator.get_layer("sampling_search").reset()`` goes back to the start.
        TensorFlow makes other numbers of a seed where XLA compiles the generator.""",
        partial(check_whole, minimum=0, maximum=2**31 - 1),
        default=None,
    )
    forced_prefix: Sequence[int] = setting(
        "sequence of int", "The ids that every answer starts with.", default=()
    )
    prefix_input: bool = setting(
        "bool",
        """Whether the model has a second input, ``prefix_ids (batch, prefix_len)``
        int32: the ids that the answer to each source starts with, PAD on the right. A
        row of PAD forces nothing. It cannot be used with `forced_prefix`.""",
        check_flag,
        default=False,
    )
    forbidden_ids: Sequence[int] = setting(
        "sequence of int", "Ids that are never chosen.", default=(PAD, START)
    )
    attention_weights: bool = setting(
        "bool",
        "Whether the answers come with the attention weights, where there are any.",
        check_flag,
        default=True,
    )

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
        plain = dataclasses.replace(self, **checked(self))
        plain._check_rules(max_length, num_ids)
        usable = num_ids - len(set(plain.forbidden_ids))
        if self.temperature is None:
            plain._check_beam(usable, has_attention)
        else:
            plain._check_sampling()
        return plain

    def _check_rules(self, max_length: int, num_ids: int) -> None:
        """Raise unless ids are left to choose; make lists of ids plain."""
        check_whole("min_length", self.min_length, minimum=0, maximum=max_length)
        self.forbidden_ids = _checked_ids("forbidden_ids", self.forbidden_ids, num_ids)
        left = set(range(num_ids)) - set(self.forbidden_ids)
        if not left:
            raise ValueError(
                "forbidden_ids must leave an id to choose; got all of them."
            )
        if self.min_length and left == {END}:
            raise ValueError(
                "forbidden_ids must leave an id to choose before END, which cannot "
                f"come before min_length={self.min_length}; got all the others."
            )
        self.forced_prefix = self._checked_prefix(max_length, num_ids)

    def _checked_prefix(self, max_length: int, num_ids: int) -> list[int]:
        prefix = _checked_ids("forced_prefix", self.forced_prefix, num_ids)
        if prefix and self.prefix_input:
            raise ValueError(
                "prefix_input=True gives each source a prefix of its own, and "
                f"forced_prefix={prefix} all the same. Leave out one of the two."
            )
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
            if i in self.forbidden_ids:
                raise ValueError(
                    f"forced_prefix must hold no forbidden id; got {i}. Take it out of "
                    "forced_prefix or of forbidden_ids."
                )
        return prefix

    def _check_beam(self, usable: int, has_attention: bool) -> None:
        for name, value in self.given("top_k", "top_p", "seed").items():
            raise ValueError(
                f"{name} means nothing without a temperature, at which ids are drawn; "
                f"got {shown(value)}. Give one, as temperature=1.0."
            )
        if self.beam_size > usable:
            raise ValueError(
                f"beam_size must be at most {usable}, as many as there are ids to "
                f"choose from; got {self.beam_size}."
            )
        if self.n_best is not None and self.n_best > self.beam_size:
            raise ValueError(
                f"n_best must be at most beam_size, {self.beam_size}; got "
                f"{self.n_best}. Widen the beam."
            )
        if self.coverage_penalty and not has_attention:
            raise ValueError(
                "coverage_penalty needs a model with attention; got "
                f"{self.coverage_penalty} for one without. Leave it out, or use "
                "build_attention_seq2seq."
            )

    def _check_sampling(self) -> None:
        for name, value in self.given(*_OF_BEAMS).items():
            raise ValueError(
                f"{name} means nothing with a temperature, at which a single answer is "
                f"drawn; got {shown(value)}. Leave out one of the two."
            )

    @property
    def has_beam(self) -> bool:
        """Whether hypotheses are ranked: several, or one with a penalty."""
        return bool(self.given(*_OF_BEAMS))


def _checked_ids(name: str, ids: Any, num_ids: int) -> list[int]:
    is_list = isinstance(ids, Sequence) or (
        isinstance(ids, np.ndarray) and ids.ndim == 1
    )
    if not is_list:
        raise TypeError(f"{name} must be a list of ids; got {written(ids)}.")
    return [check_whole(name, i, minimum=0, maximum=num_ids - 1) for i in ids]


def _is_same(value: Any, default: Any) -> bool:
    if isinstance(default, tuple) and isinstance(value, Sequence | np.ndarray):
        return list(value) == list(default)
    return value is default or (not isinstance(value, bool) and value == default)
