"""Numbers spelled digit by digit, and the same in digits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice, product
from statistics import fmean

import numpy as np

from kseq2seq.arguments import check_size, check_whole, make_rng, written
from kseq2seq.datasets.pairs import Pairs

_WORDS = {
    "0": "zero",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
}
_DIGITS_A_CHUNK = 2**15
MOST_DIGITS = 10_000


def make_number_words(
    n_samples: int,
    min_digits: int,
    max_digits: int,
    *,
    exclude: Iterable[str] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Pairs:
    """Make numbers spelled digit by digit, "nine nine one", and in digits, "991".

    How many digits a number has is drawn evenly, and so is each digit, the first one
    too: "zero zero seven" is 007.

    Parameters
    ----------
    n_samples : int
        How many pairs to make; a number may occur twice.
    min_digits, max_digits : int
        How many digits a number has at least and at most; from 1 to 10,000.
    exclude : iterable of str, optional
        Targets that must not occur, such as those of the training pairs. A number that
        is one of them is drawn again, its length too, so that lengths of which little
        is left become rare.
    random_state : int, optional
        Seeds lengths and digits.

    Returns
    -------
    sources, targets : lists of str
        The first pairs of :func:`stream_number_words` for the same arguments.

    Raises
    ------
    TypeError
        When `exclude` is a single string, or holds anything but strings.
    ValueError
        When `max_digits` is below `min_digits`, or `exclude` holds a string that is no
        number or leaves nothing to draw.

    Examples
    --------
    >>> from kseq2seq.datasets import make_number_words
    >>> sources, targets = make_number_words(3, 1, 4, random_state=0)
    >>> for pair in zip(sources, targets):
    ...     print(*pair, sep=" -> ")
    eight one three five -> 8135
    three four five -> 345
    one seven seven -> 177
    """
    check_size("n_samples", n_samples)
    stream = stream_number_words(
        min_digits, max_digits, exclude=exclude, random_state=random_state
    )
    sources, targets = zip(*islice(stream, n_samples), strict=True)
    return list(sources), list(targets)


def stream_number_words(
    min_digits: int,
    max_digits: int,
    *,
    exclude: Iterable[str] | None = None,
    random_state: int | np.random.Generator | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield fresh pairs of a spelled number and its digits, without end.

    Parameters
    ----------
    min_digits, max_digits : int
        How many digits a number has at least and at most; from 1 to 10,000.
    exclude : iterable of str, optional
        Targets that must not occur, as for :func:`make_number_words`.
    random_state : int, optional
        Seeds lengths and digits.

    Yields
    ------
    source, target : str

    Raises
    ------
    TypeError, ValueError
        As :func:`make_number_words` does, at the call.

    Examples
    --------
    >>> from kseq2seq.datasets import stream_number_words
    >>> pairs = stream_number_words(1, 4, random_state=0)
    >>> next(pairs)
    ('eight one three five', '8135')
    >>> next(pairs)
    ('three four five', '345')
    """
    check_whole("min_digits", min_digits, maximum=MOST_DIGITS)
    check_whole("max_digits", max_digits, maximum=MOST_DIGITS)
    if max_digits < min_digits:
        raise ValueError(
            f"max_digits must be at least min_digits, which is {min_digits}; got "
            f"{max_digits}."
        )
    lengths = range(int(min_digits), int(max_digits) + 1)
    excluded = _check_excluded(exclude, lengths)
    numbers = _numbers(lengths, excluded, make_rng(random_state))
    return ((_spell(number), number) for number in numbers)


def _check_excluded(exclude: Iterable[str] | None, lengths: range) -> set[str]:
    """Return the excluded targets that could be drawn."""
    excluded: set[str] = set()
    if isinstance(exclude, str) or not isinstance(exclude, Iterable | None):
        raise TypeError(
            "exclude must be a collection of targets, such as ['991', '07']; got "
            f"{written(exclude)}."
        )
    for target in () if exclude is None else exclude:
        if not isinstance(target, str):
            raise TypeError(
                "exclude must hold targets as strings, such as '991'; got "
                f"{written(target)} ({type(target).__name__})."
            )
        if not (target.isascii() and target.isdigit()):
            raise ValueError(
                "exclude must hold targets, which are digits, such as '991'; got "
                f"{written(target)}. Give the targets, not the sources."
            )
        if len(target) in lengths:
            excluded.add(target)
    return excluded


def _numbers(
    lengths: range, excluded: set[str], rng: np.random.Generator
) -> Iterator[str]:
    share = _share_left(lengths, excluded)
    if not share:
        raise ValueError(
            f"exclude leaves nothing to draw: it holds all {len(excluded)} numbers of "
            f"{lengths[0]} to {lengths[-1]} digits. Exclude fewer, or raise max_digits."
        )
    if share < 0.1:  # Then listing what is left costs less than finding it by chance.
        return _draw_listed(_list_left(lengths, excluded), rng)
    drawn = _draw(lengths, rng)
    return (number for number in drawn if number not in excluded)


def _share_left(lengths: range, excluded: set[str]) -> float:
    """Return how likely a number is not excluded, exactly 0 when all are."""
    if not excluded:
        return 1.0
    taken = Counter(map(len, excluded))
    return fmean(1 - taken[length] / 10**length for length in lengths)


def _draw(lengths: range, rng: np.random.Generator) -> Iterator[str]:
    longest = lengths[-1]
    shape = (max(1, _DIGITS_A_CHUNK // longest), longest)
    while True:
        sizes = rng.integers(lengths[0], longest + 1, size=(shape[0], 1))
        codes = rng.integers(ord("0"), ord("9") + 1, shape, dtype=np.uint32)
        codes[np.arange(longest) >= sizes] = 0
        # NumPy's strings are rows of code points, and end where only zeros follow.
        yield from codes.view(f"U{longest}")[:, 0].tolist()


def _list_left(lengths: range, excluded: set[str]) -> list[str]:
    return [
        number
        for length in lengths
        for number in map("".join, product(_WORDS, repeat=length))
        if number not in excluded
    ]


def _draw_listed(numbers: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Draw each number as often as drawing again and again would have met it."""
    weights = np.array([0.1 ** len(number) for number in numbers])
    while True:
        chosen = rng.choice(
            len(numbers), size=_DIGITS_A_CHUNK, p=weights / weights.sum()
        )
        yield from (numbers[i] for i in chosen)


def _spell(number: str) -> str:
    return " ".join([_WORDS[digit] for digit in number])
