"""Bundler of the web pages: their files, and whole pages as one file that works offline.

The files in static/ are plain HTML, CSS and JavaScript modules, served as they are. A bundle
concatenates the modules, imported ones first, without their imports and exports, and embeds the
data. Its Content-Security-Policy lists the hashes of all scripts and styles, so it can fetch
nothing and run nothing else.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from importlib.resources import files as resources
from pathlib import PurePosixPath
from typing import Any

from chainrule.core.arrays import Array
from chainrule.nn.model_file import Model
from chainrule.nn.network import Network

STYLESHEET = re.compile(r'<link rel="stylesheet" href="([\w.-]+)">')
SCRIPT = re.compile(r'<script type="module" src="([\w.-]+)"></script>')
IMPORT = re.compile(r'^import \{[^}]*\} from "\./([\w.-]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export ", re.MULTILINE)
TYPES = {
    "": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}


def files() -> dict[str, bytes]:
    """Files of the pages: name -> content."""
    folder = resources("chainrule") / "web" / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def content_type(path: str) -> str:
    """Content-Type of a page's file, by the suffix of its name."""
    return TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")


def model_as_dict(model: Model, name: str) -> dict[str, Any]:
    """Model in the form that network.js takes; weights are base64 of float32, little endian."""
    return {
        "name": name,
        "classes": list(model.labels),
        "shape": list(model.shape),
        "pixel_scale": model.pixel_scale,
        "form": model.form and model.form.as_json(),
        "members": [_network_as_dict(member.folded()) for member in model.members],
    }


def _network_as_dict(network: Network) -> dict[str, Any]:
    layers = [
        {
            "fan_in": layer.fan_in,
            "fan_out": layer.fan_out,
            "activation": layer.activation,
            "W": base64(W.astype("<f4")),
            "b": base64(b.astype("<f4")),
        }
        for layer, W, b in zip(network.layers, network.W, network.b, strict=True)
    ]
    return {"link": network.link, "layers": layers}


def base64(values: Array) -> str:
    """Base64 text of an array's bytes, for a page to decode."""
    return b64encode(values.tobytes()).decode("ascii")


def self_contained(page: str, embedded: dict[str, Any]) -> str:
    """Bundles a page, such as "index.html", into one file with its data inside.

    The page's script finds `embedded` as the JSON text of the element with that id.
    """
    parts = {name: content.decode() for name, content in files().items()}
    html = parts[page]
    # In a script element "<" could end it; in JSON it can be escaped.
    data = json.dumps(embedded, separators=(",", ":")).replace("<", "\\u003c")
    styles = [parts[name] for name in STYLESHEET.findall(html)]
    scripts = [_one_module(name, parts) for name in SCRIPT.findall(html)]
    policy = (
        f"default-src 'none'; img-src data: blob:; style-src {_hashes(styles)}; "
        f"script-src {_hashes(scripts)}"
    )
    html = STYLESHEET.sub(lambda _: f"<style>{styles.pop(0)}</style>", html)
    html = SCRIPT.sub(
        lambda _: (
            f'<script type="application/json" id="embedded">{data}</script>\n'
            f'  <script type="module">{scripts.pop(0)}</script>'
        ),
        html,
    )
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return html.replace("<head>", f"<head>\n  {meta}", 1)


def _one_module(name: str, parts: dict[str, str]) -> str:
    """A module and all its imports as one, imports first."""
    order: list[str] = []

    def visit(module: str) -> None:
        for imported in IMPORT.findall(parts[module]):
            if imported not in order:
                visit(imported)
        order.append(module)

    visit(name)
    return "\n".join(EXPORT.sub("", IMPORT.sub("", parts[module])) for module in order)


def _hashes(texts: list[str]) -> str:
    digests = [b64encode(sha256(text.encode()).digest()).decode("ascii") for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
