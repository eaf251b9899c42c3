"""How fast answers are, beside PyTorch and the classic recipe's loop of ``predict``.

Run ``python -m benchmarks.decoding [--sources 100000] [--rounds 5] [--only 64 beam]``.
Sources and answers are arrays of integers: the characters of arithmetic problems, with
spaces before them. A model with attention is trained for a few epochs, and PyTorch gets
its weights: the answers must be the same, or the benchmark fails. Ratios are of the
peer's median seconds a source to those of kseq2seq; ``beam5_cost_over_greedy_64`` is
of kseq2seq's beam of five to its own greedy search.
"""

from __future__ import annotations

import argparse
import io
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.measuring import (
    Contender,
    Measured,
    Worker,
    make_parser,
    measure,
    print_report,
    ratios,
)
from benchmarks.problems import (
    SOURCE_WIDTH,
    TARGET_WIDTH,
    aligned,
    codes,
    problems,
    texts,
)
from kseq2seq.vocabulary import END, FIRST_TOKEN, UNK

if TYPE_CHECKING:
    from kseq2seq import Seq2SeqEstimator

RATIOS = {
    "greedy_vs_torch_64": ("64 torch", "64 kseq2seq"),
    "greedy_vs_torch_256": ("256 torch", "256 kseq2seq"),
    "greedy_vs_predict_loop_64": ("64 predict loop", "64 kseq2seq"),
    "beam5_vs_torch_64": ("beam torch", "beam kseq2seq"),
    "beam5_cost_over_greedy_64": ("beam kseq2seq", "beam kseq2seq greedy"),
    "single_vs_torch_64": ("single torch", "single kseq2seq"),
}
GROUPS = ("64", "256", "single", "beam")
BEAM_SIZE = 5
TORCH_BATCH_SIZE = 256
SINGLE_CALLS = 200
LEAST_EQUAL = {"64": 0.999, "256": 0.999, "single": 0.999, "beam": 0.99}
"""The share of tokens that must be equal, by group: sums may round to different bests.

A beam differs a little more: what END might have got makes scores lower in kseq2seq.
"""
_COMPARED = 10_000
_OURS, _TORCH = "model.kseq2seq", "torch.npz"

Answer = Callable[[np.ndarray], np.ndarray]
"""Integer sources ``(n, source_width)`` to integer answers ``(n, target_width)``."""


def train_model(
    worker: Worker, *, folder: str, units: int, pairs: int, epochs: int
) -> None:
    """Train a model with attention; save it for kseq2seq and for PyTorch."""
    worker.import_keras("kseq2seq.estimators")
    from kseq2seq import Seq2SeqEstimator

    sources, targets = texts(pairs)
    estimator = Seq2SeqEstimator(
        units=units,
        attention_kind="dot",
        bidirectional=False,
        embedding_dim=units,
        dropout=0.0,
        batch_size=64,
        epochs=epochs,
        validation_fraction=0,
        random_state=0,
    )
    while worker.wait():
        estimator.fit(codes(sources, SOURCE_WIDTH), codes(targets, TARGET_WIDTH))
        estimator.save(Path(folder, _OURS), overwrite=True)
        np.savez(
            Path(folder, _TORCH),
            source_tokens=np.array(estimator.source_vocabulary_.tokens),
            target_tokens=np.array(estimator.target_vocabulary_.tokens),
            **torch_weights(estimator),
        )
        worker.report()


def torch_weights(estimator: Seq2SeqEstimator) -> dict[str, np.ndarray]:
    """Return an estimator's weights by the names that ``TorchSeq2Seq`` has.

    Both libraries stack an LSTM's gates in the order input, forget, cell, output; Keras
    from left to right, PyTorch from top to bottom and with two biases, which are added.
    """
    layers = estimator.models_.training.get_layer
    weights = {}
    for ours, theirs in (("encoder_lstm_1", "encoder"), ("decoder_lstm_1", "decoder")):
        kernel, recurrent, bias = layers(ours).get_weights()
        weights[f"{theirs}.weight_ih_l0"] = kernel.T
        weights[f"{theirs}.weight_hh_l0"] = recurrent.T
        weights[f"{theirs}.bias_ih_l0"] = bias
        weights[f"{theirs}.bias_hh_l0"] = np.zeros_like(bias)
    for name in ("source_embedding", "target_embedding"):
        (weights[f"{name}.weight"],) = layers(name).get_weights()
    for name in ("attention_vector", "logits"):
        kernel, bias = layers(name).get_weights()
        weights[f"{name}.weight"], weights[f"{name}.bias"] = kernel.T, bias
    # Answers of one length have no special ids in kseq2seq. Nor in PyTorch, at no cost.
    weights["logits.bias"][:FIRST_TOKEN] = -np.inf
    return weights


def answer_kseq2seq(
    worker: Worker, *, folder: str, sources: int, beam_size: int, single: bool
) -> None:
    """Answer with the estimator's ``predict``."""
    worker.import_keras("kseq2seq.estimators")
    import kseq2seq

    estimator = kseq2seq.load(Path(folder, _OURS))
    if beam_size > 1:
        estimator.set_params(beam_size=beam_size)
    _answer(worker, sources, single, one=estimator.predict, many=estimator.predict)


def answer_torch(
    worker: Worker, *, folder: str, sources: int, beam_size: int, single: bool
) -> None:
    """Answer with PyTorch."""
    worker.import_torch()
    one, many = torch_answers(np.load(Path(folder, _TORCH)), beam_size)
    _answer(worker, sources, single, one=one if beam_size == 1 else many, many=many)


def torch_answers(
    arrays: Mapping[str, np.ndarray], beam_size: int
) -> tuple[Answer, Answer]:
    """Return what answers one source greedily, and what answers many in batches."""
    import torch

    from benchmarks.peers.torch_seq2seq import TorchSeq2Seq

    state = {
        name: torch.from_numpy(array)
        for name, array in arrays.items()
        if not name.endswith("_tokens")
    }
    target_size, units = state["target_embedding.weight"].shape
    source_size = len(state["source_embedding.weight"])
    model = TorchSeq2Seq(
        source_size=source_size, target_size=target_size, units=units, attends=True
    ).eval()
    model.load_state_dict(state)
    source_tokens, target_tokens = arrays["source_tokens"], arrays["target_tokens"]
    id_of = np.full(source_tokens.max() + 1, UNK)
    id_of[source_tokens] = np.arange(FIRST_TOKEN, source_size)
    token_of = np.concatenate([np.zeros(FIRST_TOKEN, np.int64), target_tokens])

    def encode(X: np.ndarray) -> torch.Tensor:
        ids = np.pad(id_of[X], ((0, 0), (0, 1)), constant_values=END)
        return torch.from_numpy(ids)

    def search(source_ids: torch.Tensor) -> torch.Tensor:
        if beam_size == 1:
            return model.greedy(source_ids, max_length=TARGET_WIDTH)
        return model.beam(source_ids, beam_size=beam_size, max_length=TARGET_WIDTH)

    def one(X: np.ndarray) -> np.ndarray:
        ids = model.greedy_one(encode(X)[0], max_length=TARGET_WIDTH)
        return token_of[ids][None]

    def many(X: np.ndarray) -> np.ndarray:
        batches = encode(X).split(TORCH_BATCH_SIZE)
        return token_of[torch.cat([search(batch) for batch in batches]).numpy()]

    return one, many


def _answer(
    worker: Worker, num_sources: int, single: bool, *, one: Answer, many: Answer
) -> None:
    """Answer all sources at once, a round each time, or a few of them one by one."""
    sources = [source for source, _ in problems(num_sources)]
    X = codes(sources, SOURCE_WIDTH)
    one(X[:1])
    worker.first()
    answers = np.zeros((0, TARGET_WIDTH))
    while worker.wait():
        if single:
            answers, seconds = _one_by_one(one, X)
            worker.report(seconds)
        else:
            answers = many(X)
            worker.report()
    worker.facts["answers"] = answers[:_COMPARED]


def _one_by_one(one: Answer, X: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the answers, and the median seconds of an answer times their number."""
    answers, seconds = [], []
    for i in range(len(X)):
        start = time.perf_counter()
        answers.append(one(X[i : i + 1]))
        seconds.append(time.perf_counter() - start)
    return np.concatenate(answers), statistics.median(seconds) * len(X)


def answer_recipe(
    worker: Worker, *, units: int, pairs: int, epochs: int, sources: int
) -> None:
    """Answer with the classic recipe, which is trained first.

    Its seconds to the first answer hold its training, and mean nothing.
    """
    worker.import_keras()
    from benchmarks.peers.keras_recipe import KerasRecipe

    X, y = texts(pairs)
    y = aligned(y, TARGET_WIDTH)  # its answers are as long as the others'
    recipe = KerasRecipe(aligned(X, SOURCE_WIDTH), y, units=units)
    with redirect_stdout(io.StringIO()):
        recipe.fit(epochs=epochs)
    recipe.answer(X[0])
    while worker.wait():
        for source, _ in problems(sources):
            recipe.answer(source.rjust(SOURCE_WIDTH))
        worker.report()


def contenders(
    group: str, folder: str, settings: argparse.Namespace
) -> Sequence[Contender]:
    """Return the contenders of a group, which are measured in turn."""
    sources = settings.sources
    if group == "single":
        sources = min(SINGLE_CALLS, sources)
    beam_size = BEAM_SIZE if group == "beam" else 1

    def answering(name: str, work: Callable[..., None], beam_size: int) -> Contender:
        options = {
            "folder": folder,
            "sources": sources,
            "beam_size": beam_size,
            "single": group == "single",
        }
        return Contender(
            name=f"{group} {name}", work=work, options=options, items=sources
        )

    found = [
        answering("kseq2seq", answer_kseq2seq, beam_size),
        answering("torch", answer_torch, beam_size),
    ]
    if group == "beam":
        found.append(answering("kseq2seq greedy", answer_kseq2seq, 1))
    if group == "64":
        found.append(_loop(settings))
    return found


def _loop(settings: argparse.Namespace) -> Contender:
    options = {
        "units": 64,
        "pairs": settings.train_pairs,
        "epochs": settings.epochs,
        "sources": settings.loop_sources,
    }
    return Contender(
        name="64 predict loop",
        work=answer_recipe,
        options=options,
        items=settings.loop_sources,
    )


def train_once(
    folder: str, *, units: int, pairs: int, epochs: int, threads: int
) -> str:
    """Train a model in a process of its own; return the folder that it is saved in."""
    folder = tempfile.mkdtemp(prefix=f"{units}-", dir=folder)
    trainer = Contender(
        name=f"training at {units} units",
        work=train_model,
        options={"folder": folder, "units": units, "pairs": pairs, "epochs": epochs},
        items=pairs,
    )
    measure([trainer], rounds=1, warmup=0, threads=threads)
    return folder


def share_equal(group: str, measured: Mapping[str, Measured]) -> float:
    """Return the share of tokens in which PyTorch's answers equal kseq2seq's.

    Raises
    ------
    ValueError
        When it is too small: the two have not done the same work.
    """
    ours = measured[f"{group} kseq2seq"].facts["answers"]
    theirs = measured[f"{group} torch"].facts["answers"]
    share = float((ours == theirs).mean())
    least = LEAST_EQUAL[group]
    if not share >= least:
        raise ValueError(
            f"group {group!r}: at least {least:.1%} of the tokens of kseq2seq and "
            f"PyTorch must be equal; got {share:.3%}."
        )
    return share


def measure_all(
    settings: argparse.Namespace, folder: str
) -> tuple[dict[str, Measured], dict[str, Any]]:
    """Return what was measured, and the share of equal tokens by group."""
    measured: dict[str, Measured] = {}
    models: dict[int, str] = {}
    equal = {}
    for group in settings.only:
        units = 256 if group == "256" else 64
        if units not in models:
            models[units] = train_once(
                folder,
                units=units,
                pairs=settings.train_pairs,
                epochs=settings.epochs,
                threads=settings.threads,
            )
        measured |= measure(
            contenders(group, models[units], settings),
            rounds=settings.rounds,
            warmup=settings.warmup,
            threads=settings.threads,
        )
        equal[f"equal_tokens_{group}"] = round(share_equal(group, measured), 5)
    return measured, equal


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=5)
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--loop-sources", type=int, default=5)
    parser.add_argument("--train-pairs", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=GROUPS)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured, equal = measure_all(settings, folder)
    print_report({**ratios(measured, RATIOS), **equal}, measured, settings)


if __name__ == "__main__":
    main()
