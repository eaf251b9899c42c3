"""Tokens to ids and back: the vocabulary and its four special ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kseq2seq.arguments import check_choice, check_whole, written

Token = str | int

PAD = 0
"""Fills a row up to the width of its batch; always on the right."""
UNK = 1
"""Stands for a token that the vocabulary does not hold."""
START = 2
"""The decoder's first input."""
END = 3
"""Closes every source and every target."""
FIRST_TOKEN = 4
"""The id of the vocabulary's first token of its own."""

SPECIAL_TOKENS = ("<pad>", "<unk>", "<start>", "<end>")
"""How the special ids are written where people see them."""


class Vocabulary:
    """The tokens of one side, source or target, numbered from 4.

    Parameters
    ----------
    tokens : iterable of str or int
        Distinct tokens, in the order of their ids.

    Raises
    ------
    ValueError
        When a token occurs twice.

    Examples
    --------
    >>> from kseq2seq.vocabulary import Vocabulary
    >>> vocabulary = Vocabulary(["a", "b"])
    >>> vocabulary.encode(["b", "a", "z"])
    [5, 4, 1]
    >>> vocabulary.decode([5, 4, 3, 0])
    ['b', 'a']
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.tokens: list[Token] = list(tokens)
        self._ids = {token: i for i, token in enumerate(self.tokens, FIRST_TOKEN)}
        if len(self._ids) != len(self.tokens):
            repeated = Counter(self.tokens).most_common(1)[0][0]
            raise ValueError(
                f"a vocabulary's tokens must be distinct; {written(repeated)} occurs "
                "twice."
            )

    @classmethod
    def from_sequences(
        cls,
        sequences: Iterable[Sequence[Token]],
        *,
        min_frequency: int = 1,
        max_size: int | None = None,
    ) -> Vocabulary:
        """Learn a vocabulary: frequent tokens first, equals in sorted order.

        Parameters
        ----------
        sequences : iterable of sequences of tokens
            The training data of one side.
        min_frequency : int, default 1
            Tokens seen less often are left out; they become UNK.
        max_size : int, optional
            How many tokens to keep at most, the four special ids not counted.

        Returns
        -------
        Vocabulary
        """
        counts = Counter(token for sequence in sequences for token in sequence)
        return cls.from_counts(counts, min_frequency=min_frequency, max_size=max_size)

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[Token, int],
        *,
        min_frequency: int = 1,
        max_size: int | None = None,
    ) -> Vocabulary:
        """Choose a vocabulary, as :meth:`from_sequences` does, by counted tokens."""
        check_whole("min_frequency", min_frequency)
        if max_size is not None:
            check_whole("max_size", max_size)
        frequent = [token for token in counts if counts[token] >= min_frequency]
        frequent.sort(key=lambda token: (-counts[token], token))
        return cls(frequent[:max_size])

    def encode(self, tokens: Sequence[Token], *, unknown: str = "unk") -> list[int]:
        """Return the ids of the tokens.

        Parameters
        ----------
        tokens : sequence of str or int
        unknown : {"unk", "error"}, default "unk"
            What a token outside the vocabulary becomes: the id UNK, or an error.

        Returns
        -------
        list of int

        Raises
        ------
        ValueError
            With ``unknown="error"``, when a token is not in the vocabulary.
        """
        check_choice("unknown", unknown, ("unk", "error"))
        ids = [self._ids.get(token, UNK) for token in tokens]
        if unknown == "error" and UNK in ids:
            position = ids.index(UNK)
            raise ValueError(
                f"the token {written(tokens[position])} at position {position} is not "
                f"in the vocabulary of {len(self.tokens)} tokens. Add it to the "
                "vocabulary, leave it out of the data, or pass unknown='unk' (not for "
                "answers of integers)."
            )
        return ids

    def decode(
        self, ids: Iterable[int], *, unknown: Iterable[Token] = ()
    ) -> list[Token]:
        """Return the tokens up to the first END; PAD and START are left out.

        Parameters
        ----------
        ids : iterable of int
        unknown : iterable of tokens, default ()
            What each UNK is written as, one after the other; ``"<unk>"`` after these.
        """
        tokens: list[Token] = []
        written = iter(unknown)
        for i in ids:
            if i == END:
                break
            if i >= len(self):
                raise ValueError(
                    f"the vocabulary has the ids 0 to {len(self) - 1}; got {i}."
                )
            if i >= FIRST_TOKEN:
                tokens.append(self.tokens[i - FIRST_TOKEN])
            elif i == UNK:
                tokens.append(next(written, SPECIAL_TOKENS[UNK]))
        return tokens

    def __len__(self) -> int:
        """Count the ids, the four special ones included."""
        return FIRST_TOKEN + len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def __iter__(self) -> Iterator[Token]:
        return iter(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.tokens)} tokens)"
