"""Logging of the standard library, formatted by structlog for people or for programs."""

import logging.config
import sys
from typing import Any, Literal

import structlog
from structlog.tracebacks import ExceptionDictTransformer


def logging_config(kind: Literal["console", "json"]) -> dict[str, Any]:
    """Return the argument of `logging.config.dictConfig`. The log goes to stderr, because stdout is for results."""
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr", "formatter": "plushify"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plushify": {"()": "plushify_web.logs.formatter", "kind": kind}},
        "handlers": {"stderr": handler},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "plushify_core": {"level": "INFO"},
            "plushify_adapters": {"level": "INFO"},
            "plushify_web": {"level": "INFO"},
            "_granian": {"level": "WARNING"},
            "granian.access": {"level": "INFO"},
        },
    }


def configure_logging(kind: Literal["console", "json"]) -> None:
    """Log to stderr, as text for people or as one JSON object per line."""
    logging.config.dictConfig(logging_config(kind))
    # Libraries that log by structlog, such as stamina, would write to stdout by default.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_common_processors(kind),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def formatter(kind: Literal["console", "json"]) -> logging.Formatter:
    """Return the formatter of this kind. `logging_config` refers to it by name."""
    if kind == "json":
        last: list[structlog.typing.Processor] = [
            # Local variables are left out, because they may contain passwords and keys.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    else:
        last = [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common_processors(kind),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )


def _common_processors(kind: Literal["console", "json"]) -> list[structlog.typing.Processor]:
    """Return the processors of every record, whichever library made it."""
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=kind == "json"),
    ]
