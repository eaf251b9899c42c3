"""The command that answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from itertools import count, tee
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kseq2seq.cli.data import check_file, check_separator, parse_columns
from kseq2seq.cli.models import load_text_model
from kseq2seq.cli.options import BeamSize, LengthPenalty, ModelFile
from kseq2seq.datasets.columns import Columns
from kseq2seq.datasets.pairs import Source

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
            help="Where the lines have columns, as pairs do: that of the source (and "
            "features), by number from 1, or by name in the header, which is then left "
            "out.",
        ),
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            metavar="SEPARATOR",
            help="What separates the features of a source, such as ';', in a second "
            "column. --columns then names SOURCE,FEATURES, or those of pairs, "
            "SOURCE,TARGET,FEATURES.",
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
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="Print, in place of a score, the probability that the answer is "
            "right, 0 to 1, as training calibrated it on its validation pairs.",
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
            '"score" (or "probability"); with --n-best "answers" in place of the last '
            "two, best first.",
        ),
    ] = False,
) -> None:
    """Answer each line of a file, or of standard input, with a line.

    With --n-best and --scores a line is NUMBER, SCORE and ANSWER, a TAB between them.
    Lines with a TAB are refused, unless --columns is given or training had them.
    """
    check_separator(features)
    chosen = None if columns is None else _columns(columns, features)
    if file is not None:  # before a backend is loaded
        check_file(file)
    if n_best is not None and temperature is not None:
        raise ValueError(
            "--n-best searches for the best answers, and --temperature draws one. "
            "Pass one of the two."
        )
    if scores and probabilities:
        raise ValueError(
            "--scores prints log-probabilities, and --probabilities what they mean. "
            "Pass one of the two."
        )
    given = {
        "temperature": temperature,
        "beam_size": beam_size,
        "length_penalty": length_penalty,
    }
    estimator = load_text_model(model, features=features, **given)
    from kseq2seq.cli.answers import answers_of, leave_out_other_search

    leave_out_other_search(estimator, **given, n_best=n_best)
    takes_tabs = any("\t" in token for token in estimator.source_vocabulary_.tokens)
    read = _read_sources(file, chosen, features, takes_tabs=takes_tabs)
    sources, asked = tee(read)
    found = answers_of(estimator, asked, n_best, probabilities=probabilities)
    for number, answers, source in zip(count(1), found, sources, strict=False):
        if json_lines:
            name = "probability" if probabilities else "score"
            several = n_best is not None
            typer.echo(_as_json(source, answers, several=several, name=name))
            continue
        for answer, score in answers:
            parts = [str(number)] * (n_best is not None)
            parts += [f"{score:.4f}"] * (scores or probabilities)
            typer.echo("\t".join([*parts, _one_line(answer)]))


def _columns(text: str, features: str | None) -> Columns:
    """Return the column of the source and, with features, theirs."""
    forms = "SOURCE", "SOURCE,TARGET", "SOURCE,FEATURES", "SOURCE,TARGET,FEATURES"
    source, *others = parse_columns(text, *forms, features=features)
    return [source] if features is None else [source, others[-1]]


def _read_sources(
    file: Path | None,
    columns: Columns | None,
    features: str | None,
    *,
    takes_tabs: bool,
) -> Iterator[Source]:
    """Yield the sources of a file, or of standard input, with features if asked."""
    from kseq2seq.datasets import (
        decode_lines,
        exact_columns,
        read_lines,
        take_columns,
        take_features,
    )

    if file is None:
        name = "standard input"
        lines = decode_lines(sys.stdin.buffer, name, strip=False)
    else:
        name = str(file)
        lines = read_lines(file, strip=False)
    if features is not None:
        if columns is None:
            lines = exact_columns(lines, "source TAB features", name)
        taken = take_columns(lines, columns or [1, 2], name)
        return ((source, take_features(text, features)) for source, text in taken)
    if columns is not None:
        return (source for (source,) in take_columns(lines, columns, name))
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


def _as_json(
    source: Source, answers: list[Hypothesis], *, several: bool, name: str = "score"
) -> str:
    """Return a line for a source, with each answer's score under a name."""
    listed: list[dict[str, Any]] = [
        {"answer": answer, name: round(score, 6)} for answer, score in answers
    ]
    found: dict[str, Any] = {"answers": listed} if several else listed[0]
    asked: dict[str, Any] = {"source": source}
    if not isinstance(source, str):
        asked = dict(zip(("source", "features"), source, strict=True))
    return json.dumps({**asked, **found}, ensure_ascii=False)


def _one_line(answer: Any) -> str:
    """Return an answer, a text or a class, without line breaks."""
    return " ".join(str(answer).splitlines())
