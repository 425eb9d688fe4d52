"""Static files under names that carry their hash, compressed once at start and cached by browsers for a year.

A changed file has a new address, so nothing is ever stale and nothing is ever asked for twice. All files (about 150 KB)
are held in memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

import brotli
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from akto_proxy.errors import ConfigError

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_NEEDED = ("vendor/htmx.min.js", "vendor/uplot.min.js", "vendor/uplot.min.css")


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    packed: bytes
    media: str


class Statics:
    """An ASGI app that serves the package's static files by hashed name, and the map from plain to hashed names."""

    def __init__(self, folder: Traversable | None = None) -> None:
        self._files: dict[str, _File] = {}
        self._names: dict[str, str] = {}
        self._collect(folder or files("akto_proxy.dashboard") / "static", "")
        missing = [name for name in _NEEDED if name not in self._names]
        if missing:
            raise ConfigError(
                f"the dashboard's browser files are missing ({', '.join(missing)}): "
                "run `python hatch_build.py` in the source tree, or install the built package"
            )

    def _collect(self, folder: Traversable, prefix: str) -> None:
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if item.is_dir():
                self._collect(item, f"{prefix}{item.name}/")
            elif media := _TYPES.get("." + item.name.rpartition(".")[2]):
                self._add(prefix + item.name, item.read_bytes(), media)

    def _add(self, name: str, data: bytes, media: str) -> None:
        stem, _, suffix = name.rpartition(".")
        hashed = f"{stem}.{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
        self._names[name] = f"/static/{hashed}"
        self._files[hashed] = _File(data, brotli.compress(data, quality=9), media)

    def url(self, name: str) -> str:
        """The address of a file.

        Raises:
            KeyError: there is no such file.
        """
        return self._names[name]

    def text(self, name: str) -> str:
        """The content of a file.

        Raises:
            KeyError: there is no such file.
        """
        return self._files[self._names[name].removeprefix("/static/")].data.decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; mounted at `/static`."""
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", ""))).lstrip("/")
        found = self._files.get(path)
        if found is None or scope["method"] not in ("GET", "HEAD"):
            await Response("not found", status_code=404, media_type="text/plain")(scope, receive, send)
            return
        accepts = dict(scope["headers"]).get(b"accept-encoding", b"")
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        body = found.data
        # Browsers offer brotli only over TLS and on loopback; gzip is left out because no browser there lacks both.
        if b"br" in accepts:
            body, headers["content-encoding"] = found.packed, "br"
        await Response(body, headers=headers, media_type=found.media)(scope, receive, send)
