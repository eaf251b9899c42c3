# What mypy has to know of scikit-learn, which has no types: the classes that are
# subclassed here. Everything else is Any.
from typing import Any

def __getattr__(name: str) -> Any: ...
