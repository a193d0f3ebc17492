"""Catalog resource: styles, and qualities with their prices."""

from litestar import Controller, get
from litestar.di import NamedDependency

from plushify_core import Catalog, Quality
from plushify_core.ports import Capabilities
from plushify_web.api.schemas import CatalogBody, LimitsBody, ModelBody, QualityBody, StyleBody
from plushify_web.settings import Settings

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp")
"""Media types for the file dialog of the page. The codec decides by the bytes of the upload."""


class CatalogController(Controller):
    """Catalog of styles and qualities."""

    path = "/catalog"
    tags = ("catalog",)

    @get(operation_id="getCatalog", summary="Return the catalog")
    async def show(
        self,
        catalog: NamedDependency[Catalog],
        settings: NamedDependency[Settings],
        capabilities: NamedDependency[Capabilities],
    ) -> CatalogBody:
        """Return the styles, the qualities with their prices in credits, the limits of uploads, and the image model."""
        return CatalogBody(
            styles=[StyleBody.of(style) for style in catalog.styles],
            qualities=[_quality(quality, catalog, capabilities) for quality in catalog.qualities],
            limits=LimitsBody(
                max_upload_bytes=settings.max_upload_bytes,
                max_pixels=settings.max_pixels,
                timeout_s=settings.generation_timeout_s,
                undo_delete_s=settings.undo_delete_s,
                media_types=MEDIA_TYPES,
            ),
            model=ModelBody(
                name=capabilities.name,
                title=capabilities.title,
                preview=capabilities.preview,
                largest_side=capabilities.largest_side_px,
            ),
            free_credits=settings.free_credits,
            buy_credits_url=settings.buy_credits_url,
        )


def _quality(quality: Quality, catalog: Catalog, capabilities: Capabilities) -> QualityBody:
    available = quality.longest_side_px <= capabilities.largest_side_px
    return QualityBody(
        id=quality.id,
        name=quality.name,
        pixels=quality.longest_side_px,
        credit_multiplier=quality.credit_multiplier,
        price=catalog.price(quality),
        available=available,
        reason=None
        if available
        else f"{capabilities.title} draws at most {capabilities.largest_side_px} px on the longest side.",
    )
