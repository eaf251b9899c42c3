"""The pairs that a command reads: found, whole, and no longer than asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kseq2seq.arguments import check_whole
from kseq2seq.datasets.columns import Columns, has_header, separates_features
from kseq2seq.datasets.pairs import Pairs, Source

if TYPE_CHECKING:
    from kseq2seq.tokenizers import Tokenizer


class TooLong(StrEnum):
    """What is done with texts of more tokens than the limit."""

    cut = "cut"
    drop = "drop"
    error = "error"


def check_file(path: Path) -> None:
    """Raise unless there is a file of this name."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a file.")


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths are of one file, by links or otherwise, there or not yet."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def check_not_read(written: Path, *read: Path | None) -> None:
    """Raise when a file that a command is to write is one of those that it reads."""
    for path in read:
        if path is not None and is_same_file(written, path):
            raise ValueError(
                f"{written} would be written over, and this command reads it"
                f"{'' if path == written else f' as {path}'}. Write to another file."
            )


def parse_columns(text: str, *forms: str, features: str | None = None) -> Columns:
    """Return the columns that an option names, numbers as such.

    Parameters
    ----------
    text : str
        The option.
    *forms : str
        What it may name, as ``"SOURCE,TARGET"``; with a column of features only where
        the option `features` is given.
    features : str, optional
    """
    parts = [part.strip() for part in text.split(",")]
    columns = [int(part) if part.isdecimal() else part for part in parts]
    taken = [form for form in forms if ("FEATURES" in form) == (features is not None)]
    if {0, ""} & {*columns} or len(columns) not in _numbers_of_columns(taken):
        others = set(_numbers_of_columns(forms)) - set(_numbers_of_columns(taken))
        hint = ""
        if features is None and len(columns) in others:
            hint = " Of a column of features say what separates them (--features ';')."
        raise ValueError(
            f"--columns must be {taken[0]}{' with --features' * (features is not None)}"
            f", by number from 1 or by name in the header; got {text!r}.{hint}"
        )
    return columns


def _numbers_of_columns(forms: Sequence[str]) -> list[int]:
    return [1 + form.count(",") for form in forms]


def check_separator(features: str | None) -> None:
    """Raise for an option that separates nothing."""
    if features is not None and not separates_features(features):
        raise ValueError(
            "--features must be what separates features in their column, such as ';'; "
            f"got {features!r}."
        )


@dataclass(frozen=True)
class PairFiles:
    """One file of pairs, or two files side by side.

    Attributes
    ----------
    pairs, source, target : path or None
    prefix : str
        What the options of these files begin with, ``"validation"`` or nothing.
    columns : str, optional
        Those of the one file, as the option has them.
    features : str, optional
        What separates features in a column of the one file.
    """

    pairs: Path | None
    source: Path | None
    target: Path | None
    prefix: str = ""
    columns: str | None = None
    features: str | None = None

    @property
    def paths(self) -> list[Path]:
        """The files that were given."""
        return [f for f in (self.pairs, self.source, self.target) if f is not None]

    @property
    def is_given(self) -> bool:
        """Whether there is any file."""
        return bool(self.paths)

    def check(self) -> None:
        """Raise unless it is one form, whole, of files that exist."""
        side = f"--{self.prefix}-" if self.prefix else "--"
        one = f"--{self.prefix} FILE" if self.prefix else "one TSV file"
        both = f"{side}source FILE with {side}target FILE"
        if (self.source is None) != (self.target is None):
            missing = "source" if self.source is None else "target"
            raise ValueError(f"{side}{missing} is missing: pass {both}.")
        if (self.pairs is None) == (self.source is None):
            came = "both" if self.pairs else "neither"
            raise ValueError(f"expected pairs as {one}, or as {both}; got {came}.")
        check_separator(self.features)
        columns = self._columns
        if self.pairs is None and (columns or self.features is not None):
            option = "--columns" if columns else "--features"
            raise ValueError(
                f"{option} is for pairs as {one}; got {both}. Leave it out."
            )
        for path in self.paths:
            check_file(path)

    def place(self, row: int) -> str:
        """Return the file (of sources) and the line of a pair."""
        line = row + 1 + has_header(self._columns)
        return f"{self.pairs or self.source}, line {line}"

    @property
    def _columns(self) -> Columns | None:
        if self.columns is None:
            return None
        forms = "SOURCE,TARGET", "SOURCE,TARGET,FEATURES"
        return parse_columns(self.columns, *forms, features=self.features)

    def load(self) -> Pairs:
        """Return sources and targets, at least one of each."""
        from kseq2seq.datasets import load_pairs

        self.check()
        X, y = load_pairs(*self.paths, columns=self._columns, features=self.features)
        if not X:
            raise ValueError(f"{self.paths[0]} is empty; expected at least one pair.")
        return X, y

    def load_filled(self) -> Pairs:
        """Return the pairs with text on both sides, and say how many have not."""
        X, y = self.load()
        kept = [row for row in range(len(X)) if _text_of(X[row]) and y[row]]
        if not kept:
            raise ValueError(
                f"{self.place(0)}: every pair is empty on one side; expected text on "
                "both. Are these the right files?"
            )
        if len(kept) < len(X):
            first = min({*range(len(X))} - {*kept})
            typer.echo(
                f"{_pairs(len(X) - len(kept))} with an empty side (the first: "
                f"{self.place(first)}): dropped"
            )
        return [X[row] for row in kept], [y[row] for row in kept]


def _text_of(source: Source) -> str:
    """Return a source without its features."""
    return source if isinstance(source, str) else source[0]


@dataclass(frozen=True)
class Limit:
    """How many tokens the texts of one side may have.

    Tokens are those of the side's tokenizer, and words as white space separates them
    where the tokenizer is yet to be trained.
    """

    side: str
    most: int | None
    tokenizer: str

    def __post_init__(self) -> None:
        if self.most is not None:
            check_whole(f"max_{self.side}_length", self.most)

    def cut(self, text: Source) -> Source:
        """Return the text, no longer than the limit; its features stay."""
        if self.most is None:
            return text
        if not isinstance(text, str):
            return (str(self.cut(text[0])), text[1])
        split = self._split
        tokens = split.encode(text)
        return text if len(tokens) <= self.most else split.decode(tokens[: self.most])

    def __str__(self) -> str:
        unit = "characters" if self.tokenizer == "char" else "words"
        return f"more than {self.most} {unit} in the {self.side}"

    @cached_property
    def _split(self) -> Tokenizer:
        from kseq2seq.tokenizers import get_tokenizer, is_trained

        known = "whitespace" if is_trained(self.tokenizer) else self.tokenizer
        return get_tokenizer(known, name=f"{self.side}_tokenizer")


def limit_lengths(
    pairs: Pairs, limits: tuple[Limit, Limit], too_long: TooLong
) -> Pairs:
    """Cut or drop pairs over the limits and say how many, or raise for the first."""
    (X, y), (source, target) = pairs, limits
    cut_X, cut_y = [source.cut(text) for text in X], [str(target.cut(t)) for t in y]
    over = [
        row for row in range(len(X)) if (X[row], y[row]) != (cut_X[row], cut_y[row])
    ]
    if not over:
        return pairs
    said = " or ".join(str(limit) for limit in limits if limit.most is not None)
    counted = f"{_pairs(len(over))} with {said}"
    if too_long is TooLong.error:
        raise ValueError(
            f"{counted}; the first: {_text_of(X[over[0]])[:60]!r}. Pass --too-long "
            "drop or cut, or a higher limit."
        )
    if too_long is TooLong.drop and len(over) == len(X):
        raise ValueError(f"no pair is left: {counted}. Pass a higher limit.")
    typer.echo(f"{counted}: {'cut' if too_long is TooLong.cut else 'dropped'}")
    if too_long is TooLong.cut:
        return cut_X, cut_y
    kept = sorted(set(range(len(X))) - set(over))
    return [X[row] for row in kept], [y[row] for row in kept]


def group_by_source(X: list[Any], y: list[str]) -> tuple[list[Any], list[list[str]]]:
    """Return each source once, in the order of the lines, and its different targets."""
    groups: dict[str, tuple[Any, dict[str, None]]] = {}
    for source, target in zip(X, y, strict=True):
        groups.setdefault(repr(source), (source, {}))[1][target] = None
    sources, targets = zip(*groups.values(), strict=True)
    return list(sources), [list(group) for group in targets]


def _pairs(number: int) -> str:
    return f"{number:,} pair{'s' if number != 1 else ''}"
