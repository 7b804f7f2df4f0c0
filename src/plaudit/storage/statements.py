"""Statements that are alike for all tables, built from the names and types of their columns.

Each statement takes its rows as one parameter per column, which `unnest` turns back into rows. The order of a table's
columns is written in one place, so a row, its parameters and its statement agree. Other statements are in `.sql` files.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from .postgres import array_literal

SEPARATOR = "\x1e"  # which neither ids nor JSON can contain


def join_texts(texts: Iterable[str | None]) -> str:
    """Return strings joined into one; None counts as empty."""
    return SEPARATOR.join([text or "" for text in texts])


def none_if_all_null(column: Iterable[Any]) -> list[Any] | None:
    """Return the column as a list, or None if all values are null."""
    values = list(column)
    return values if any(values) else None


class ColumnType(Struct, frozen=True):
    """A type of columns. `encode` turns values into one parameter, which `array` decodes in SQL.

    The driver takes longer to check each item of a list than to send it, so most types are sent as one text. `cast` is
    appended where a column is set, if `array` yields strings.
    """

    name: str
    encode: Callable[[Iterable[Any]], Any] = list
    array: str = "${number}::{name}[]"
    cast: str = ""


SMALLINT = ColumnType("smallint", array_literal, "${number}::text::smallint[]")
INTEGER = ColumnType("integer", array_literal, "${number}::text::integer[]")
BIGINT = ColumnType("bigint", array_literal, "${number}::text::bigint[]")
UUID = ColumnType("uuid", array_literal, "${number}::text::uuid[]")
ID = ColumnType("text", join_texts, r"string_to_array(${number}, E'\x1e')")  # never null, nor empty
JSON = ColumnType("json", join_texts, r"string_to_array(${number}, E'\x1e', '')", "::json")
TIME = ColumnType("timestamptz", none_if_all_null)
# Sent as lists, since values can be null or contain any character.
TEXT = ColumnType("text")
BIGINT_OR_NULL = ColumnType("bigint")
SMALLINT_OR_NULL = ColumnType("smallint")
UUID_OR_NULL = ColumnType("uuid")
BOOLEAN = ColumnType("boolean")


class Column(Struct, frozen=True):
    """A column of a table."""

    name: str
    type: ColumnType


class Table:
    """A table, or the columns of it that are written together. The first `key` columns identify a row."""

    def __init__(self, name: str, columns: Sequence[Column], key: int = 0) -> None:
        self.name = name
        self.columns = tuple(columns)
        self.key = key
        self.names = tuple(column.name for column in columns)
        self._encoders = tuple(column.type.encode for column in columns)

    @classmethod
    def of(cls, name: str, key: int = 0, /, **types: ColumnType) -> "Table":
        """Return a table with columns of these names and types, in this order."""
        return cls(name, [Column(column, type_) for column, type_ in types.items()], key)

    @property
    def keys(self) -> "Table":
        """Return the key columns alone."""
        return Table(self.name, self.columns[: self.key], self.key)

    def only(self, *names: str) -> "Table":
        """Return the key columns and those named, in the table's order."""
        rest = [column for column in self.columns[self.key :] if column.name in names]
        return Table(self.name, [*self.columns[: self.key], *rest], self.key)

    def also(self, **types: ColumnType) -> "Table":
        """Return the table with further columns at the end."""
        return Table(self.name, [*self.columns, *Table.of(self.name, **types).columns], self.key)

    def row(self, **values: Any) -> tuple[Any, ...]:
        """Return a row of values by their columns' names. Raise ValueError if a column is missing, or unknown."""
        if len(values) != len(self.names) or not all(name in values for name in self.names):
            raise ValueError(f"wrong columns of {self.name}: {', '.join(sorted(values.keys() ^ set(self.names)))}")
        return tuple([values[name] for name in self.names])

    def parameters(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the columns of rows as parameters of a statement, even if there are no rows."""
        columns: Iterable[Sequence[Any]] = zip(*rows, strict=True) if rows else ((),) * len(self.names)
        return [encode(values) for encode, values in zip(self._encoders, columns, strict=True)]


def insert(table: Table) -> str:
    """Return the statement that inserts rows."""
    return f"INSERT INTO {table.name} ({_list(table.names)}) SELECT {_decoded(table)} FROM {unnested(table)}"


def upsert(table: Table, *changed: str) -> str:
    """Return the statement that inserts rows, or updates these columns (by default all) of existing rows."""
    names = changed or table.names[table.key :]
    changes = _list(f"{name} = excluded.{name}" for name in names)
    return f"{insert(table)} ON CONFLICT ({_list(table.keys.names)}) DO UPDATE SET {changes}"


def update(table: Table, first: int = 1) -> str:
    """Return the statement that updates all columns but the key. Its parameters are numbered from `first`."""
    changes = _list(f"{column.name} = rows.{column.name}{column.type.cast}" for column in table.columns[table.key :])
    return f"UPDATE {table.name} SET {changes} FROM {unnested(table, first)} WHERE {_matched(table)}"


def delete(table: Table) -> str:
    """Return the statement that deletes rows by their keys."""
    return f"DELETE FROM {table.name} USING {unnested(table.keys)} WHERE {_matched(table)}"


def update_all(tables: Sequence[Table]) -> str:
    """Return one statement that updates rows of several tables. It takes the parameters of each table in turn."""
    first, updates = 1, list[str]()
    for table in tables:
        updates.append(update(table, first))
        first += len(table.columns)
    others = (f"{table.name}_now AS ({statement})" for table, statement in zip(tables, updates[:-1], strict=False))
    return f"WITH {_list(others)} {updates[-1]}"


def select_of_members(table: str, columns: Iterable[str]) -> str:
    """Return the query for rows of members, by two arrays of buckets and ids. `number` is the member's index, from 1."""
    return (
        f"SELECT number, {_list(columns)} FROM unnest($1::text::smallint[], $2::text::uuid[]) "
        f"WITH ORDINALITY AS wanted (bucket, member_id, number) JOIN {table} USING (bucket, member_id)"
    )


def _list(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _decoded(table: Table) -> str:
    return _list(f"{column.name}{column.type.cast}" for column in table.columns)


def unnested(table: Table, first: int = 1) -> str:
    """Return an item of FROM that yields the rows in the parameters, which are numbered from `first`."""
    arrays = _list(
        column.type.array.format(number=number, name=column.type.name)
        for number, column in enumerate(table.columns, first)
    )
    return f"unnest({arrays}) AS rows ({_list(table.names)})"


def _matched(table: Table) -> str:
    return " AND ".join(f"{table.name}.{name} = rows.{name}" for name in table.keys.names)
