"""Problems of two whole numbers, and their results."""

from __future__ import annotations

import operator

import numpy as np

from kseq2seq.arguments import check_flag, check_size, check_whole, make_rng, written
from kseq2seq.datasets.pairs import Pairs

OPERATORS = "+-*/%"


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
    operators : str, default ``"+-*/%"``
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
    check_size("n_samples", n_samples)
    check_whole("n_digits", n_digits, maximum=9)
    check_flag("reverse_source", reverse_source)
    if (
        not isinstance(operators, str)
        or not operators
        or set(operators) - set(OPERATORS)
    ):
        raise ValueError(
            f"operators must be one or more of {OPERATORS!r}; got {written(operators)}."
        )
    rng = make_rng(random_state)
    signs = rng.integers(len(operators), size=n_samples)
    left = rng.integers(10**n_digits, size=n_samples)
    right = rng.integers(10**n_digits, size=n_samples)
    divisors = rng.integers(1, 10**n_digits, size=n_samples)
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
