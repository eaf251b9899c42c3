"""Dates as people write them, and the same in ISO 8601."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np

from kseq2seq.arguments import check_size, make_rng
from kseq2seq.datasets.pairs import Pairs

FIRST_DATE = date(1900, 1, 1)
LAST_DATE = date(2049, 12, 31)

# Not from the calendar module: its names follow the machine's locale.
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_WEEKDAYS = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
]

_LONG_YEAR_STYLES: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{_MONTHS[d.month - 1][:3]} {d.day} {d.year}",
    lambda d: f"{_WEEKDAYS[d.weekday()]}, {_MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{d.day:02}/{d.month:02}/{d.year}",
    lambda d: f"{d.year}.{d.month:02}.{d.day:02}",
)
_SHORT_YEAR_STYLES: tuple[Callable[[date], str], ...] = (
    lambda d: f"{d.day}.{d.month}.{d.year % 100:02}",
)
_CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper)


def make_dates(
    n_samples: int,
    *,
    random_state: int | np.random.Generator | None = None,
) -> Pairs:
    """Make dates as people write them, and the same in ISO 8601.

    Days lie between 1900-01-01 and 2049-12-31. The styles are "24 April 1987", "April
    24, 1987", "Apr 24 1987", "Friday, April 24, 1987" (always the true weekday),
    "24/04/1987" (the day first), "1987.04.24" and, for the years from 1950 on,
    "24.4.87"; as written, in lower or in upper case.

    Parameters
    ----------
    n_samples : int
        How many pairs to make.
    random_state : int, optional
        Seeds days and styles.

    Returns
    -------
    sources, targets : lists of str

    Examples
    --------
    >>> from kseq2seq.datasets import make_dates
    >>> sources, targets = make_dates(3, random_state=0)
    >>> for pair in zip(sources, targets):
    ...     print(*pair, sep=" -> ")
    August 6, 2027 -> 2027-08-06
    19 July 1995 -> 1995-07-19
    2 September 1976 -> 1976-09-02
    """
    check_size("n_samples", n_samples)
    rng = make_rng(random_state)
    num_days = (LAST_DATE - FIRST_DATE).days + 1
    days = [
        FIRST_DATE + timedelta(days=int(offset))
        for offset in rng.integers(num_days, size=n_samples)
    ]
    sources = [_write(day, rng) for day in days]
    return sources, [day.isoformat() for day in days]


def _write(day: date, rng: np.random.Generator) -> str:
    styles = _LONG_YEAR_STYLES
    if day.year >= 1950:
        styles += _SHORT_YEAR_STYLES
    text = styles[rng.integers(len(styles))](day)
    return _CASES[rng.integers(len(_CASES))](text)
