"""`Literal` at run time: accepts any value of the type, because a newer server may send new values."""

from typing import Any, cast


class Literal:
    """`Literal["a", "b"]` decodes as `str`; only type checkers see the values."""

    def __class_getitem__(cls, values: Any) -> Any:
        """Return the type of the values."""
        first: Any = cast("tuple[Any, ...]", values)[0] if isinstance(values, tuple) else values
        return cast("Any", type(first))
