"""Messages of the errors that an operator can cause or meet."""

import logging


def expected_error(error: BaseException) -> tuple[str, int] | None:
    """Return the message and the exit code of an expected error; None for a bug, whose traceback is needed.

    This is the only place that decides how a command reports an error.
    """
    from plushify_core import PlushifyError, WrongStorage
    from plushify_web.preflight import wrong_storage_message
    from plushify_web.settings import SettingsError

    match error:
        case BaseExceptionGroup():
            return next(filter(None, map(expected_error, error.exceptions)), None)
        case SettingsError():
            return str(error), 2
        case PlushifyError():
            return error.message, 1
        case WrongStorage():
            return wrong_storage_message(error), 1
        case UnicodeEncodeError():
            return f"This text is not UTF-8: {error.object!a}.", 2
        case ModuleNotFoundError() if error.name and not error.name.startswith("plushify"):
            return f"The package {error.name} is not installed: install plushify[all].", 1

    from plushify_web.adapter_errors import (
        database_error_message,
        os_error_message,
        raised_below,
        storage_error_message,
    )

    if (message := database_error_message(error)) is not None:
        message = f"The database: {message}"
    elif (message := storage_error_message(error)) is not None:
        message = f"The storage: {message}"
    elif isinstance(error, OSError):
        message = os_error_message(error)
        if isinstance(error, BrokenPipeError) or (error.filename is None and raised_below("plushify_web.cli", error)):
            message = f"The result could not be printed: {message}"
    return None if message is None else (f"{message.strip().rstrip('.')}.", 1)


class WithoutExpectedTracebacks(logging.Filter):
    """Replaces the traceback of an expected error in the log by its message. The traceback of a bug stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True, because no record is left out."""
        error = record.exc_info[1] if record.exc_info else None
        found = expected_error(error) if error is not None else None
        if found is not None:
            record.msg, record.args = f"{record.getMessage()}: {found[0]}", ()
            record.exc_info = record.exc_text = None
        return True
