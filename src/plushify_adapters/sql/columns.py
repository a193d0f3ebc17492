"""Column types that give back what was put in, on every database."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import JSON, Date, DateTime, Dialect, Enum, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

USER_ID = Text().with_variant(Text(collation="C"), "postgresql")
"""Compared by its bytes, so that the order of users is the same on every database and in Python."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, to the microsecond. SQLite keeps no time zone, so what is stored is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To UTC; a time without a zone is a mistake of the program."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """With its zone, whether the database kept it or not."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonStruct(TypeDecorator[msgspec.Struct]):
    """A msgspec Struct of type `struct`, as JSON."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        super().__init__()
        self.struct = struct

    def process_bind_param(self, value: msgspec.Struct | None, dialect: Dialect) -> Any:
        """To what JSON can hold."""
        return msgspec.to_builtins(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> msgspec.Struct | None:
        """To the Struct, its types and invariants checked."""
        return None if value is None else msgspec.convert(value, self.struct)


def enum(members: type[StrEnum]) -> Enum:
    """A StrEnum by its values, as text: a new member needs no migration."""
    return Enum(
        members,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda kind: [member.value for member in kind],
    )


class UtcDay(FunctionElement[date]):
    """The day of a moment, in UTC."""

    type = Date()
    inherit_cache = True


@compiles(UtcDay, "sqlite")
def _sqlite_utc_day(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"


@compiles(UtcDay, "postgresql")
def _postgresql_utc_day(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date(timezone('UTC', {compiler.process(element.clauses, **options)}))"
