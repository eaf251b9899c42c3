"""Embeddings from text files of word vectors, as word2vec, fastText and GloVe make."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kseq2seq.arguments import make_rng, written
from kseq2seq.codec import as_vocabulary
from kseq2seq.datasets.files import read_lines
from kseq2seq.vocabulary import FIRST_TOKEN, SPECIAL_TOKENS, Token, Vocabulary

_HEADER = re.compile(r"\d{1,12} \d{1,9}")
_SCALE = 0.1
"""The standard deviation of what stands for tokens that a file does not have."""


def load_vectors(
    path: str | Path,
    vocabulary: Sequence[Token] | Vocabulary,
    *,
    random_state: int | np.random.Generator | None = None,
) -> np.ndarray:
    r"""Read a vocabulary's word vectors from a text file, as a start of embeddings.

    The array is what `source_embedding` and `target_embedding` of builders and
    estimators take; with `freeze_embeddings=True` it stays as it is. A warning says how
    many tokens the file does not have.

    Parameters
    ----------
    path : str or path
        Lines of a token and its numbers, separated by blanks, in UTF-8, plain or
        gzip-compressed (``.gz``). A first line of two whole numbers, as word2vec and
        fastText write it, says how many tokens and how many numbers each there are;
        GloVe's files have none. Of a token that occurs twice the first line counts.
    vocabulary : Vocabulary, list of str, or str
        The tokens, in the order of their ids; `source_vocabulary` or
        `target_vocabulary` is to be the same.
    random_state : int, optional
        Seeds the rows of tokens that the file does not have: normally distributed with
        a standard deviation of 0.1. None takes new numbers each time.

    Returns
    -------
    numpy.ndarray
        float32, ``(4 + tokens, width)``, a row for each id: PAD, UNK, START and END
        (the file's ``<pad>``, ``<unk>``, ``<start>`` and ``<end>``, if it has them),
        then the tokens.

    Raises
    ------
    ValueError
        When a line is not as described, or the file has none of the tokens, or fewer
        lines than it says; the message names the file and the line.
    TypeError
        When the vocabulary is not of strings.
    OSError
        When the file cannot be read.

    Examples
    --------
    >>> import pathlib
    >>> from kseq2seq import Seq2SeqEstimator, load_vectors
    >>> _ = pathlib.Path("vectors.txt").write_text("one 0.5 -1\ntwo 0.25 2\n")
    >>> vectors = load_vectors("vectors.txt", ["two", "one"], random_state=0)
    >>> vectors[4:].tolist()
    [[0.25, 2.0], [0.5, -1.0]]
    >>> estimator = Seq2SeqEstimator(
    ...     source_tokenizer="whitespace",
    ...     source_vocabulary=["two", "one"],
    ...     source_embedding=vectors,
    ... )
    """
    tokens = as_vocabulary("load_vectors", vocabulary).tokens
    if not tokens or not isinstance(tokens[0], str):
        raise TypeError(
            f"word vectors are of strings; got a vocabulary of {written(tokens)}."
        )
    rows: dict[Token, int] = {token: i for i, token in enumerate(SPECIAL_TOKENS)}
    rows |= {token: i for i, token in enumerate(tokens, FIRST_TOKEN)}
    found: dict[int, np.ndarray] = {}
    for line in _lines(path):
        row = rows.get(line.token)
        if row is not None and row not in found:
            found[row] = line.numbers()
    _tell_of_missing(path, [t for t in tokens if rows[t] not in found], len(tokens))
    width = len(next(iter(found.values())))
    shape = FIRST_TOKEN + len(tokens), width
    vectors = make_rng(random_state).normal(0, _SCALE, shape)
    vectors[list(found)] = list(found.values())
    return vectors.astype(np.float32)


def _tell_of_missing(path: str | Path, missing: list[Token], num_tokens: int) -> None:
    """Warn of tokens that a file does not have; raise if it has none."""
    if not missing:
        return
    first = ", ".join(written(token) for token in missing[:3])
    if len(missing) == num_tokens:
        raise ValueError(
            f"{path} has none of the {num_tokens:,} tokens, such as {first}. Is it a "
            "file of word vectors, of this language and of words written alike?"
        )
    warnings.warn(
        f"{path} has {num_tokens - len(missing):,} of {num_tokens:,} tokens; the "
        f"vectors of the others, such as {first}, are random.",
        stacklevel=3,
    )


class _Line(NamedTuple):
    """A line of a file of word vectors."""

    place: str
    token: str
    rest: str

    def numbers(self) -> np.ndarray:
        """Return the token's vector, or raise where it is none."""
        try:
            numbers = np.array(self.rest.split(" "), dtype=np.float32)
        except ValueError:
            numbers = np.array([np.nan])
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"{self.place}: expected finite numbers after the token "
                f"{written(self.token)}; got {written(self.rest)}."
            )
        return numbers


def _lines(path: str | Path) -> Iterator[_Line]:
    """Yield the lines of a file, each with as many numbers as the first, or raise."""
    num_lines = width = None
    num_read = 0
    for number, line in enumerate(read_lines(path, strip=False), 1):
        place, text = f"{path}, line {number}", line.replace("\t", " ").rstrip(" ")
        if number == 1:
            if _HEADER.fullmatch(text):
                num_lines, width = map(int, text.split(" "))
                continue
            width = text.count(" ")
        if text:
            num_read += 1
            yield _line(place, text, width or 0)
    if num_read != num_lines and (num_lines is not None or not num_read):
        raise ValueError(
            f"{path} has {num_read:,} word vectors; expected "
            f"{num_lines or 1:,}{' at least' * (num_lines is None)}. Copy it again."
        )


def _line(place: str, text: str, width: int) -> _Line:
    """Return a line's token, in which blanks may be, and what follows it."""
    num_blanks, (token, _, _) = text.count(" "), text.partition(" ")
    too_many = False
    if num_blanks > width:
        token = text.rsplit(" ", width)[0]
        too_many = all(map(_is_number, token.split(" ")[1:]))
    if not width or num_blanks < width or too_many:
        raise ValueError(
            f"{place}: expected a token and {width or 'its'} numbers, separated by "
            f"blanks; got {written(text)}."
        )
    return _Line(place, token, text[len(token) + 1 :])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
