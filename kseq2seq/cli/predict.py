"""The command that answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import count, tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kseq2seq.cli.data import check_file, parse_columns
from kseq2seq.cli.models import load_text_model
from kseq2seq.cli.options import BeamSize, LengthPenalty, ModelFile

if TYPE_CHECKING:
    from kseq2seq.answering import Hypothesis


def predict(
    model: ModelFile,
    file: Annotated[
        Path | None,
        typer.Argument(help="Sources, one a line (.gz too); standard input if left."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Where the lines have columns, as pairs do: that of the source, by "
            "number from 1, or by name in the header, which is then left out.",
        ),
    ] = None,
    n_best: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The best answers to each source, in a line each, with the number of "
            "the source and a TAB before it.",
        ),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option(
            "--scores",
            help="Print each answer's score and a TAB before it: its log-probability, "
            "or with a penalty what ranks it.",
        ),
    ] = False,
    temperature: Annotated[
        float | None,
        typer.Option(help="Draw answers at random: at 1 as probable as they are."),
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    json_lines: Annotated[
        bool,
        typer.Option(
            "--json",
            help='Print a JSON object for each source: "source", "answer" and '
            '"score"; with --n-best "answers" in place of the last two, best first.',
        ),
    ] = False,
) -> None:
    """Answer each line of a file, or of standard input, with a line.

    With --n-best and --scores a line is NUMBER, SCORE and ANSWER, a TAB between them.
    Lines with a TAB are refused, unless --columns is given or training had them.
    """
    column = None if columns is None else parse_columns(columns, fewest=1)[0]
    if file is not None:  # before a backend is loaded
        check_file(file)
    if n_best is not None and temperature is not None:
        raise ValueError(
            "--n-best searches for the best answers, and --temperature draws one. "
            "Pass one of the two."
        )
    given = {
        "temperature": temperature,
        "beam_size": beam_size,
        "length_penalty": length_penalty,
    }
    estimator = load_text_model(model, **given)
    from kseq2seq.cli.answers import answers_of, leave_out_other_search

    leave_out_other_search(estimator, **given, n_best=n_best)
    takes_tabs = any("\t" in token for token in estimator.source_vocabulary_.tokens)
    sources, asked = tee(_read_sources(file, column, takes_tabs=takes_tabs))
    found = answers_of(estimator, asked, n_best)
    for number, answers, source in zip(count(1), found, sources, strict=False):
        if json_lines:
            typer.echo(_as_json(source, answers, several=n_best is not None))
            continue
        for answer, score in answers:
            parts = [str(number)] * (n_best is not None) + [f"{score:.4f}"] * scores
            typer.echo("\t".join([*parts, _one_line(answer)]))


def _read_sources(
    file: Path | None, column: int | str | None, *, takes_tabs: bool
) -> Iterator[str]:
    """Yield the sources of a file, or of standard input."""
    from kseq2seq.datasets import decode_lines, read_lines, take_columns

    if file is None:
        name = "standard input"
        lines = decode_lines(sys.stdin.buffer, name, strip=False)
    else:
        name = str(file)
        lines = read_lines(file, strip=False)
    if column is not None:
        return (source for (source,) in take_columns(lines, [column], name))
    return _whole_lines(lines, name, takes_tabs=takes_tabs)


def _whole_lines(lines: Iterable[str], name: str, *, takes_tabs: bool) -> Iterator[str]:
    """Yield lines that are a source each, or raise for one that is a pair."""
    for number, line in enumerate(lines, 1):
        if "\t" in line and not takes_tabs:
            raise ValueError(
                f"{name}, line {number}: expected a source alone; got a TAB in "
                f"{line[:60]!r}. Of a file of pairs choose the column of the source "
                "(--columns 1), or pass that alone (cut -f1)."
            )
        yield line.strip()


def _as_json(source: str, answers: list[Hypothesis], *, several: bool) -> str:
    listed: list[dict[str, Any]] = [
        {"answer": answer, "score": round(score, 6)} for answer, score in answers
    ]
    found: dict[str, Any] = {"answers": listed} if several else listed[0]
    return json.dumps({"source": source, **found}, ensure_ascii=False)


def _one_line(answer: Any) -> str:
    """Return an answer, a text or a class, without line breaks."""
    return " ".join(str(answer).splitlines())
