"""The names and shapes of a model's weights, known before anything is built.

What reads a model file asks here, so that no file makes a model larger than its arrays.
Every builder's models are held to it by a test.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kseq2seq.builders.architecture import Architecture, EncoderArchitecture
from kseq2seq.layers import CellKind

Shape = tuple[int, ...]
Shapes = Iterator[tuple[str, Shape]]


def seq2seq_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return the shape of each weight of an encoder and a decoder, by its path.

    Cell and attention must be of kinds that are known by name.
    """
    decoder_width = architecture.units
    shapes = dict(_encoder(architecture))
    bridges = architecture.encoder_width != decoder_width or architecture.bridge
    for i in range(1, architecture.num_layers + 1 if bridges else 1):
        for name in architecture.state_names:
            shapes |= _dense(
                f"bridge_{name}_{i}", architecture.encoder_width, decoder_width
            )
    width = decoder_width
    if architecture.decoder != "repeat":
        width, embedding = _read(architecture, "target")
        shapes |= embedding
    width += architecture.decoder_features or 0
    if architecture.input_feeding:
        width += architecture.output_width
    shapes |= _recurrent(architecture, "decoder", width)
    shapes |= _attention(architecture)
    if architecture.target_features is not None:
        size = architecture.target_features * (1 + len(architecture.quantiles or ()))
        shapes |= _dense("values", architecture.output_width, size)
    elif not architecture.tied_embeddings:
        size = architecture.target_vocabulary_size or 0
        shapes |= _dense("logits", architecture.output_width, size)
    if architecture.copies:
        seen = architecture.encoder_width + decoder_width
        if architecture.is_monotonic:
            seen = architecture.output_width
        shapes |= _dense("copy_switch", seen, 1)
    return shapes


def classifier_shapes(
    architecture: EncoderArchitecture, num_classes: int
) -> dict[str, Shape]:
    """Return the shape of each weight of a classifier, by its path."""
    width = architecture.encoder_width
    return dict(_encoder(architecture)) | dict(_dense("logits", width, num_classes))


def _encoder(architecture: EncoderArchitecture) -> Shapes:
    width, embedding = _read(architecture, "source")
    yield from embedding.items()
    yield from _recurrent(architecture, "encoder", width)


def _read(architecture: EncoderArchitecture, side: str) -> tuple[int, dict[str, Shape]]:
    """Return the width of what a side's first layer reads, and its weights."""
    features = getattr(architecture, f"{side}_features")
    if features is not None:
        return features, {}
    size = getattr(architecture, f"{side}_vocabulary_size")
    how = getattr(architecture, f"{side}_embedding")
    if isinstance(how, str) and how == "one_hot":
        return size, {}
    width = architecture.embedding_width
    if isinstance(how, np.ndarray):
        width = how.shape[1]
    return width, {f"{side}_embedding/embeddings": (size, width)}


def _recurrent(architecture: EncoderArchitecture, side: str, width: int) -> Shapes:
    """Yield the weights of a side's recurrent layers; `width` is what they read."""
    kind = architecture.cell_kind
    if kind is None:
        raise ValueError("the weights of a cell of one's own are not known")
    units = architecture.units if side == "decoder" else architecture.encoder_width
    attends = isinstance(architecture, Architecture) and architecture.attention
    halves = side == "encoder" and architecture.bidirectional
    for i in range(1, architecture.num_layers + 1):
        name = f"{side}_{kind.name}_{i}"
        prefixes = [f"{name}/forward_{name}", f"{name}/backward_{name}"]
        for prefix in prefixes if halves else [name]:
            yield from _cell(kind, prefix, width, units // 2 if halves else units)
        is_read = side == "decoder" or i < architecture.num_layers or attends
        if architecture.layer_normalization and is_read:  # what none reads is no part
            yield f"{side}_norm_{i}/gamma", (units,)
            yield f"{side}_norm_{i}/beta", (units,)
        width = units


def _cell(kind: CellKind, prefix: str, width: int, units: int) -> Shapes:
    gates = kind.num_gates * units
    path = f"{prefix}/{kind.cell_name}"
    yield f"{path}/kernel", (width, gates)
    yield f"{path}/recurrent_kernel", (units, gates)
    yield f"{path}/bias", kind.bias_shape(gates)


def _attention(architecture: Architecture) -> Shapes:
    """Yield the weights of attention, if there is any."""
    kind = architecture.attention_kind
    if kind is None:
        return
    units, width = architecture.units, architecture.encoder_width
    compared = units if kind.reads_keys else width
    if kind.always_projects or compared != units:
        yield from _dense("attention_query", units, compared, bias=kind.query_bias)
    if kind.reads_keys:
        yield from _dense("attention_keys", width, units, bias=False)
    if kind.has_kernel:
        yield "attention/scale", (compared, 1)
    read = architecture.output_width
    if kind.is_monotonic:
        yield from _dense("attention_places", width, read, bias=False)
        yield from _dense("attention_vector", units, read)
    else:
        yield from _dense("attention_vector", width + units, read)


def _dense(name: str, inputs: int, outputs: int, *, bias: bool = True) -> Shapes:
    yield f"{name}/kernel", (inputs, outputs)
    if bias:
        yield f"{name}/bias", (outputs,)
