"""The right answers to each source: one, or several of which any will do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import chain, islice
from typing import Any

import numpy as np

from kseq2seq.arguments import place


class References:
    """The right answers to each source, one group a source.

    Where answers are texts, an item of y that is a list (a tuple, an array) holds
    several references; where they are token lists or rows of integers, one that holds
    lists does.

    Parameters
    ----------
    y : sequence of answers, or of lists of them
    of_texts : bool
        Whether answers are texts.
    name : str, default "y"
        What errors call y.

    Raises
    ------
    ValueError
        When a list of references is empty.
    """

    def __init__(self, y: Sequence[Any], *, of_texts: bool, name: str = "y") -> None:
        self.flat: Sequence[Any] = y
        if not isinstance(y, Sized) or not getattr(y, "ndim", 1):
            self._counts: list[int] = []  # no list of answers: what uses it says so
            return
        self._counts = [1] * len(y)
        groups = _groups(y, _holds_texts if of_texts else _holds_sequences)
        if groups is not None:
            self._counts = [len(group) for group in groups]
            if 0 in self._counts:
                where = place(name, self._counts.index(0), y)
                raise ValueError(
                    f"{where} holds no right answer; expected one at least. Leave the "
                    "source out."
                )
            self.flat = [*chain.from_iterable(groups)]

    @classmethod
    def of(cls, y_true: Any, y_pred: Sequence[Any]) -> References:
        """Return the references of predictions, the same object where it is one."""
        if isinstance(y_true, cls):
            return y_true
        of_texts = isinstance(next(iter(y_pred), None), str)
        return cls(y_true, of_texts=of_texts, name="y_true")

    def mapped(self, function: Callable[[Sequence[Any]], Sequence[Any]]) -> References:
        """Return the same with what a function makes of the answers as one list."""
        mapped = object.__new__(References)
        mapped._counts = self._counts
        try:
            mapped.flat = function(self.flat)
        except (ValueError, TypeError) as error:
            if self.has_several:
                error.add_note("Right answers are counted one by one, in their order.")
            raise
        return mapped

    @property
    def has_several(self) -> bool:
        """Whether a source has more than one right answer."""
        return len(self.flat) > len(self)

    def columns(self) -> list[list[Any]]:
        """Return the first references of all sources, then the second ..., or None."""
        most = max(self._counts)
        groups = list(self)
        return [
            [group[k] if k < len(group) else None for group in groups]
            for k in range(most)
        ]

    def __len__(self) -> int:
        return len(self._counts)

    def __iter__(self) -> Iterator[list[Any]]:
        """Yield the right answers to each source."""
        flat = iter(self.flat)
        for count in self._counts:
            yield [*islice(flat, count)]


def _groups(y: Sequence[Any], is_group: Callable[[Any], bool]) -> list[Any] | None:
    """Return the references of each source, None where all have one."""
    if isinstance(y, np.ndarray) and y.dtype != object and y.ndim < 3:
        return None
    are_groups = [is_group(item) for item in y]
    if not any(are_groups):
        return None
    pairs = zip(y, are_groups, strict=True)
    return [list(item) if several else [item] for item, several in pairs]


def _holds_texts(item: Any) -> bool:
    return isinstance(item, list | tuple) or bool(getattr(item, "ndim", 0))


def _holds_sequences(item: Any) -> bool:
    return _holds_texts(item) and len(item) > 0 and _holds_texts(item[0])
