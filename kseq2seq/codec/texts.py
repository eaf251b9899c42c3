"""Texts, and sequences of other kinds, to tokens and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from kseq2seq.arguments import shown
from kseq2seq.tokenizers import get_tokenizer, prepare_text
from kseq2seq.vocabulary import Token


def prepared(texts: list[str], preparation: Mapping[str, Any]) -> list[str]:
    """Return the prepared texts; the same list where there is nothing to prepare."""
    if not any(preparation.values()):
        return texts
    return [prepare_text(text, **preparation) for text in texts]


def tokenize(
    sequences: Iterable[Any], kind: str, tokenizer: Any
) -> Iterator[list[Token]]:
    """Yield the tokens of each sequence."""
    if kind != "text":
        yield from sequences
        return
    encode = get_tokenizer(tokenizer).encode
    for text in sequences:
        yield _split(encode, text)


def check_unicode(name: str, texts: Sequence[str]) -> None:
    """Raise for half a surrogate pair, which no text in UTF-8 has."""
    for i, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name}[{i}] holds half a surrogate pair, {text[error.start]!r} at "
                f"position {error.start}, which is no text. Read the file anew with "
                "its right encoding, or leave it out."
            ) from None


def _split(encode: Callable[[str], list[str]], text: str) -> list[Token]:
    """Return a text's tokens; say so when a tokenizer of the user's own fails."""
    try:
        tokens = encode(text)
    except Exception as error:
        check_unicode("a text", [text])
        raise ValueError(f"the tokenizer failed on {shown(text)}: {error!r}") from error
    wrong = [token for token in tokens if not isinstance(token, str)]
    if wrong:
        raise TypeError(
            f"a tokenizer must return strings; for {shown(text)} it returned "
            f"{shown(wrong[0])}."
        )
    return [*tokens]


def join(decode: Callable[[list[str]], str], tokens: list[str]) -> str:
    """Return the text of tokens; say so when a tokenizer of the user's own fails."""
    try:
        return str(decode(tokens))
    except Exception as error:
        raise ValueError(
            f"the tokenizer failed to join {shown(tokens)}: {error!r}"
        ) from error
