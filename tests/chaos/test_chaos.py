"""Small storm at each site. `nox -s chaos` runs larger ones."""

from pathlib import Path

import pytest

from tests.chaos.run import run

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("chaos")]


@pytest.mark.parametrize(("site", "generations", "kills"), [("cluster", 20, 3), ("machine", 10, 1)])
async def test_nothing_is_lost_in_a_small_storm(site: str, generations: int, kills: int, tmp_path: Path) -> None:
    """All promises hold while replicas are killed under load and the database, the blob store and the disk fail."""
    result = await run(site, tmp_path, seed=1, generations=generations, kills=kills, spacing_s=0.5)

    assert result.violations == []
