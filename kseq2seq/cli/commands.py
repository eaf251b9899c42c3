"""The commands that train a model and use it."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kseq2seq.cli.backend import load_backend

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


def train(
    *,
    pairs: Annotated[
        Path | None, typer.Argument(help="Lines of source TAB target (.gz too).")
    ] = None,
    source: Source = None,
    target: Target = None,
    validation: Annotated[
        list[Path] | None,
        typer.Option(
            help="Pairs to validate on: a TSV file, or given twice, sources and "
            "targets. A held-back part of the pairs otherwise."
        ),
    ] = None,
    model: Annotated[Path, typer.Option(help="The model file to write.")] = Path(
        "model.kseq2seq"
    ),
    overwrite: Overwrite = False,
    json_line: Json = False,
    parameters: Any = None,
) -> None:
    """Train a model on pairs and write it to a file."""
    from kseq2seq.estimators import Seq2SeqEstimator
    from kseq2seq.persistence import check_can_write

    check_can_write(model, overwrite=overwrite)
    X, y = _load(pairs, source, target)
    validation_data = _load_validation(validation)
    estimator = Seq2SeqEstimator(**parameters, callbacks=[progress_callback()])
    typer.echo(f"{len(X):,} pairs")
    seconds = timed_fit(estimator, X, y, validation_data)
    estimator.set_params(callbacks=None)
    estimator.save(model, overwrite=overwrite)
    typer.echo(f"wrote {model} after {seconds:.0f} s of training")
    report = training_report(estimator, seconds, len(X), model)
    if validation_data is not None:
        report["validation_exact_match"] = estimator.score(*validation_data)
        typer.echo(f"validation: exact match {report['validation_exact_match']:.4f}")
    if json_line:
        typer.echo(json.dumps(report))


def predict(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    file: Annotated[
        Path | None, typer.Argument(help="Sources, one a line; standard input if left.")
    ] = None,
    beam_size: BeamSize = None,
    json_line: Json = False,
) -> None:
    """Answer each line of a file, or of standard input, with a line."""
    from kseq2seq.datasets import decode_lines, read_lines

    if file is not None and not file.exists():  # before a backend is loaded
        raise FileNotFoundError(f"there is no file {file}.")
    estimator = load_text_model(model, beam_size)
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
    json_line: Json = False,
) -> None:
    """Compare a model's answers, decoded without teacher forcing, with the targets."""
    X, y = _load(pairs, source, target)
    estimator = load_text_model(model, beam_size)
    report = _measure(estimator, y, estimator.predict(X))
    for name, value in report.items():
        typer.echo(f"{name.replace('_', ' '):>16}  {value:.4f}")
    if json_line:
        typer.echo(json.dumps({**report, "pairs": len(X)}))


def info(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    json_line: Json = False,
) -> None:
    """Describe a model file, without loading a backend."""
    from kseq2seq.persistence import read_description

    report = _describe(model, read_description(model))
    for name, value in report.items():
        typer.echo(f"{name.replace('_', ' '):>14}  {value}")
    if json_line:
        typer.echo(json.dumps(report))


def _describe(model: Path, description: dict[str, Any]) -> dict[str, Any]:
    try:
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
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{model} is damaged: its description lacks {error}. Train or copy the "
            "model again."
        ) from error


def _side(side: dict[str, Any]) -> str:
    how = side["tokenizer"]
    tokenizer = (
        f" split by {how if isinstance(how, str) else 'subwords'}" if how else ""
    )
    return f"{side['kind']}{tokenizer}, {len(side['tokens'])} tokens"


def _load(
    pairs: Path | None, source: Path | None, target: Path | None
) -> tuple[list[str], list[str]]:
    from kseq2seq.datasets import load_pairs

    if pairs is not None and source is None and target is None:
        X, y = load_pairs(pairs)
    elif pairs is None and source is not None and target is not None:
        X, y = load_pairs(source, target)
    else:
        raise ValueError(
            "expected pairs either as one TSV file, or as --source FILE and --target "
            "FILE."
        )
    if not X:
        raise ValueError(f"{pairs or source} is empty; expected at least one pair.")
    return X, y


def _load_validation(
    files: list[Path] | None,
) -> tuple[list[str], list[str]] | None:
    from kseq2seq.datasets import load_pairs

    if not files:
        return None
    if len(files) > 2:
        raise ValueError(
            f"--validation takes one TSV file, or two parallel files; got {len(files)}."
        )
    return load_pairs(*files)


def load_text_model(path: Path, beam_size: int | None) -> Any:
    """Load a model that answers text with text, as the command line must."""
    from kseq2seq.persistence import read_description

    description = read_description(path)
    _describe(path, description)
    kinds = {description.get(side, {}).get("kind") for side in ("source", "target")}
    if kinds != {"text"}:
        raise ValueError(
            f"{path} does not answer text with text; use it from Python: "
            f"kseq2seq.load({str(path)!r})."
        )
    load_backend()
    from kseq2seq.estimators import load

    estimator = load(path)
    return estimator if beam_size is None else estimator.set_params(beam_size=beam_size)


def _measure(estimator: Any, y: list[str], predictions: list[str]) -> dict[str, float]:
    from kseq2seq.metrics import METRICS, measure
    from kseq2seq.tokenizers import get_tokenizer, prepare_text

    settings = ("lowercase", "unicode_normalization")
    preparation = {name: getattr(estimator, name) for name in settings}
    y = [prepare_text(text, **preparation) for text in y]
    encode = get_tokenizer(estimator.target_tokenizer_).encode

    def tokens(texts: Sequence[str]) -> list[list[str]]:
        return [encode(text) for text in texts]

    names = list(METRICS)
    if importlib.util.find_spec("sacrebleu") is None:
        typer.echo("BLEU and chrF need: pip install 'kseq2seq[text]'", err=True)
        names = [name for name in names if name not in ("bleu", "chrf")]
    return measure(y, predictions, names, tokens=tokens)


def timed_fit(
    estimator: Any, X: list[str], y: list[str], validation_data: Any = None
) -> float:
    """Fit, and return the seconds that it took."""
    start = time.perf_counter()
    estimator.fit(X, y, validation_data=validation_data)
    return time.perf_counter() - start


def training_report(
    estimator: Any, seconds: float, num_pairs: int, model: Path
) -> dict[str, Any]:
    """Return what a training run is measured by."""
    epochs = len(estimator.history_["loss"])
    return {
        "train_seconds": round(seconds, 2),
        "pairs_per_second": round(num_pairs * epochs / seconds, 1),
        "epochs": epochs,
        "parameters": estimator.models_.training.count_params(),
        "model": str(model),
    }


def progress_callback() -> Any:
    """Return a Keras callback that prints a line an epoch: losses and time left."""
    import keras

    start = time.perf_counter()

    def report(epoch: int, logs: dict[str, float]) -> None:
        seconds = time.perf_counter() - start
        measured = (f"{name} {logs[name]:.4f}" for name in _shown(logs))
        typer.echo(f"epoch {epoch + 1:3}  {'  '.join(measured)}  after {seconds:.0f} s")

    return keras.callbacks.LambdaCallback(on_epoch_end=report)


def _shown(logs: dict[str, float]) -> Iterator[str]:
    return (name for name in ("loss", "val_loss") if name in logs)
