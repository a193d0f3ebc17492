"""Registration of the suites for pytest's assertion rewriting, so that a failing assertion shows its values.

The package imports this module before the suites, because pytest rewrites a module only while importing it.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__package__}.{suite}" for suite in ("accounts", "blobs", "codec", "events", "model", "store"))
)
