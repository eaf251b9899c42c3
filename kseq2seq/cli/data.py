"""The pairs that a command reads: found, whole, and no longer than asked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kseq2seq.arguments import check_whole
from kseq2seq.datasets.columns import Columns, has_header
from kseq2seq.datasets.pairs import Pairs

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


def parse_columns(text: str, *, fewest: int = 2) -> Columns:
    """Return the columns that an option names, one or two, numbers as such."""
    parts = [part.strip() for part in text.split(",")]
    columns = [int(part) if part.isdecimal() else part for part in parts]
    if not fewest <= len(columns) <= 2 or {0, ""} & {*columns}:
        expected = "SOURCE,TARGET" if fewest == 2 else "SOURCE"
        raise ValueError(
            f"--columns must be {expected}, by number from 1 or by name in the header; "
            f"got {text!r}."
        )
    return columns


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
    """

    pairs: Path | None
    source: Path | None
    target: Path | None
    prefix: str = ""
    columns: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether there is any file."""
        return any((self.pairs, self.source, self.target))

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
        if self._columns and self.pairs is None:
            raise ValueError(
                f"--columns is for pairs as {one}; got {both}. Leave it out."
            )
        for path in (self.pairs, self.source, self.target):
            if path is not None:
                check_file(path)

    def place(self, row: int) -> str:
        """Return the file (of sources) and the line of a pair."""
        line = row + 1 + has_header(self._columns)
        return f"{self.pairs or self.source}, line {line}"

    @property
    def _columns(self) -> Columns | None:
        return None if self.columns is None else parse_columns(self.columns)

    def load(self) -> Pairs:
        """Return sources and targets, at least one of each."""
        from kseq2seq.datasets import load_pairs

        self.check()
        files = [f for f in (self.pairs, self.source, self.target) if f is not None]
        X, y = load_pairs(*files, columns=self._columns)
        if not X:
            raise ValueError(f"{files[0]} is empty; expected at least one pair.")
        return X, y

    def load_filled(self) -> Pairs:
        """Return the pairs with text on both sides, and say how many have not."""
        X, y = self.load()
        kept = [row for row in range(len(X)) if X[row] and y[row]]
        if not kept:
            raise ValueError(
                f"{self.place(0)}: every pair is empty on one side; expected text on "
                "both. Are these the right files?"
            )
        if len(kept) < len(X):
            first = next(row for row in range(len(X)) if not (X[row] and y[row]))
            typer.echo(
                f"{_pairs(len(X) - len(kept))} with an empty side (the first: "
                f"{self.place(first)}): dropped"
            )
        return [X[row] for row in kept], [y[row] for row in kept]


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

    def cut(self, text: str) -> str:
        """Return the text, no longer than the limit."""
        if self.most is None:
            return text
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
    cut_X, cut_y = [source.cut(text) for text in X], [target.cut(text) for text in y]
    over = [
        row for row in range(len(X)) if (X[row], y[row]) != (cut_X[row], cut_y[row])
    ]
    if not over:
        return pairs
    said = " or ".join(str(limit) for limit in limits if limit.most is not None)
    counted = f"{_pairs(len(over))} with {said}"
    if too_long is TooLong.error:
        raise ValueError(
            f"{counted}; the first: {X[over[0]][:60]!r}. Pass --too-long drop or cut, "
            "or a higher limit."
        )
    if too_long is TooLong.drop and len(over) == len(X):
        raise ValueError(f"no pair is left: {counted}. Pass a higher limit.")
    typer.echo(f"{counted}: {'cut' if too_long is TooLong.cut else 'dropped'}")
    if too_long is TooLong.cut:
        return cut_X, cut_y
    kept = sorted(set(range(len(X))) - set(over))
    return [X[row] for row in kept], [y[row] for row in kept]


def _pairs(number: int) -> str:
    return f"{number:,} pair{'s' if number != 1 else ''}"
