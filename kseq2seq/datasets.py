"""Tasks to learn from: dates, arithmetic, and pairs from files."""

from __future__ import annotations

import gzip
import operator
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from kseq2seq.arguments import check_flag, check_whole, random_generator

Pairs = tuple[list[str], list[str]]
"""Sources and targets, as many of the one as of the other."""

FIRST_DATE = date(1900, 1, 1)
LAST_DATE = date(2049, 12, 31)
OPERATORS = "+-*/%"

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
    check_whole("n_samples", n_samples)
    generator = random_generator(random_state)
    num_days = (LAST_DATE - FIRST_DATE).days + 1
    days = [
        FIRST_DATE + timedelta(days=int(offset))
        for offset in generator.integers(num_days, size=n_samples)
    ]
    sources = [_write(day, generator) for day in days]
    return sources, [day.isoformat() for day in days]


def _write(day: date, generator: np.random.Generator) -> str:
    styles = _LONG_YEAR_STYLES
    if day.year >= 1950:
        styles += _SHORT_YEAR_STYLES
    text = styles[generator.integers(len(styles))](day)
    return _CASES[generator.integers(len(_CASES))](text)


def make_arithmetic(
    n_samples: int,
    n_digits: int = 3,
    operators: str = OPERATORS,
    *,
    reverse_source: bool = False,
    random_state: int | np.random.Generator | None = None,
) -> Pairs:
    """Make problems of two whole numbers, and their results.

    Numbers are drawn evenly from 0 to ``10**n_digits - 1``, divisors from 1. Results of
    ``/`` have five decimals, the others are whole.

    Parameters
    ----------
    n_samples : int
        How many pairs to make; a problem may occur twice.
    n_digits : int, default 3
        How many digits a number has at most; 1 to 9.
    operators : str, default "+-*/%"
        The operators to draw from, each as likely.
    reverse_source : bool, default False
        Whether problems are written from right to left ("21+3" for 3+12), which brings
        the digits that are needed first near to the first answer digit.
    random_state : int, optional
        Seeds numbers and operators.

    Returns
    -------
    sources, targets : lists of str

    Raises
    ------
    ValueError
        When an operator is unknown.

    Examples
    --------
    >>> from kseq2seq.datasets import make_arithmetic
    >>> sources, targets = make_arithmetic(3, random_state=0)
    >>> for pair in zip(sources, targets):
    ...     print(*pair, sep=" -> ")
    269%813 -> 269
    307/649 -> 0.47304
    40*175 -> 7000
    """
    check_whole("n_samples", n_samples)
    check_whole("n_digits", n_digits, maximum=9)
    check_flag("reverse_source", reverse_source)
    if (
        not isinstance(operators, str)
        or not operators
        or set(operators) - set(OPERATORS)
    ):
        raise ValueError(
            f"operators must be one or more of {OPERATORS!r}; got {operators!r}."
        )
    generator = random_generator(random_state)
    signs = generator.integers(len(operators), size=n_samples)
    left = generator.integers(10**n_digits, size=n_samples)
    right = generator.integers(10**n_digits, size=n_samples)
    divisors = generator.integers(1, 10**n_digits, size=n_samples)
    sources, targets = [], []
    for i in range(n_samples):
        sign, a = operators[signs[i]], int(left[i])
        b = int(divisors[i] if sign in "/%" else right[i])
        problem = f"{a}{sign}{b}"
        sources.append(problem[::-1] if reverse_source else problem)
        targets.append(_result(a, sign, b))
    return sources, targets


def _result(a: int, sign: str, b: int) -> str:
    if sign == "/":
        return f"{a / b:.5f}"
    functions = {
        "+": operator.add,
        "-": operator.sub,
        "*": operator.mul,
        "%": operator.mod,
    }
    return str(functions[sign](a, b))


def load_pairs(path: str | Path, target_path: str | Path | None = None) -> Pairs:
    r"""Read pairs from a TSV file, or from two parallel files.

    Files are UTF-8, plain or gzip-compressed (``.gz``); a byte-order mark and Windows
    line ends are fine. Spaces around a text are stripped.

    Parameters
    ----------
    path : str or path
        Lines of source TAB target; with `target_path`, lines of sources.
    target_path : str or path, optional
        Lines of targets, as many as there are sources.

    Returns
    -------
    sources, targets : lists of str

    Raises
    ------
    ValueError
        When a line has no tab or more than one, is not UTF-8, or the two files differ
        in length; the message names the file and the line.
    OSError
        When a file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from kseq2seq.datasets import load_pairs
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "pairs.tsv"
    ...     _ = path.write_text("one\t1\ntwo\t2\n")
    ...     load_pairs(path)
    (['one', 'two'], ['1', '2'])
    """
    if target_path is None:
        return _split_columns(path)
    sources, targets = list(read_lines(path)), list(read_lines(target_path))
    if len(sources) != len(targets):
        shorter, longer = sorted((len(sources), len(targets)))
        raise ValueError(
            f"parallel files must have as many lines; {path} has {len(sources)} and "
            f"{target_path} has {len(targets)}: line {shorter + 1} of {longer} has no "
            "partner."
        )
    return sources, targets


def _split_columns(path: str | Path) -> Pairs:
    sources, targets = [], []
    for number, line in enumerate(read_lines(path, strip=False), 1):
        columns = line.split("\t")
        if len(columns) != 2:
            raise ValueError(
                f"{path}, line {number}: expected source TAB target; got "
                f"{len(columns) - 1} tabs in {line[:60]!r}."
            )
        sources.append(columns[0].strip())
        targets.append(columns[1].strip())
    return sources, targets


def read_lines(path: str | Path, *, strip: bool = True) -> Iterator[str]:
    """Yield a text file's lines, plain or ``.gz``, without their ends.

    Parameters
    ----------
    path : str or path
    strip : bool, default True
        Whether spaces around a line go as well.

    Raises
    ------
    ValueError
        When a line is not UTF-8, or a ``.gz`` file is not gzip; the message names the
        file and the line.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a file's path; got {path!r}.")
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            yield from decode_lines(file, str(path), strip=strip)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"{path} is not a whole gzip file: {error}. Copy it again, or drop the .gz "
            "from its name."
        ) from error


def decode_lines(
    file: Iterable[bytes], name: str, *, strip: bool = True
) -> Iterator[str]:
    """Yield the lines of an open binary file, as :func:`read_lines` does.

    Parameters
    ----------
    file : iterable of bytes
    name : str
        What to call the file in an error.
    strip : bool, default True
        Whether spaces around a line go as well.
    """
    for number, raw in enumerate(file, 1):
        line = _decode(raw, name, number).rstrip("\r\n")
        yield line.strip() if strip else line


def _decode(raw: bytes, name: str, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name}, line {number}: expected UTF-8; got byte 0x{raw[error.start]:02x} "
            f"at position {error.start + 1}. Save the file as UTF-8."
        ) from None
