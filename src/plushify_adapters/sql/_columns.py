"""Column types that return the stored value unchanged on both databases, and a function for the day of a time."""

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
"""Type of user ids. They are compared byte by byte, so their order is the same on both databases and in Python."""


class UtcDateTime(TypeDecorator[datetime]):
    """Time with a time zone, to the microsecond. It is stored in UTC, because SQLite stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert the time to UTC.

        Raises:
            ValueError: the time has no time zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC, whether or not the database stored its time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonStruct(TypeDecorator[msgspec.Struct]):
    """Struct of the type `struct`, stored as JSON."""

    impl = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
    cache_ok = True

    def __init__(self, struct: type[msgspec.Struct]) -> None:
        super().__init__()
        self.struct = struct

    def process_bind_param(self, value: msgspec.Struct | None, dialect: Dialect) -> Any:
        """Convert the Struct to values that JSON can hold."""
        return msgspec.to_builtins(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> msgspec.Struct | None:
        """Convert the stored value to the Struct, and validate its types and invariants."""
        return None if value is None else msgspec.convert(value, self.struct)


def enum(members: type[StrEnum]) -> Enum:
    """Return a type that stores the value of a StrEnum as text. A new member needs no migration."""
    return Enum(
        members,
        native_enum=False,
        create_constraint=False,
        length=16,
        values_callable=lambda kind: [member.value for member in kind],
    )


class UtcDay(FunctionElement[date]):
    """SQL function that returns the day of a time, in UTC."""

    type = Date()
    inherit_cache = True


@compiles(UtcDay, "sqlite")
def _sqlite_utc_day(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date({compiler.process(element.clauses, **options)})"


@compiles(UtcDay, "postgresql")
def _postgresql_utc_day(element: UtcDay, compiler: SQLCompiler, **options: Any) -> str:
    return f"date(timezone('UTC', {compiler.process(element.clauses, **options)}))"
