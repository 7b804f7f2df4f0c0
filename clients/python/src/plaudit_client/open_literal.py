"""`Literal` as it is at run time: any value of the type, because a newer server may send values that are new."""

from typing import Any, cast


class Literal:
    """`Literal["a", "b"]` is `str` for whoever decodes it; type checkers see the values."""

    def __class_getitem__(cls, values: Any) -> Any:
        """Return the type of the values."""
        first: Any = cast("tuple[Any, ...]", values)[0] if isinstance(values, tuple) else values
        return cast("Any", type(first))
