"""The commands that use a model."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.backend import load_backend
from kseq2seq.cli.config import config_lines
from kseq2seq.cli.data import PairFiles, check_file

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on the last line.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the model file if it exists.")
]
Source = Annotated[
    Path | None, typer.Option("--source", help="Sources, one a line (.gz too).")
]
Target = Annotated[
    Path | None, typer.Option("--target", help="Targets, line by line with --source.")
]
BeamSize = Annotated[
    int | None,
    typer.Option(help="Hypotheses grown side by side; as the model's if left."),
]
LengthPenalty = Annotated[
    float | None,
    typer.Option(help="The higher, the longer the answers; as the model's if left."),
]


def predict(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    file: Annotated[
        Path | None, typer.Argument(help="Sources, one a line; standard input if left.")
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    json_line: Json = False,
) -> None:
    """Answer each line of a file, or of standard input, with a line."""
    from kseq2seq.datasets import decode_lines, read_lines

    if file is not None:  # before a backend is loaded
        check_file(file)
    estimator = load_text_model(
        model, beam_size=beam_size, length_penalty=length_penalty
    )
    if file is None:
        lines = decode_lines(sys.stdin.buffer, "standard input")
    else:
        lines = read_lines(file)
    num_lines, start = 0, time.perf_counter()
    for answer in estimator.predict(iter(lines)):
        typer.echo(" ".join(answer.splitlines()))
        num_lines += 1
    if json_line:
        seconds = time.perf_counter() - start
        typer.echo(json.dumps({"lines": num_lines, "seconds": round(seconds, 3)}))


def evaluate(
    *,
    model: Annotated[Path, typer.Argument(help="The model file.")],
    pairs: Annotated[
        Path | None, typer.Argument(help="Lines of source TAB target (.gz too).")
    ] = None,
    source: Source = None,
    target: Target = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    json_line: Json = False,
) -> None:
    """Compare a model's decoded answers with the targets."""
    X, y = PairFiles(pairs, source, target).load()
    estimator = load_text_model(
        model, beam_size=beam_size, length_penalty=length_penalty
    )
    measured = measure_answers(estimator, X, y)
    for line in measured.lines:
        typer.echo(line)
    if json_line:
        typer.echo(json.dumps({**measured.report, "pairs": len(X)}))


def info(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    config: Annotated[
        bool, typer.Option("--config", help="Print only what train --config takes.")
    ] = False,
    json_line: Json = False,
) -> None:
    """Describe a model file: its settings as TOML."""
    from kseq2seq.persistence import read_description

    report = _describe(model, read_description(model))
    if not config:
        for name, value in report.items():
            if name != "settings":
                typer.echo(f"# {name.replace('_', ' '):>14}  {value}")
    elif report["estimator"] != "Seq2SeqEstimator":
        raise ValueError(
            f"{model} holds a {report['estimator']}, which train is not for."
        )
    for line in config_lines(report["settings"]):
        typer.echo(line)
    if json_line:
        typer.echo(json.dumps(report))


def export(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    folder: Annotated[Path, typer.Argument(help="The folder to make.")],
    format: Annotated[
        str, typer.Option(help="savedmodel (TensorFlow), onnx or litert.")
    ] = "savedmodel",
    max_source_length: Annotated[
        int | None,
        typer.Option(help="For litert: what each source is padded to, END included."),
    ] = None,
    beam_size: BeamSize = None,
    length_penalty: LengthPenalty = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the folder of an export.")
    ] = False,
) -> None:
    """Write a model with its search for another runtime."""
    from kseq2seq.persistence import read_description

    _describe(model, read_description(model))
    estimator = _load(model, beam_size=beam_size, length_penalty=length_penalty)
    made = estimator.export(
        folder, format, max_source_length=max_source_length, overwrite=overwrite
    )
    for path in sorted(made.iterdir()):
        typer.echo(str(path))


def _describe(model: Path, description: dict[str, Any]) -> dict[str, Any]:
    from kseq2seq.descriptions import check_description

    try:
        check_description(description)
        return {
            "model": str(model),
            "format_version": description["format_version"],
            "estimator": description["estimator"],
            "parameters": description["num_weights"],
            **{
                side: _side(description[side])
                for side in ("source", "target")
                if side in description
            },
            "epochs": len(description["history"].get("loss", ())),
            "settings": description["parameters"],
        }
    except ValueError as error:
        raise ValueError(
            f"{model} is damaged: {error}. Train or copy the model again."
        ) from error


def _side(side: dict[str, Any]) -> str:
    how = side["tokenizer"]
    tokenizer = (
        f" split by {how if isinstance(how, str) else 'subwords'}" if how else ""
    )
    return f"{side['kind']}{tokenizer}, {len(side['tokens'])} tokens"


def load_text_model(path: Path, **search: Any) -> Any:
    """Load a model that answers text with text, as the command line must.

    The parameters of the search that are not None take the place of the model's.
    """
    from kseq2seq.persistence import read_description

    description = read_description(path)
    _describe(path, description)
    kinds = {description.get(side, {}).get("kind") for side in ("source", "target")}
    if kinds != {"text"}:
        raise ValueError(
            f"{path} does not answer text with text; use it from Python: "
            f"kseq2seq.load({str(path)!r})."
        )
    return _load(path, **search)


def _load(path: Path, **search: Any) -> Any:
    load_backend()
    from kseq2seq.estimators import load

    given = {name: value for name, value in search.items() if value is not None}
    return load(path).set_params(**given)


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


def measure_answers(estimator: Any, X: list[str], y: list[str]) -> Measured:
    """Return how good an estimator's answers are, as its own `measure` says."""
    from kseq2seq.metrics import METRICS, TEXT_METRICS, has_sacrebleu, signature

    has_bleu = has_sacrebleu()
    if not has_bleu:
        typer.echo("BLEU and chrF need: pip install 'kseq2seq[text]'", err=True)
    corpus = TEXT_METRICS if has_bleu else ()
    others = [name for name in METRICS if name not in TEXT_METRICS]
    scores = estimator.measure(X, y, [*corpus, *others])
    signatures = {
        name: signature(name, y, lowercase=estimator.lowercase) for name in corpus
    }
    return Measured(scores, signatures)
