"""Small real data: the defaults, the best setting found, and five models together.

Run ``python -m benchmarks.small_data DATA [SET ...]``, DATA the folder with
``g2p_2021``, ``g2p_fre``, ``inflection_2018`` and ``scan``. Each part of a set (a
language, say) is learned from its training pairs; the default setting with three seeds,
the best one with five. The figures are of whole answers, decoded: the share that is
wrong, in percent, or of SCAN the share that is right.

Settings are chosen by the dev sets alone, which is all that is measured unless
``--test`` is given. Each fit is kept in --fits as soon as it is done, and taken from
there by the next run of the same setting: delete the folder to train anew. A set's rows
take the place of its old ones in DIR/results.json; DIR/results.md is made from that
file.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.commands import make_parser, parse
from benchmarks.exercises import results
from benchmarks.exercises.__main__ import keep_models, show_progress
from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator, load
from kseq2seq.datasets import load_pairs

EXERCISE = "small_data"
DEFAULT_SEEDS, BEST_SEEDS = 3, 5
DEFAULTS, BEST, TOGETHER = "defaults", "best", "five together"


class Part(NamedTuple):
    """One language, or one split, of a set: its files by what they are for.

    SCAN has no dev files: its models are measured on the test files alone.
    """

    name: str
    train: str
    test: str
    dev: str | None = None


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Data that others have published figures of.

    Attributes
    ----------
    parts : list of Part
    setting : dict
        What the data ask for: how texts are split. All models have it.
    best : dict
        What was best on the dev sets, beside that.
    reading : dict
        Arguments of ``load_pairs``.
    published : dict of str to float
        By what it is: percent, of the test sets.
    counts_right : bool
        Whether figures are the share of right answers, and not of wrong ones.
    """

    parts: list[Part]
    setting: dict[str, Any]
    best: dict[str, Any]
    published: dict[str, float]
    reading: dict[str, Any] = field(default_factory=dict)
    counts_right: bool = False

    @property
    def measure(self) -> str:
        """What the figures are called."""
        return "exact match" if self.counts_right else "word error rate"

    def read(self, folder: Path, file: str) -> tuple[list[Any], list[str]]:
        """Return the pairs of a file."""
        return load_pairs(folder / file, **self.reading)


def _parts(names: str, pattern: str, train: str = "train") -> list[Part]:
    """Return the parts of these names, their files by a pattern of name and end."""
    ends = (train, "test", "dev")
    return [
        Part(name, *(pattern.format(name, end) for end in ends))
        for name in names.split()
    ]


_PHONES = {"target_tokenizer": "whitespace"}
_MONOTONIC = {"attention_kind": "monotonic", "dropout": 0.3, "beam_size": 5}
_ADDITIVE = {"attention_kind": "additive", "dropout": 0.3, "beam_size": 5}
_LANGUAGES = "hungarian russian arabic"
_INFLECTED = "inflection_2018/{}-{}.tsv"
_FORMS: dict[str, Any] = {"columns": (1, 2, 3), "features": ";"}
_COMMANDS = {
    "source_tokenizer": "whitespace",
    "target_tokenizer": "whitespace",
    "max_length": 48,  # SCAN's longest answer; that of length's training has 22 tokens
}

SETS = {
    "g2p_2021_low": DataSet(
        parts=_parts(
            "ady ita khm lav mlt_latn rum slv wel_sw", "g2p_2021/low/{}_{}.tsv"
        ),
        setting=_PHONES,
        best=_MONOTONIC,
        published={"the task's baseline, an ensemble": 27.25},
    ),
    "g2p_2021_medium": DataSet(
        parts=_parts("dut fre kor", "g2p_2021/medium/{}_{}.tsv"),
        setting={**_PHONES, "unicode_normalization": "NFD"},  # Korean by its letters
        best={"attention_kind": "additive", "dropout": 0.3},
        published={"the task's baseline, an ensemble": 13.17},
    ),
    "g2p_fre": DataSet(
        parts=_parts("fre", "g2p_{}/{}.tsv"),
        setting=_PHONES,
        best=_ADDITIVE,
        published={"LSTM": 6.2, "transformer": 6.9},
    ),
    "inflection_medium": DataSet(
        parts=_parts(_LANGUAGES, _INFLECTED, "train-medium"),
        setting={},
        best={"copy": True, "dropout": 0.3, "beam_size": 5},
        reading=_FORMS,
        published={
            "pointer network, Hungarian": 74.5,
            "pointer network, Russian": 80.1,
            "pointer network, Arabic": 78.3,
            "best, Hungarian": 74.5,
            "best, Russian": 86.9,
            "best, Arabic": 79.4,
        },
        counts_right=True,
    ),
    "inflection_high": DataSet(
        parts=_parts(_LANGUAGES, _INFLECTED, "train-high"),
        setting={},
        best=_ADDITIVE,
        reading=_FORMS,
        published={
            "soft attention, Hungarian": 85.5,
            "soft attention, Russian": 92.0,
            "soft attention, Arabic": 92.2,
            "best, Hungarian": 87.2,
            "best, Russian": 94.4,
            "best, Arabic": 93.7,
        },
        counts_right=True,
    ),
    "scan": DataSet(
        parts=[
            Part(name, *(f"scan/{name}_{end}.tsv.gz" for end in ("train", "test")))
            for name in ("simple", "length", "addprim_jump")
        ],
        setting=_COMMANDS,
        best={},
        published={"simple": 99.8, "length": 20.8, "jump": 1.2},
        counts_right=True,
    ),
}
"""The sets by the names under which they are run and reported."""


@dataclass(frozen=True)
class Fit:
    """One model of one part: trained once, kept with what it took.

    Attributes
    ----------
    folder : pathlib.Path
        Where it is kept.
    data : pathlib.Path
    data_set : DataSet
    part : Part
    setting : dict
        All parameters, but the seed.
    seed : int
    """

    folder: Path
    data: Path
    data_set: DataSet
    part: Part
    setting: dict[str, Any]
    seed: int

    @cached_property
    def path(self) -> Path:
        """The model's file; another setting has another one."""
        told = json.dumps([self.part, self.setting], sort_keys=True)
        digest = hashlib.sha256(told.encode()).hexdigest()[:8]
        return self.folder / f"{self.part.name}_{digest}_{self.seed}.kseq2seq"

    def run(self) -> dict[str, Any]:
        """Train, unless it is there; return seconds, parameters and the machine."""
        report = self.path.with_suffix(".json")
        if report.exists():
            return json.loads(report.read_text(encoding="utf-8"))
        pairs = self.data_set.read(self.data, self.part.train)
        fraction = {} if self.part.dev else {"validation_fraction": 0.0}
        estimator = Seq2SeqEstimator(
            **{**fraction, **self.setting}, random_state=self.seed
        )
        given = self.part.dev and self.data_set.read(self.data, self.part.dev)
        start = time.perf_counter()
        estimator.fit(*pairs, validation_data=given)
        took = {
            "seconds": round(time.perf_counter() - start, 1),
            "parameters": estimator.models_.training.count_params(),
            "machine": results.machine(),
        }
        estimator.save(self.path, overwrite=True)
        results.write_text(report, json.dumps(took))
        return took

    def figure(self, what: str, answerer: Any) -> float:
        """Return how good answers to a file's sources are, in percent."""
        X, y = self.data_set.read(self.data, getattr(self.part, what))
        share = answerer.score(X, y)
        return 100 * (share if self.data_set.counts_right else 1 - share)


def rows(
    name: str, data: Path, folder: Path, *, measures_test: bool
) -> list[results.RowDict]:
    """Train what a set asks for, and return its three rows."""
    data_set = SETS[name]
    settings = {
        DEFAULTS: (data_set.setting, DEFAULT_SEEDS),
        BEST: ({**data_set.setting, **data_set.best}, BEST_SEEDS),
    }
    files = ("dev", "test") if measures_test else ("dev",)
    found = []
    for who, (setting, num_seeds) in settings.items():
        fits = _fits(data_set, setting, data, folder, num_seeds)
        took = [_told(name, who, fit) for of_part in fits for fit in of_part]
        alone = [[(fit, load(fit.path)) for fit in of_part] for of_part in fits]
        found.append(_row(name, who, setting, _figures(files, alone), took))
    together = [
        [(of_part[0][0], Seq2SeqEnsemble.from_fitted([model for _, model in of_part]))]
        for of_part in alone
    ]
    return [*found, _row(name, TOGETHER, setting, _figures(files, together), took)]


def _figures(
    files: Sequence[str], answerers: list[list[tuple[Fit, Any]]]
) -> dict[str, dict[str, list[float]]]:
    """Return the figures by file and part, one of each of the part's answerers."""
    return {
        what: {
            of_part[0][0].part.name: [
                fit.figure(what, answerer) for fit, answerer in of_part
            ]
            for of_part in answerers
            if getattr(of_part[0][0].part, what)
        }
        for what in files
    }


def _fits(
    data_set: DataSet, setting: dict[str, Any], data: Path, folder: Path, seeds: int
) -> list[list[Fit]]:
    """Return the fits of each part, one for each seed."""
    return [
        [Fit(folder, data, data_set, part, setting, seed) for seed in range(seeds)]
        for part in data_set.parts
    ]


def _told(name: str, who: str, fit: Fit) -> dict[str, Any]:
    """Run a fit, and say how far the set is."""
    took = fit.run()
    part, seed = fit.part.name, fit.seed
    show_progress(f"{name}, {who}: {part}, seed {seed}: {took['seconds']} s")
    return took


def _row(
    name: str,
    who: str,
    setting: dict[str, Any],
    figures: dict[str, dict[str, list[float]]],
    took: list[dict[str, Any]],
) -> results.RowDict:
    """Return a row of figures by file and part, one for each seed."""
    data_set = SETS[name]
    ours: dict[str, Any] = {}
    for what, of_parts in figures.items():
        if not of_parts:
            continue
        of_seeds = [*map(statistics.fmean, zip(*of_parts.values(), strict=True))]
        ours[what] = {
            "mean": statistics.fmean(of_seeds),
            "spread": statistics.stdev(of_seeds) if len(of_seeds) > 1 else None,
            "parts": {part: statistics.fmean(each) for part, each in of_parts.items()},
        }
    return {
        "exercise": EXERCISE,
        "model": f"{name}: {who}",
        "setting": dict(setting),
        "published": data_set.published,
        "measure": data_set.measure,
        "figures": ours,
        "parameters": round(statistics.fmean(each["parameters"] for each in took)),
        "seconds": round(statistics.fmean(each["seconds"] for each in took), 1),
        "machine": took[0]["machine"],
        "time": results.now(),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser("small_data", __doc__, "SET", SETS)
    parser.add_argument(
        "--test", action="store_true", help="measure on the test sets, too"
    )
    arguments = parse(parser, argv, SETS, _read)
    for name in arguments.names:
        new = rows(name, arguments.data, arguments.fits, measures_test=arguments.test)
        keep_models(arguments.output, new)
    print(arguments.output / results.TABLE_NAME)


def _read(data: Path, name: str) -> None:
    for part in SETS[name].parts:
        SETS[name].read(data, part.test)


if __name__ == "__main__":
    main()
