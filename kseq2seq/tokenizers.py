"""Text to tokens and back.

Every tokenizer has ``encode(text) -> tokens`` and ``decode(tokens) -> text``, and is
its own inverse on the texts that it is made for.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import Any, Protocol, runtime_checkable

from kseq2seq.arguments import check_choice, quoted_choices, written

JOINER = "\uffed"
"""Marks, on a token of ``"word"``, the side where no space stood (halfwidth square)."""


@runtime_checkable
class Tokenizer(Protocol):
    """What a tokenizer offers."""

    def encode(self, text: str) -> list[str]:
        """Return the text's tokens."""
        ...

    def decode(self, tokens: Sequence[str]) -> str:
        """Return the text of the tokens."""
        ...


class CharTokenizer:
    """One token for each character.

    >>> CharTokenizer().encode("one")
    ['o', 'n', 'e']
    """

    def encode(self, text: str) -> list[str]:
        return list(text)

    def decode(self, tokens: Sequence[str]) -> str:
        return "".join(tokens)


class WhitespaceTokenizer:
    """Tokens as white space separates them; one space goes back between them.

    >>> WhitespaceTokenizer().encode("a b   c")
    ['a', 'b', 'c']
    """

    def encode(self, text: str) -> list[str]:
        return text.split()

    def decode(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)


class WordTokenizer:
    """Words and punctuation marks, after Unicode's letters, digits and marks.

    A single space between two tokens is understood; wherever else tokens meet, a joiner
    on the punctuation mark (or on other white space) says so. So no text is lost.

    >>> WordTokenizer().encode("Come, now!")
    ['Come', '￭,', 'now', '￭!']
    >>> WordTokenizer().decode(['Come', '￭,', 'now', '￭!'])
    'Come, now!'
    """

    def encode(self, text: str) -> list[str]:
        pieces = self._pieces(text)
        tokens: list[str] = []
        for i, piece in enumerate(pieces):
            before = pieces[i - 1] if i else " "
            after = pieces[i + 1] if i + 1 < len(pieces) else " "
            is_inside = 0 < i < len(pieces) - 1
            beside_marked = self._is_marked(before) or self._is_marked(after)
            if piece == " " and is_inside and not beside_marked:
                continue  # understood
            if self._is_marked(piece) or piece == " ":
                tokens.append(JOINER + piece + JOINER)
            elif _kind(piece[0]) == "word":
                tokens.append(piece)
            else:
                tokens.append(self._joined(piece, before, after, first=i == 0))
        return tokens

    def decode(self, tokens: Sequence[str]) -> str:
        text = ""
        glued = True
        for token in tokens:
            left = len(token) > 1 and token.startswith(JOINER)
            right = len(token) > 1 + left and token.endswith(JOINER)
            core = token[left : len(token) - right]
            text += core if glued or left else " " + core
            glued = right
        return text

    @staticmethod
    def _pieces(text: str) -> list[str]:
        """Split into runs of word characters and of space, and single marks."""
        pieces: list[str] = []
        for kind, run in groupby(text, key=_kind):
            characters = list(run)
            pieces += characters if kind == "mark" else ["".join(characters)]
        return pieces

    @staticmethod
    def _is_marked(piece: str) -> bool:
        """Whether the piece always carries both joiners: odd space, or a joiner."""
        return piece == JOINER or (_kind(piece[0]) == "space" and piece != " ")

    @staticmethod
    def _joined(piece: str, before: str, after: str, *, first: bool) -> str:
        """Put joiners on a mark where a word, or the mark before it, touches it."""
        if not first and _kind(before[0]) != "space" and before != JOINER:
            piece = JOINER + piece
        if _kind(after[0]) == "word":
            piece += JOINER
        return piece


@cache
def _kind(character: str) -> str:
    if character.isspace():
        return "space"
    is_mark_on_letter = unicodedata.category(character)[0] == "M"
    if character.isalnum() or character == "_" or is_mark_on_letter:
        return "word"
    return "mark"


class CallableTokenizer:
    """A pair of functions: text to tokens, and its inverse."""

    def __init__(
        self,
        split: Callable[[str], Sequence[str]],
        join: Callable[[Sequence[str]], str],
    ) -> None:
        self.split = split
        self.join = join

    def encode(self, text: str) -> list[str]:
        return list(self.split(text))

    def decode(self, tokens: Sequence[str]) -> str:
        return self.join(list(tokens))


class SubwordTokenizer:
    """A trained ``tokenizers.Tokenizer`` (the ``text`` extra) behind our two methods.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str) -> list[str]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).tokens)

    def decode(self, tokens: Sequence[str]) -> str:
        ids = [self.tokenizer.token_to_id(token) for token in tokens]
        known = [i for i in ids if i is not None]
        return str(self.tokenizer.decode(known, skip_special_tokens=False))


NAMED_TOKENIZERS: dict[str, type[Any]] = {
    "char": CharTokenizer,
    "word": WordTokenizer,
    "whitespace": WhitespaceTokenizer,
}
"""The tokenizers that have a name."""


TRAINED_TOKENIZERS = ("bpe:8000", "unigram:8000")
"""Examples of the tokenizers that are trained on the texts, with a size each."""

_TRAINED = re.compile(r"(bpe|unigram):(\d{1,9})")
_NUM_BYTES = 256
"""No subword vocabulary is smaller: it can spell every text."""
_MOST_SUBWORDS = 1_000_000
"""None is larger; the trainer takes memory for as many as it is asked for."""


def train_tokenizer(tokenizer: Any, texts: Iterable[str]) -> Any:
    """Return a tokenizer trained on texts for a name with a size, another as it is.

    Subwords are of bytes, so that every text can be spelled with them: by byte-pair
    encoding (Sennrich et al., 2016, arXiv:1508.07909), or by a unigram language model
    (Kudo, 2018, arXiv:1804.10959), whose training is not the same to the last digit
    from one time to the next.

    Parameters
    ----------
    tokenizer : object
        ``"bpe:8000"``, say, or ``"unigram:8000"``; or what :func:`get_tokenizer` takes.
    texts : iterable of str

    Returns
    -------
    tokenizers.Tokenizer or object

    Raises
    ------
    ValueError
        When the size is below 256, of which each byte takes one.
    ImportError
        When the ``text`` extra is missing.

    Examples
    --------
    >>> from kseq2seq.tokenizers import get_tokenizer, train_tokenizer
    >>> trained = train_tokenizer("bpe:300", ["a low house", "lower houses"])
    >>> get_tokenizer(trained).decode(get_tokenizer(trained).encode("a mouse"))
    'a mouse'
    """
    if not is_trained(tokenizer):
        return tokenizer
    kind, size = _kind_and_size(tokenizer)
    tokenizers = import_tokenizers()
    decoders, pre_tokenizers = tokenizers.decoders, tokenizers.pre_tokenizers
    model, trainer = {
        "bpe": (tokenizers.models.BPE, tokenizers.trainers.BpeTrainer),
        "unigram": (tokenizers.models.Unigram, tokenizers.trainers.UnigramTrainer),
    }[kind]
    trained = tokenizers.Tokenizer(model())
    # The first word of a text gets a space before it, as all others have one.
    trained.normalizer = tokenizers.normalizers.Prepend(" ")
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Strip(" ", 1, 0)]
    )
    trained.train_from_iterator(
        texts,
        trainer(
            vocab_size=size,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            special_tokens=[],
            show_progress=False,
        ),
    )
    return trained


def prepare_text(
    text: str, *, lowercase: bool = False, unicode_normalization: str | None = None
) -> str:
    """Return a text as a model is to see it.

    Parameters
    ----------
    text : str
    lowercase : bool, default False
        Whether capitals become small letters.
    unicode_normalization : {"NFC", "NFD", "NFKC", "NFKD", None}
        The form that the same characters, written differently, are brought to (Unicode
        Standard Annex 15); None for as they are.

    Returns
    -------
    str

    Examples
    --------
    >>> from kseq2seq.tokenizers import prepare_text
    >>> prepare_text("CO₂", lowercase=True, unicode_normalization="NFKC")
    'co2'
    """
    if lowercase:
        text = text.lower()
    if unicode_normalization is not None:
        text = unicodedata.normalize(unicode_normalization, text)  # type: ignore[arg-type]
    return text


UNICODE_NORMALIZATIONS = ("NFC", "NFD", "NFKC", "NFKD", None)


def is_trained(tokenizer: Any) -> bool:
    """Whether this is the name of a tokenizer that is trained on the texts."""
    return isinstance(tokenizer, str) and _TRAINED.fullmatch(tokenizer) is not None


def _kind_and_size(tokenizer: str, *, name: str = "tokenizer") -> tuple[str, int]:
    kind, size = tokenizer.split(":")
    if not _NUM_BYTES <= int(size) <= _MOST_SUBWORDS:
        raise ValueError(
            f"{name} must have at least {_NUM_BYTES} subwords, one for each byte, and "
            f"at most {_MOST_SUBWORDS:,}; got {written(tokenizer)}."
        )
    return kind, int(size)


def import_tokenizers() -> Any:
    """Return the package of subword tokenizers, or say what installs it."""
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "subwords need the 'text' extra: pip install 'kseq2seq[text]'."
        ) from error
    return tokenizers


def check_tokenizer(name: str, tokenizer: Any) -> None:
    """Raise unless this is a tokenizer, or the name of one to train."""
    if is_trained(tokenizer):
        _kind_and_size(tokenizer, name=name)
        import_tokenizers()
    else:
        get_tokenizer(tokenizer, name=name)


def get_tokenizer(tokenizer: Any, *, name: str = "tokenizer") -> Tokenizer:
    """Return the tokenizer for what a user may pass.

    Parameters
    ----------
    tokenizer : str, pair of functions, tokenizers.Tokenizer or Tokenizer
        ``"char"``, ``"word"`` or ``"whitespace"``; a pair ``(split, join)`` of a
        function and its inverse; a trained subword tokenizer; or any object with
        ``encode(text) -> tokens`` and ``decode(tokens) -> text``.
    name : str
        What to call the argument in an error.

    Returns
    -------
    Tokenizer

    Raises
    ------
    ValueError, TypeError
        When the name is unknown or the object has no such methods.

    Examples
    --------
    >>> from kseq2seq.tokenizers import get_tokenizer
    >>> get_tokenizer((str.split, " ".join)).encode("a b")
    ['a', 'b']
    """
    if isinstance(tokenizer, str):
        check_choice(name, tokenizer, (*NAMED_TOKENIZERS, *TRAINED_TOKENIZERS))
        return NAMED_TOKENIZERS[tokenizer]()
    if isinstance(tokenizer, tuple) and [*map(callable, tokenizer)] == [True, True]:
        return CallableTokenizer(*tokenizer)
    if is_subword(tokenizer):
        return SubwordTokenizer(tokenizer)
    if isinstance(tokenizer, Tokenizer) and not isinstance(tokenizer, type):
        return tokenizer
    raise TypeError(
        f"{name} must be {quoted_choices((*NAMED_TOKENIZERS, *TRAINED_TOKENIZERS))}, "
        "a pair of functions (split, join), a tokenizers.Tokenizer, or an object with "
        f"encode and decode; got {written(tokenizer)}."
    )


def is_subword(tokenizer: Any) -> bool:
    """Whether this is a ``tokenizers.Tokenizer``."""
    module = type(tokenizer).__module__
    return module.split(".")[0] == "tokenizers" and hasattr(tokenizer, "token_to_id")
