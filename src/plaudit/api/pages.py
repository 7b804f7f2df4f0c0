"""The pages for people who open the server in a browser.

    /              an overview with links                    /manual/…    docs/ as HTML; with .md as Markdown
    /docs          the API reference (Swagger UI)            /problems/…  the page that an error's `type` links to
    /llms.txt      an overview for language models

No page loads anything from another server.
"""

import re
from collections import Counter
from functools import cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import swagger_ui_bundle
from litestar import MediaType, Response
from litestar.handlers import HTTPRouteHandler
from markdown_it import MarkdownIt
from markdown_it.token import Token

from plaudit import __version__
from plaudit.error_codes import meaning_of
from plaudit.errors import NotFound

from .http.operations import ADMIN_PREFIX

# Swagger UI uses inline styles, and its style sheet contains data: images.
_POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_CACHE_SECONDS = 3_600
_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_START = (
    "new SwaggerUIBundle({url: 'docs/openapi.json', dom_id: '#reference', deepLinking: true, docExpansion: 'none', \
filter: true, defaultModelsExpandDepth: 0});\n"
)

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --accent: #0b62d6 }
@media (prefers-color-scheme: dark) { :root { --accent: #7db4ff } }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 2.5rem auto; padding: 0 1.2rem }
a { color: var(--accent) } h1, h2, h3 { line-height: 1.25 } nav { font-size: .9rem; margin-bottom: 2rem }
code, pre { font: .875em/1.5 ui-monospace, monospace } pre { background: #8881; padding: .8rem 1rem; overflow-x: auto }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .92em }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top }
ul.links { list-style: none; padding: 0 } ul.links li { padding: .55rem 0; border-bottom: 1px solid var(--line) }
"""


def _page(title: str, body: str, *, up: str) -> Response[str]:
    """Return an HTML page. `up` is the relative path to the server's root, which may be below the root of its host."""
    nav = f'<nav><a href="{up or "./"}">Plaudit</a> · <a href="{up}docs">API reference</a> · <a href="{up}manual">Manual</a></nav>'
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
        f"<body>{nav}{body}</body></html>\n"
    )
    return _page_response(text, MediaType.HTML)


def _page_response(content: Any, media: str, *, cached: bool = False) -> Response[Any]:
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    headers["Cache-Control"] = f"public, max-age={_CACHE_SECONDS}" if cached else "no-cache"
    return Response(content, media_type=media, headers=headers)


# --------------------------------------------------------------------------------------------------------- the root

_ROOT = """\
<h1>Plaudit</h1>
<p>A self-hosted engine for loyalty and gamification. Your systems report what people do; Plaudit turns it into points,
badges, coupons, streaks, status levels and leaderboards: exactly once, within milliseconds, and always able to say why.</p>
<ul class="links">
<li><a href="docs">API reference</a>: every operation, with examples to try on the page</li>
<li><a href="openapi.json">openapi.json</a>: the OpenAPI 3.1 document, for client generators</li>
<li><a href="manual">Manual</a>: guides, recipes, reference, operations</li>
<li><a href="llms.txt">llms.txt</a>: an overview for language models</li>
<li><a href="readyz">readyz</a>: whether the server is ready</li>
</ul>
<p>There is no console yet: manage programmes with the API or the command <code>plaudit</code>.</p>
<p><small>Version {version}</small></p>
"""


async def root() -> Response[str]:
    """Return the overview page."""
    return _page("Plaudit", _ROOT.replace("{version}", escape(__version__)), up="")


# ---------------------------------------------------------------------------------------------- the API's reference

_REFERENCE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Plaudit API reference</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/favicon-32x32.png"><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="reference"></div><script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script>
</body></html>
"""


async def reference() -> Response[str]:
    """Return the API reference."""
    return _page_response(_REFERENCE, MediaType.HTML)


def without_repeats(description: dict[str, Any]) -> dict[str, Any]:
    """Return the description without the beta's aliases, which would make the page slow."""
    paths = {path: calls for path, calls in description["paths"].items() if not path.startswith(ADMIN_PREFIX)}
    return description | {"paths": paths}


async def reference_file(name: str) -> Response[Any]:
    """Return a script, style sheet or image of the API reference."""
    if name == "start.js":
        return _page_response(_START, "text/javascript")
    if name not in _ASSETS:
        raise NotFound("No such file")
    return _page_response(_asset(name), _ASSETS[name], cached=True)


@cache
def _asset(name: str) -> bytes:
    return (swagger_ui_bundle.swagger_ui_path / name).read_bytes()


# -------------------------------------------------------------------------------------------------------- the manual

_MARKDOWN = MarkdownIt("commonmark").enable("table")


@cache
def _manual() -> Traversable:
    """Return the manual's folder: in the package, or `docs/` of the source tree for an editable install."""
    packaged = files("plaudit") / "manual"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "docs"


@cache
def _pages() -> dict[str, str]:
    """Return the titles of the manual's pages by name, such as `guides/points`."""
    titles: dict[str, str] = {}
    for folder in _FOLDERS:
        for item in (
            sorted((_manual() / folder).iterdir(), key=lambda traversable: traversable.name)
            if folder
            else _manual().iterdir()
        ):
            if item.name.endswith(".md"):
                name = f"{folder}/{item.name}".lstrip("/").removesuffix(".md")
                lines = item.read_text(encoding="utf-8").splitlines()
                titles[name] = next((line[2:] for line in lines if line.startswith("# ")), name)
    return titles


_FOLDERS = {"guides": "Guides", "recipes": "Recipes", "reference": "Reference", "operations": "Operations", "": "More"}


async def manual() -> Response[str]:
    """Return the table of contents of the manual."""
    parts: list[str] = []
    for folder, title in _FOLDERS.items():
        own = {name: page for name, page in _pages().items() if name.rpartition("/")[0] == folder}
        items = "".join(f'<li><a href="manual/{name}">{escape(value)}</a></li>' for name, value in own.items())
        parts.append(f"<h2>{title}</h2><ul>{items}</ul>" if own else "")
    return _page("Plaudit manual", "<h1>Manual</h1>" + "".join(parts), up="")


async def manual_page(folder: str, name: str) -> Response[str]:
    """Return a page of the manual; its Markdown if the name ends in `.md`."""
    return _manual_page(f"{folder}/{name}", up="../../")


async def manual_top(name: str) -> Response[str]:
    """Return a page of the manual that is in no folder."""
    return _manual_page(name, up="../")


def _manual_page(name: str, *, up: str) -> Response[str]:
    plain = name.removesuffix(".md")
    if plain not in _pages():
        raise NotFound("No such page; /manual lists the pages")
    text = (_manual() / f"{plain}.md").read_text(encoding="utf-8")
    if plain != name:
        return _page_response(text, "text/markdown")
    tokens = _MARKDOWN.parse(text)
    _name_headings(tokens)
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open" and "://" not in str(child.attrGet("href")):
                child.attrSet("href", str(child.attrGet("href")).replace(".md", ""))
    return _page(_pages()[plain], _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}), up=up)


def _name_headings(tokens: list[Token]) -> None:
    """Give each heading the id that links use. Ids are GitHub's: repeated ones end in -1, -2, …"""
    times: Counter[str] = Counter()
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            heading = "".join(child.content for child in inline.children or ())
            anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            token.attrSet("id", f"{anchor}-{times[anchor]}" if times[anchor] else anchor)
            times[anchor] += 1


async def llms() -> Response[str]:
    """Return the table of contents for language models (llmstxt.org)."""
    lines = [
        "# Plaudit", "",
        "> A self-hosted engine for loyalty and gamification: events in, decisions made exactly once, a ledger that always balances.",
        "", "## API", "", "- [Description](openapi.json): every operation, OpenAPI 3.1",
    ]  # fmt: skip
    for folder, title in _FOLDERS.items():
        own = {name: page for name, page in _pages().items() if name.rpartition("/")[0] == folder}
        lines += (
            ["", f"## {title}", "", *(f"- [{value}](manual/{name}.md)" for name, value in own.items())] if own else []
        )
    return _page_response("\n".join(lines) + "\n", "text/plain")


# ------------------------------------------------------------------------------------------------------- the problems


async def problem_page(code: str) -> Response[str]:
    """Return the page that explains an error code. The `type` of problem details links to it."""
    meaning = meaning_of(code)
    if meaning is None:
        raise NotFound("No such problem type")
    statuses, sentence = meaning
    listed = " or ".join(map(str, statuses))
    body = f"<h1><code>{escape(code)}</code></h1><p>Status {listed}</p>{_MARKDOWN.render(sentence)}"
    link = '<p>All codes: <a href="../manual/reference/errors">errors</a>, <a href="../manual/reference/refusals">refusals</a></p>'
    return _page(code, body + link, up="../")


def page_handlers(description: dict[str, Any]) -> list[HTTPRouteHandler]:
    """Return the handlers of all pages. `description` is the OpenAPI document."""
    encoded = msgspec.json.encode(without_repeats(description))

    async def openapi_document() -> Response[bytes]:
        return _page_response(encoded, MediaType.JSON)

    pages: dict[str, Any] = {
        "/": root, "/docs": reference, "/docs/openapi.json": openapi_document, "/docs/{name:str}": reference_file, "/manual": manual,
        "/manual/{name:str}": manual_top, "/manual/{folder:str}/{name:str}": manual_page, "/llms.txt": llms,
        "/problems/{code:str}": problem_page,
    }  # fmt: skip
    return [HTTPRouteHandler(path, http_method="GET")(page) for path, page in pages.items()]
