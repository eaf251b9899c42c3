from typing import Any

class Layer:
    name: str
    built: bool
    trainable: bool
    dtype: Any
    compute_dtype: str
    supports_jit: bool
    supports_masking: bool
    input_spec: Any
    losses: list[Any]
    variables: list[Any]
    trainable_variables: list[Any]
    non_trainable_variables: list[Any]
    weights: list[Any]
    trainable_weights: list[Any]
    non_trainable_weights: list[Any]
    def __init__(
        self,
        *,
        activity_regularizer: Any = ...,
        trainable: bool = ...,
        dtype: Any = ...,
        autocast: bool = ...,
        name: str | None = ...,
        **kwargs: Any,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def add_weight(
        self,
        shape: tuple[int | None, ...] | None = ...,
        initializer: Any = ...,
        dtype: Any = ...,
        trainable: bool = ...,
        *,
        name: str | None = ...,
    ) -> Any: ...
    def build(self, *args: Any, **kwargs: Any) -> None: ...
    def call(self, *args: Any, **kwargs: Any) -> Any: ...
    def compute_mask(self, *args: Any, **kwargs: Any) -> Any: ...
    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any: ...
    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any: ...
    def count_params(self) -> int: ...
    def get_weights(self) -> list[Any]: ...
    def set_weights(self, weights: Any) -> None: ...
    def get_config(self) -> dict[str, Any]: ...
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any: ...

class Dense(Layer):
    units: int
    def __init__(self, units: Any, **kwargs: Any) -> None: ...

class Dropout(Layer):
    rate: float
    seed: int | None
    seed_generator: Any
    def __init__(
        self, rate: float, *, seed: int | None = ..., **kwargs: Any
    ) -> None: ...

class Embedding(Layer):
    input_dim: int
    output_dim: int
    embeddings: Any
    def __init__(self, input_dim: int, output_dim: int, **kwargs: Any) -> None: ...

class RNN(Layer):
    cell: Any
    go_backwards: bool
    return_sequences: bool
    return_state: bool
    def __init__(self, cell: Any, **kwargs: Any) -> None: ...
    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = ...
    ) -> tuple[Any, Any, list[Any]]: ...

class SimpleRNN(RNN):
    def __init__(self, units: int, **kwargs: Any) -> None: ...

class GRU(RNN):
    def __init__(self, units: int, **kwargs: Any) -> None: ...

class LSTM(RNN):
    def __init__(self, units: int, **kwargs: Any) -> None: ...

def __getattr__(name: str) -> Any: ...
