"""Follows every link of a rendered book: `check_book.py FOLDER` lists those that lead nowhere, pages and places in pages, and fails if there are any."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links of a page and the places in it that can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if of.get("id"):
            self.places.add(of["id"])
        for name in ("href", "src"):
            if of.get(name) and tag in ("a", "img", "link", "script"):
                self.links.append(of[name])


def main(folder: Path) -> int:
    # `print.html` is all chapters in one and `toc.html` a frame: their links are those of the pages.
    pages = {path: Page(path.read_text()) for path in folder.rglob("*.html") if path.name not in ("print.html", "toc.html", "404.html")}
    broken = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                broken.append(f"{path.relative_to(folder)}: {link}: no such page")
            elif target in pages and unquote(parts.fragment) not in pages[target].places:
                broken.append(f"{path.relative_to(folder)}: {link}: no such place in the page")
    print("\n".join(broken) if broken else f"the book: {len(pages)} pages, {sum(len(page.links) for page in pages.values())} links, all lead somewhere")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
