"""The command that compares answers with the right ones."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from kseq2seq.cli.data import PairFiles, check_not_read, group_by_source
from kseq2seq.cli.models import is_classifier, load_text_model, settings_of
from kseq2seq.cli.options import (
    BeamSize,
    Columns,
    Features,
    Json,
    LengthPenalty,
    ModelFile,
    PairsFile,
    Source,
    Target,
)

if TYPE_CHECKING:
    from kseq2seq.answering import Hypothesis


def evaluate(
    *,
    model: ModelFile,
    pairs: PairsFile = None,
    source: Source = None,
    target: Target = None,
    columns: Columns = None,
    features: Features = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A file to write the wrong answers to, as TSV with a header: source, "
            "expected, got, score, edits. Those with most edits (in tokens) come "
            "first, and among these the ones with the highest score.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file of errors.")
    ] = False,
    multi_reference: Annotated[
        bool,
        typer.Option(
            "--multi-reference",
            help="Take lines of the same source as several right answers to it: it is "
            "answered once, and the nearest of them counts (for BLEU and chrF all).",
        ),
    ] = False,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    json_line: Json = False,
) -> None:
    """Compare a model's decoded answers with the targets."""
    from kseq2seq.persistence import check_can_write

    files = PairFiles(pairs, source, target, columns=columns, features=features)
    if errors is not None:
        check_can_write(errors, overwrite=overwrite, name="--errors")
        check_not_read(errors, model, *files.paths)
    X, targets = files.load()
    y: Targets = targets
    counted = {"pairs": len(X)}
    sources, groups = group_by_source(X, targets)
    several = sum(len(group) > 1 for group in groups)
    if multi_reference:
        X, y = sources, groups
        counted["sources"] = len(X)
        typer.echo(
            f"{counted['pairs']:,} pairs of {len(X):,} sources, {several:,} of them "
            "with several right answers"
        )
    elif several:
        typer.echo(
            f"{several:,} sources have several right answers, and each pair counts "
            "alone; --multi-reference takes any of them for right",
            err=True,
        )
    estimator = load_text_model(
        model, features=features, beam_size=beam_size, length_penalty=length_penalty
    )
    from kseq2seq.cli.answers import best_classes

    if is_classifier(estimator):
        found = [best for (best,) in best_classes(estimator, X)]
        measured = _measure_classes(y, found)
    else:
        found = estimator.predict_with_scores(X)
        measured = judge_answers(estimator, y, [answer for answer, _ in found])
    for line in measured.lines:
        typer.echo(line)
    if errors is not None:
        wrong = _mistakes(estimator, X, y, found)
        _write_mistakes(errors, wrong)
        answers = "wrong answer" if len(wrong) == 1 else "wrong answers"
        typer.echo(f"wrote {len(wrong):,} {answers} to {errors}")
    if json_line:
        typer.echo(json.dumps({**measured.report, **counted}))


@dataclass(frozen=True)
class Measured:
    """How good answers are.

    Attributes
    ----------
    scores : dict of str to float
        By the name of the metric.
    signatures : dict of str to str
        How sacreBLEU came to its scores.
    """

    scores: dict[str, float]
    signatures: dict[str, str]

    @property
    def report(self) -> dict[str, Any]:
        """Scores and signatures by name, for JSON."""
        signed = {f"{name}_signature": text for name, text in self.signatures.items()}
        return {**self.scores, **signed}

    @property
    def lines(self) -> list[str]:
        """A line a score."""
        return [
            f"{name.replace('_', ' '):>16}  {value:7.4f}  "
            f"{self.signatures.get(name, '')}".rstrip()
            for name, value in self.scores.items()
        ]


Targets = Sequence[str | list[str]]
"""The right answer to each source, or several."""


def judge_answers(estimator: Any, y: Targets, answers: list[str]) -> Measured:
    """Return how good an estimator's answers are, as its own `judge` says."""
    from kseq2seq.metrics import METRICS, TEXT_METRICS, has_sacrebleu, signature

    has_bleu = has_sacrebleu()
    if not has_bleu:
        typer.echo("BLEU and chrF need: pip install 'kseq2seq[text]'", err=True)
    corpus = TEXT_METRICS if has_bleu else ()
    others = [name for name in METRICS if name not in TEXT_METRICS]
    scores = estimator.judge(y, answers, [*corpus, *others])
    signatures = {
        name: signature(name, y, lowercase=settings_of(estimator).lowercase)
        for name in corpus
    }
    return Measured(scores, signatures)


def _measure_classes(y: Targets, found: Sequence[Hypothesis]) -> Measured:
    pairs = zip(found, map(_listed, y), strict=True)
    right = [str(label) in targets for (label, _), targets in pairs]
    return Measured({"accuracy": sum(right) / len(right)}, {})


def _listed(targets: str | list[str]) -> list[str]:
    return [targets] if isinstance(targets, str) else targets


class Mistake(NamedTuple):
    """A wrong answer.

    Attributes
    ----------
    source, expected, got : str
        Of a source with features, these stand after it, in brackets.
        Of several right answers all are expected, with ``" | "`` between them.
    score : float
    edits : int
        Between the tokens of sequences; 1 between classes.
    """

    source: str
    expected: str
    got: str
    score: float
    edits: int

    @property
    def rank(self) -> tuple[float, float]:
        """What sorts mistakes: most edits first, then those that are surest."""
        return -self.edits, -self.score


def _mistakes(
    estimator: Any, X: list[Any], y: Targets, found: Sequence[Hypothesis]
) -> list[Mistake]:
    """Return the wrong answers, the worst first."""
    from kseq2seq.codec import source_text

    wrong = []
    for source, targets, (answer, score) in zip(X, y, found, strict=True):
        got, right = str(answer), _listed(targets)
        if got in right:
            continue
        judged = {"exact_match": 0.0, "edit_distance": 1.0}
        if not is_classifier(estimator):
            judged = estimator.judge([right], [got], [*judged])
        if not judged["exact_match"]:
            edits = int(judged["edit_distance"])
            expected = " | ".join(right)
            wrong.append(Mistake(source_text(source), expected, got, score, edits))
    return sorted(wrong, key=lambda mistake: mistake.rank)


def _write_mistakes(path: Path, wrong: list[Mistake]) -> None:
    """Write a TSV file with a header; TABs and line breaks of texts become spaces."""
    lines = ["\t".join(Mistake._fields)]
    for source, expected, got, score, edits in wrong:
        texts = [re.sub(r"[\t\r\n]", " ", text) for text in (source, expected, got)]
        lines.append("\t".join([*texts, f"{score:.4f}", str(edits)]))
    path.write_text("\n".join([*lines, ""]), encoding="utf-8", newline="\n")
