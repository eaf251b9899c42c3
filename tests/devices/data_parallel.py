"""Train as one of several JAX processes; print the history and the weights' sum.

Run with the process's number, how many there are, and the port of the first. Each
feeds its own shard of the pairs.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
rank, num_processes, port = map(int, sys.argv[1:])

import jax  # noqa: E402

jax.config.update("jax_platforms", "cpu")
import keras  # noqa: E402
import numpy as np  # noqa: E402

if num_processes > 1:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{port}", num_processes, rank)
    data_parallel = keras.distribution.DataParallel(auto_shard_dataset=False)
    keras.distribution.set_distribution(data_parallel)

from kseq2seq import build_attention_seq2seq  # noqa: E402
from kseq2seq.batching import Batches  # noqa: E402
from kseq2seq.training import MaskedCrossentropy, fit_batches  # noqa: E402

rows = np.random.default_rng(0).integers(4, 9, size=(64, 4))
shard = rows[rank::num_processes]
models = build_attention_seq2seq(9, 9, units=16, random_state=0)
history = fit_batches(
    models.training,
    Batches(shard, shard[:, ::-1], batch_size=16 // num_processes, shuffle=False),
    optimizer=keras.optimizers.SGD(0.5),
    loss=MaskedCrossentropy(),
    epochs=3,
)
total = sum(float(np.abs(weight).sum()) for weight in models.training.get_weights())
print(json.dumps([history, total]))
