"""How fast a translation model trains, beside PyTorch.

Run ``python -m benchmarks.translation_speed DATA [--rounds 5] [--pairs 5120]``, DATA
the folder with Multi30k's ``train.de.gz`` and ``train.en.gz``. The model is that of
:mod:`benchmarks.multi30k` with additive attention, of the published size. All train on
whole batches of 128, taken evenly from those that an epoch over all captions has:
kseq2seq's from its 24 length buckets; PyTorch's from the captions in the order of
their lengths, each batch padded to its own longest. Ratios are of the peer's median
seconds a target token to those of kseq2seq: above 1, kseq2seq trains more tokens a
second. The tutorial's model is another one, with attention inside the decoder's loop.
With ``--bfloat16`` all multiply in half precision; losses and weights stay in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from benchmarks.training import ENDLESS, ProgressWatch, epoch_clock
from kseq2seq.codec import SequenceCodec
from kseq2seq.datasets import load_pairs
from kseq2seq.ragged import RaggedIds

RATIOS = {
    "translation_training_vs_torch_eager": ("torch eager", "kseq2seq"),
    "translation_training_vs_torch_tutorial": ("torch tutorial", "kseq2seq"),
}
BATCH_SIZE = 128
NUM_BUCKETS = 24
SIZES = {"units": 512, "embedding_dim": 256, "dropout": 0.5}
ATTENTION_UNITS = 1024
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True, kw_only=True)
class Captions:
    """All training captions as ids, without END.

    Attributes
    ----------
    sources, targets : RaggedIds
    vocabulary_sizes : pair of int
        Of the sources and of the targets.
    """

    sources: RaggedIds
    targets: RaggedIds
    vocabulary_sizes: tuple[int, int]

    @classmethod
    def load(cls, folder: Path) -> Captions:
        """Read Multi30k's training captions."""
        texts = load_pairs(folder / "train.de.gz", folder / "train.en.gz")
        (source, sources), (target, targets) = (
            SequenceCodec.learn(
                "captions", side, tokenizer="word", lowercase=True, min_frequency=2
            )
            for side in texts
        )
        sizes = len(source.vocabulary), len(target.vocabulary)
        return cls(sources=sources, targets=targets, vocabulary_sizes=sizes)

    def num_target_tokens(self, groups: Sequence[np.ndarray]) -> int:
        """Return how many tokens the targets of these rows have, END included."""
        return sum(int((self.targets.lengths[rows] + 1).sum()) for rows in groups)


@dataclass(frozen=True)
class Portion:
    """What a round takes of a length bucket.

    Attributes
    ----------
    rows : numpy.ndarray
    widths : pair of int
        Of the whole bucket's sources and targets, END included.
    """

    rows: np.ndarray
    widths: tuple[int, ...]


def spread(rows: np.ndarray, number: int) -> np.ndarray:
    """Return so many of the rows, at even distances; all if there are no more."""
    number = min(number, len(rows))
    return rows[np.arange(number) * len(rows) // number]


def bucket_portions(captions: Captions, num_pairs: int) -> list[Portion]:
    """Return whole batches of the length buckets of all captions."""
    from kseq2seq.batching.lengths import group_by_length

    lengths = captions.sources.lengths, captions.targets.lengths
    groups = group_by_length(lengths, NUM_BUCKETS, batch_size=BATCH_SIZE)
    boxes = [tuple(int(side[rows].max()) + 1 for side in lengths) for rows in groups]
    order = sorted(range(len(groups)), key=lambda g: boxes[g][::-1])
    batch_numbers = np.repeat(order, [len(groups[g]) // BATCH_SIZE for g in order])
    taken = spread(batch_numbers, max(round(num_pairs / BATCH_SIZE), 1))
    return [
        Portion(spread(groups[g], number * BATCH_SIZE), boxes[g])
        for g, number in zip(*np.unique(taken, return_counts=True), strict=True)
    ]


def sorted_batches(captions: Captions, num_pairs: int) -> list[np.ndarray]:
    """Return batches of captions that are next to each other in length.

    By the targets first: their padding costs more than that of the sources.
    """
    order = np.lexsort((captions.sources.lengths, captions.targets.lengths))
    num_batches = len(order) // BATCH_SIZE
    batches = order[: num_batches * BATCH_SIZE].reshape(-1, BATCH_SIZE)
    return list(spread(batches, max(round(num_pairs / BATCH_SIZE), 1)))


def train_kseq2seq(
    worker: Worker,
    *,
    captions: Captions,
    portions: Sequence[Portion],
    bfloat16: bool,
) -> None:
    """Train as the estimator does."""
    worker.import_keras("kseq2seq.training", "kseq2seq.builders")
    if bfloat16:
        import keras

        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    from kseq2seq.batching import BucketedBatches
    from kseq2seq.batching.buckets import PairBucket
    from kseq2seq.builders import build_attention_seq2seq
    from kseq2seq.training import (
        MaskedCrossentropy,
        TeacherForcedAccuracy,
        fit_batches,
        make_optimizer,
    )

    model = build_attention_seq2seq(
        *captions.vocabulary_sizes,
        **SIZES,
        encoder_units=2 * SIZES["units"],
        cell="gru",
        bidirectional=True,
        attention="additive",
        attention_units=ATTENTION_UNITS,
        random_state=0,
    ).training
    worker.facts["parameters"] = model.count_params()
    sides = captions.sources, captions.targets
    buckets = [
        PairBucket(*sides, one.rows, np.ones(len(one.rows)), one.widths)
        for one in portions
    ]
    with redirect_stdout(ProgressWatch(worker.first)):
        fit_batches(
            model,
            BucketedBatches(
                buckets, [BATCH_SIZE] * len(buckets), shuffle=True, random_state=0
            ),
            optimizer=make_optimizer("adam", learning_rate=0.001, clip_norm=1.0),
            loss=MaskedCrossentropy(LABEL_SMOOTHING),
            metrics=[TeacherForcedAccuracy()],
            epochs=ENDLESS,
            callbacks=[epoch_clock(worker)],
            verbose=1,
        )


def train_torch(
    worker: Worker,
    *,
    captions: Captions,
    batches: Sequence[np.ndarray],
    tutorial: bool,
    bfloat16: bool,
) -> None:
    """Train with PyTorch: the same model, or the tutorial's."""
    worker.import_torch()
    from benchmarks.peers import torch_translation as peer

    source_size, target_size = captions.vocabulary_sizes
    sizes: dict[str, Any] = {
        "source_size": source_size,
        "target_size": target_size,
        **SIZES,
    }
    model = (
        peer.TorchTutorial(**sizes)
        if tutorial
        else peer.TorchTranslator(**sizes, attention_units=ATTENTION_UNITS)
    )
    worker.facts["parameters"] = sum(p.numel() for p in model.parameters())
    training = peer.TranslationTraining(
        model,
        captions.sources,
        captions.targets,
        batches,
        label_smoothing=LABEL_SMOOTHING,
        bfloat16=bfloat16,
    )
    while worker.wait():
        training.epoch(after_batch=worker.first)
        worker.report()


def contenders(
    captions: Captions, num_pairs: int, *, bfloat16: bool
) -> list[Contender]:
    """Return the contenders, which are measured in turn."""
    portions = bucket_portions(captions, num_pairs)
    batches = sorted_batches(captions, num_pairs)
    ours = Contender(
        name="kseq2seq",
        work=train_kseq2seq,
        options={"captions": captions, "portions": portions, "bfloat16": bfloat16},
        items=captions.num_target_tokens([one.rows for one in portions]),
    )
    peers = [
        Contender(
            name=name,
            work=train_torch,
            options={
                "captions": captions,
                "batches": batches,
                "tutorial": tutorial,
                "bfloat16": bfloat16,
            },
            items=captions.num_target_tokens(batches),
        )
        for name, tutorial in (("torch eager", False), ("torch tutorial", True))
    ]
    return [ours, *peers]


def figures(measured: dict[str, Measured]) -> dict[str, Any]:
    """Return the ratios, and each contender's tokens a second and size.

    Raises
    ------
    RuntimeError
        When PyTorch's model is not of the size of ours.
    """
    sizes = {name: one.facts["parameters"] for name, one in measured.items()}
    if sizes["torch eager"] != sizes["kseq2seq"]:
        raise RuntimeError(f"the two models must have as many parameters; got {sizes}.")
    return {
        **ratios(measured, RATIOS),
        "target_tokens_per_second": {
            name: round(1 / one.seconds_per_item) for name, one in measured.items()
        },
        "parameters": sizes,
    }


def main() -> None:
    """Measure and print."""
    parser = make_parser(__doc__, rounds=5)
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--pairs", type=int, default=5120)
    parser.add_argument("--bfloat16", action="store_true")
    settings = parser.parse_args()
    captions = Captions.load(settings.data)
    del settings.data  # a path says nothing of what was measured
    measured = measure(
        contenders(captions, settings.pairs, bfloat16=settings.bfloat16),
        rounds=settings.rounds,
        warmup=settings.warmup,
        threads=settings.threads,
    )
    print_report(figures(measured), measured, settings)


if __name__ == "__main__":
    main()
