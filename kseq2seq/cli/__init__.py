"""The command line: ``kseq2seq quickstart | train | predict | forecast | ...``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

import kseq2seq
from kseq2seq.cli.estimator_options import with_estimator_options
from kseq2seq.cli.evaluate import evaluate
from kseq2seq.cli.export import export
from kseq2seq.cli.forecast import forecast
from kseq2seq.cli.info import info
from kseq2seq.cli.predict import predict
from kseq2seq.cli.quickstart import quickstart
from kseq2seq.cli.train import train

_ERRORS = (
    *(ValueError, TypeError, OSError, ImportError),
    *(FloatingPointError, RuntimeError),
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kseq2seq {kseq2seq.__version__}")
        raise typer.Exit


_TRAINING: dict[Callable[..., None], str] = {
    train: "Seq2SeqEstimator",
    forecast: "SequenceForecaster",
}
"""The commands that have an option for every parameter of an estimator."""


def make_app(command: str | None = None) -> typer.Typer:
    """Return the application.

    Parameters
    ----------
    command : str, optional
        The command that will be run. No other gets an option for every parameter of its
        estimator, which has to be imported for that.
    """
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_about)
    app.command()(quickstart)
    for trains, estimator in _TRAINING.items():
        if command is None or command == trains.__name__:
            trains = with_estimator_options(trains, estimator)
        app.command()(trains)
    app.command()(predict)
    app.command()(evaluate)
    app.command()(info)
    app.command()(export)
    return app


def _about(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version),
    ] = False,
) -> None:
    """Train recurrent sequence-to-sequence models, and use them."""


def main() -> None:
    """Run the command line; an error is one sentence on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    try:
        make_app(sys.argv[1] if len(sys.argv) > 1 else "")()
    except _ERRORS as error:
        typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
        typer.echo(str(error), err=True)
        sys.exit(1)


def _show_warning(message: Warning | str, *_: Any) -> None:
    typer.secho("note: ", fg="yellow", bold=True, nl=False, err=True)
    typer.echo(str(message), err=True)
