"""Somebody in front of the page: what people do there, in their words."""

import base64
import itertools
from dataclasses import dataclass

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
    """A JPEG of a round face in front of something blue, width × height px."""
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
    """A person with a browser, an address of their own, and no account yet."""

    page: Page
    server: Server
    email: str

    @classmethod
    def new(cls, page: Page, server: Server) -> "Visitor":
        """Somebody who has never been here."""
        return cls(page, server, f"visitor-{next(_NUMBERS)}@example.org")

    def visit(self, hash: str = "#/create") -> None:
        """Open the page at an address of its own, and see it ready."""
        self.page.goto(f"{self.server.url}/{hash}")
        expect(self.page.locator("style-choice label")).to_have_count(5)

    def sign_up(self) -> None:
        """Make an account by the way through the header."""
        self.page.get_by_role("button", name="Sign in").first.click()
        self.page.get_by_role("button", name="Make an account").click()
        self.fill_in("Sign up")

    def fill_in(self, button: str, password: str = PASSWORD) -> None:
        """Complete the open dialog for signing up or in."""
        self.page.get_by_label("Email").fill(self.email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("dialog").get_by_role("button", name=button).click()

    def drop(self, data: bytes, name: str = "bello.jpg", media_type: str = "image/jpeg") -> None:
        """Drop a file onto the page."""
        file = {"base64": base64.b64encode(data).decode(), "name": name, "type": media_type}
        self.page.locator("photo-picker").evaluate(_DROP, file)

    def choose(self, data: bytes, name: str = "bello.jpg", media_type: str = "image/jpeg") -> None:
        """Choose a file in the file dialog."""
        file = FilePayload(name=name, mimeType=media_type, buffer=data)
        self.page.get_by_label("Photo", exact=True).set_input_files(file)

    def make(self, style: str = "Classic", quality: str = "Standard") -> None:
        """Choose style and quality, and press the button."""
        self.page.locator("style-choice").get_by_role("radio", name=style).check()
        self.page.locator("quality-choice").get_by_role("radio", name=quality).check()
        self.page.get_by_role("button", name="Make my plushie").click()

    @property
    def balance(self) -> Locator:
        """The balance in the header."""
        return self.page.locator("credit-balance")

    @property
    def result(self) -> Locator:
        """Where the plushie arrives."""
        return self.page.locator("result-panel")

    @property
    def waiting(self) -> Locator:
        """What is shown during the wait."""
        return self.page.locator("waiting-panel")

    @property
    def tiles(self) -> Locator:
        """The plushies in the gallery."""
        return self.page.locator("gallery-card")

    def toast(self, text: str) -> Locator:
        """The notification with this text."""
        return self.page.locator(".toast", has_text=text)
