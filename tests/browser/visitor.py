"""A page object: what a visitor does on the page, and where the page shows the results."""

import base64
import itertools
from dataclasses import dataclass
from typing import Self

import pyvips
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.server import Server

PASSWORD = "a teddy with one button eye"

_NUMBERS = itertools.count(1)

_DROP = """(target, {base64, name, type}) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
    target.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
}"""


def photo(width: int = 1200, height: int = 900) -> bytes:
    """Return a JPEG of a round face on a blue background, width × height px."""
    sky = pyvips.Image.black(width, height, bands=3).linear(1, [120, 170, 220])
    radius = min(width, height) // 3
    face = sky.draw_circle([205, 150, 100], width // 2, height // 2, radius, fill=True)
    for side in (-1, 1):
        face = face.draw_circle(
            [40, 25, 20], width // 2 + side * radius // 3, height // 2 - radius // 4, radius // 8, fill=True
        )
    jpeg: bytes = face.cast("uchar").copy(interpretation="srgb").jpegsave_buffer()
    return jpeg


@dataclass(frozen=True)
class Visitor:
    """Person with a browser page and an email address; they may have an account or not."""

    page: Page
    server: Server
    email: str

    @classmethod
    def new(cls, page: Page, server: Server) -> Self:
        """Return a visitor without an account, whose email address no other visitor has."""
        return cls(page, server, f"visitor-{next(_NUMBERS)}@example.org")

    def visit(self, hash: str = "#/create") -> None:
        """Open the page at this hash, and wait until the catalog is shown."""
        self.page.goto(f"{self.server.url}/{hash}")
        expect(self.page.locator("style-choice label")).to_have_count(5)

    def sign_up(self) -> None:
        """Make an account, starting from the button in the header."""
        self.page.get_by_role("button", name="Sign in").first.click()
        self.page.get_by_role("button", name="Make an account").click()
        self.fill_in("Sign up")

    def fill_in(self, button: str, password: str = PASSWORD) -> None:
        """Fill in the open dialog and press its button, "Sign up" or "Sign in"."""
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("dialog").get_by_role("button", name=button).click()

    def drop(self, data: bytes, name: str = "bello.jpg", media_type: str = "image/jpeg") -> None:
        """Drop a file onto the photo picker."""
        file = {"base64": base64.b64encode(data).decode(), "name": name, "type": media_type}
        self.page.locator("photo-picker").evaluate(_DROP, file)

    def choose(self, data: bytes, name: str = "bello.jpg", media_type: str = "image/jpeg") -> None:
        """Choose a file in the file dialog."""
        file = FilePayload(name=name, mimeType=media_type, buffer=data)
        self.page.get_by_label("Photo", exact=True).set_input_files(file)

    def make(self, style: str = "Classic", quality: str = "Standard") -> None:
        """Choose style and quality, and submit the form."""
        self.page.locator("style-choice").get_by_role("radio", name=style).check()
        self.page.locator("quality-choice").get_by_role("radio", name=quality).check()
        self.page.get_by_role("button", name="Make my plushie").click()

    @property
    def balance(self) -> Locator:
        """Balance in the header."""
        return self.page.locator("credit-balance")

    @property
    def result(self) -> Locator:
        """Panel that shows the plushie once it is made."""
        return self.page.locator("result-panel")

    @property
    def waiting(self) -> Locator:
        """Panel that is shown while the plushie is being made."""
        return self.page.locator("waiting-panel")

    @property
    def tiles(self) -> Locator:
        """Cards in the gallery, one for each generation."""
        return self.page.locator("gallery-card")

    def toast(self, text: str) -> Locator:
        """Return the notification that contains this text."""
        return self.page.locator(".toast", has_text=text)
