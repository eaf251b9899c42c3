import subprocess
import sys

import keras
import numpy as np
import pytest

from kseq2seq import build_masked_autoencoder

TRAINING_LAYERS = [
    "images",
    "encoder_hidden_1",
    "encoder_hidden_2",
    "latent",
    "decoder_hidden_1",
    "decoder_hidden_2",
    "restored",
]


def small(**settings):
    settings = {"input_size": 6, "hidden_units": 5, "latent_units": 3} | settings
    return build_masked_autoencoder(**{"random_state": 0} | settings)


def images(*shape):
    return np.random.default_rng(1).random(shape).astype("float32")


def as_array(values):
    return keras.ops.convert_to_numpy(values)


def kernels(models):
    return {
        layer.name: as_array(layer.kernel)
        for layer in models.training.layers
        if isinstance(layer, keras.layers.Dense)
    }


@pytest.mark.parametrize("size", [6, (2, 3), [2, 3]])
def test_images_come_and_go_in_the_shape_of_input_size(size):
    models = small(input_size=size)
    shape = (6,) if isinstance(size, int) else (2, 3)
    latent = models.encoder(images(4, *shape))
    assert latent.shape == (4, 3)
    assert models.decoder(latent).shape == (4, *shape)
    restored = models.training.predict(images(4, *shape), verbose=0)
    assert restored.shape == (4, *shape)
    assert restored.min() > 0 and restored.max() < 1


def test_a_picture_is_read_and_written_row_by_row():
    flat, square = small(input_size=6), small(input_size=(2, 3))
    given = images(4, 2, 3)
    np.testing.assert_allclose(
        as_array(square.training(given)).reshape(4, 6),
        as_array(flat.training(given.reshape(4, 6))),
        atol=1e-6,
    )


def test_training_is_the_decoder_after_the_encoder_and_shares_their_weights():
    models = small()
    given = images(4, 6)
    models.training.compile(keras.optimizers.Adam(0.1), loss="mse")
    models.training.fit(given, given, verbose=0)
    np.testing.assert_allclose(
        as_array(models.decoder(models.encoder(given))),
        as_array(models.training(given)),
        atol=1e-6,
    )
    halves = models.encoder.weights + models.decoder.weights
    assert {id(weight) for weight in halves} == {
        id(weight) for weight in models.training.weights
    }


def test_layers_have_names_and_activations():
    models = small()
    assert [layer.name for layer in models.training.layers] == TRAINING_LAYERS
    activations = [
        keras.activations.serialize(layer.activation)
        for layer in models.training.layers[1:]
    ]
    assert activations == [
        *("relu", "relu", "linear"),
        *("leaky_relu", "leaky_relu", "sigmoid"),
    ]
    slope = models.training.get_layer("decoder_hidden_1").activation
    np.testing.assert_allclose(as_array(slope(np.array([-1.0, 2.0]))), [-0.2, 2.0])


def test_the_models_compute_what_the_equations_say():
    models = small()
    given = images(4, 6)
    weights = [as_array(weight) for weight in models.training.weights]
    values = given
    for i, (kernel, bias) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        values = values @ kernel + bias
        if i < 2:
            values = np.maximum(values, 0)
        elif i in (3, 4):
            values = np.where(values < 0, 0.2 * values, values)
    expected = 1 / (1 + np.exp(-values))
    np.testing.assert_allclose(as_array(models.training(given)), expected, atol=1e-6)


def test_each_hidden_layer_may_have_its_own_width():
    models = small(hidden_units=(5, 4, 2), num_hidden_layers=3)
    widths = [kernel.shape[1] for kernel in kernels(models).values()]
    assert widths == [5, 4, 2, 3, 2, 4, 5, 6]


def test_the_same_seed_gives_the_same_weights_and_each_layer_its_own():
    settings = {"input_size": 5, "hidden_units": 5, "latent_units": 5}
    first, again = kernels(small(**settings)), kernels(small(**settings))
    other = kernels(small(**settings, random_state=1))
    for name, kernel in first.items():
        np.testing.assert_array_equal(kernel, again[name])
        assert not np.array_equal(kernel, other[name])
    alike = [
        np.array_equal(kernel, first[name])
        for kernel in first.values()
        for name in first
    ]
    assert sum(alike) == len(first)


def test_an_initializer_with_a_seed_keeps_it():
    initializer = keras.initializers.GlorotUniform(seed=3)
    settings = {"input_size": 5, "hidden_units": 5, "latent_units": 5}
    first, *others = kernels(small(**settings, kernel_initializer=initializer)).values()
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_it_restores_what_is_hidden_in_images_never_seen():
    rng = np.random.default_rng(0)
    patterns = rng.random((4, 6, 6))
    shares = rng.dirichlet([0.3] * 4, size=700)
    whole = np.einsum("np,phw->nhw", shares, patterns).astype("float32")
    masked = whole.copy()
    masked[:, :, :3] = 0
    models = build_masked_autoencoder((6, 6), 32, latent_units=8, random_state=0)
    models.training.compile(keras.optimizers.Adam(0.005), loss="mse")
    models.training.fit(masked[:600], whole[:600], epochs=40, verbose=0, shuffle=False)
    restored = models.training.predict(masked[600:], verbose=0)
    hidden = np.s_[:, :, :3]
    error = np.square(restored - whole[600:])[hidden].mean()
    of_the_mean = np.square(whole[:600].mean(axis=0) - whole[600:])[hidden].mean()
    assert error < of_the_mean / 10


@pytest.mark.parametrize("size", [6, (2, 3)])
def test_keras_alone_saves_and_loads_it(size, tmp_path):
    models = small(input_size=size)
    given = images(4, 6) if size == 6 else images(4, 2, 3)
    for model in (models.training, models.encoder):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(
            loaded.predict(given, verbose=0), model.predict(given, verbose=0)
        )
        with pytest.raises(ValueError, match="images must be of shape"):
            loaded.predict(given[:, :1], verbose=0)


def test_a_fresh_process_loads_it(tmp_path):
    model = small().training
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images(4, 6))
    code = (
        "import keras, numpy as np, kseq2seq.layers\n"
        "model = keras.saving.load_model('model.keras')\n"
        "np.save('out.npy', model.predict(np.load('images.npy'), verbose=0))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    expected = model.predict(images(4, 6), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


WAYS = {
    "fit": lambda model, given: model.fit(given, given, verbose=0),
    "evaluate": lambda model, given: model.evaluate(given, given, verbose=0),
    "predict": lambda model, given: model.predict(given, verbose=0),
    "call": lambda model, given: model(given),
}


@pytest.mark.parametrize("way", WAYS)
def test_images_of_another_size_are_our_error_and_the_model_works_on(way):
    model = small().training
    model.compile("adam", loss="mse")
    for _ in range(2):  # before and after Keras has traced images that fit
        with pytest.raises(ValueError) as caught:
            WAYS[way](model, images(4, 7))
        assert str(caught.value) == (
            "images must be of shape (batch, 6); got (4, 7). Bring them to that size, "
            "or build the models for this one."
        )
        WAYS[way](model, images(4, 6))


def test_validation_images_are_checked():
    model = small().training
    model.compile("adam", loss="mse")
    good, bad = images(4, 6), images(4, 7)
    with pytest.raises(ValueError, match=r"images must be of shape \(batch, 6\)"):
        model.fit(good, good, validation_data=(bad, bad), verbose=0)


def test_a_dataset_of_another_size_is_our_error():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 1

        def __getitem__(self, index):
            return images(4, 7), images(4, 7)

    model = small().training
    model.compile("adam", loss="mse")
    with pytest.raises(ValueError, match=r"images must be of shape \(batch, 6\)"):
        model.fit(Batches(), verbose=0)


@pytest.mark.parametrize(
    ("size", "shape", "repair"),
    [
        (6, (4, 2, 3), r"Reshape them: images.reshape\(-1, 6\)."),
        ((2, 3), (4, 6), r"Reshape them: images.reshape\(-1, 2, 3\)."),
        ((2, 3), (4, 3, 2), r"Reshape them: images.reshape\(-1, 2, 3\)."),
        ((2, 3), (2, 3), r"A single one needs a batch axis: images\[None\]."),
        (6, (6,), r"A single one needs a batch axis: images\[None\]."),
        (6, (), "Bring them to that size"),
    ],
)
def test_the_error_says_how_to_mend_the_images(size, shape, repair):
    with pytest.raises(ValueError, match=repair):
        small(input_size=size).training.predict(images(*shape), verbose=0)


def test_latent_vectors_of_another_size_are_our_error():
    with pytest.raises(ValueError, match=r"latent must be of shape \(batch, 3\)"):
        small().decoder(images(4, 2))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"input_size": 0}, ValueError, "input_size must be .* at least 1; got 0"),
        ({"input_size": "8"}, TypeError, "input_size must be a whole number"),
        ({"input_size": (8, 0)}, ValueError, "input_size must be .*; got 0"),
        ({"input_size": (8, 8, 3)}, ValueError, r"height and width; got \(8, 8, 3\)"),
        ({"hidden_units": 0}, ValueError, "hidden_units must be .*; got 0"),
        ({"hidden_units": "wide"}, TypeError, "hidden_units must be .* 'wide'"),
        ({"hidden_units": (5, 0)}, ValueError, "hidden_units must be .*; got 0"),
        ({"hidden_units": (5, 4, 3)}, ValueError, "num_hidden_layers=2 says; got 3"),
        ({"latent_units": 2.5}, TypeError, "latent_units must be .*; got 2.5"),
        ({"num_hidden_layers": 0}, ValueError, "num_hidden_layers must be .*; got 0"),
        ({"kernel_initializer": "glorot"}, ValueError, "kernel_initializer must be"),
        ({"random_state": -1}, ValueError, "random_state must be .*; got -1"),
    ],
    ids=str,
)
def test_bad_arguments_are_named(settings, error, message):
    with pytest.raises(error, match=message):
        small(**settings)
