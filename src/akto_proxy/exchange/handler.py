"""Starts exchanges: from a request's head alone it decides route, method and who is calling.

One Guardrails lives in each worker and owns what all its exchanges share. A policy reload swaps one reference, so an
exchange that began under one policy set ends under it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from akto_proxy.errors import BodyError
from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.exchange import GuardedExchange
from akto_proxy.exchange.face import Refusal, RequestHead
from akto_proxy.exchange.masking import masked
from akto_proxy.exchange.shared import Guard, Shared
from akto_proxy.guard.absent import AbsentDetector
from akto_proxy.wire.reply import error_body, error_kind
from akto_proxy.wire.route import Route, Target, canonical, resolve


class Guardrails:
    """The Handler of the data plane.

    Args:
        shared: what all exchanges share; `shared.guard` may be replaced while running.
        callers: reads who is calling.
    """

    def __init__(self, shared: Shared, callers: Callers) -> None:
        self._shared = shared
        self._callers = callers
        self._routes: dict[tuple[str, str], Route] = {}
        self._known: dict[tuple[bytes, bytes], tuple[str, Target, Route, tuple[str, str, bool]]] = {}

    def swap(self, guard: Guard) -> None:
        """Use new rules for every exchange that starts from now on."""
        self._shared.guard = guard

    @property
    def guard(self) -> Guard:
        """The rules in force and what finds them."""
        return self._shared.guard

    @property
    def version(self) -> str:
        """The version of the policies in force."""
        return self._shared.guard.policies.version

    def unserved(self) -> list[str]:
        """The policy rules in force that name a detector nobody loaded: each of its checks fails, so say why."""
        guard = self._shared.guard
        present = (item for item in guard.scanner.detectors if not isinstance(item, AbsentDetector))
        loaded = {word for item in present for word in (item.name, item.category)}
        return guard.policies.unserved(loaded)

    def open(self, head: RequestHead) -> GuardedExchange | Refusal:
        """Decide route, method and scope from the head alone, before any body byte is read."""
        known = self._known.get((head.method, head.target))
        if known is not None:
            caller = self._callers.read(head.headers, head.ip)
            return GuardedExchange(self._shared, head, *known[:3], caller, known[3])
        method = head.method.decode("latin-1")
        options = self._shared.options
        try:
            target = canonical(head.target)
        except BodyError as error:
            return self._refused(head, method, None, error.reason, error.status, str(error))
        route = self._route(method, target.path)
        if options.methods and method not in options.methods:
            message = f"Method {method} is not allowed here (ALLOWED_HTTP_METHODS)."
            return self._refused(head, method, (target, route), "method_not_allowed", 405, message)
        if route.denied:
            message = f"This route is not let through: {route.denied}."
            return self._refused(head, method, (target, route), "route_not_allowed", 403, message)
        label = self._label(method, target.path)
        if not target.query and not route.named and len(head.target) < 256:
            if len(self._known) >= 1024:
                self._known.clear()
            self._known[head.method, head.target] = method, target, route, label
        caller = self._callers.read(head.headers, head.ip)
        return GuardedExchange(self._shared, head, method, target, route, caller, label)

    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        """A refusal for what the shell itself found wrong (form, size, time), in the route's own error form."""
        if head is None:
            return _refusal("openai", status, message, reason)
        method = head.method.decode("latin-1")
        try:
            target = canonical(head.target)
        except BodyError:
            return self._refused(head, method, None, reason, status, message)
        return self._refused(head, method, (target, self._route(method, target.path)), reason, status, message)

    def _shown(self, path: str) -> str:
        """A path for the trace of a refusal: callers choose it, so it is read like any other text."""
        return masked(path, self._shared.guard.scanner.engine.scan(path))

    def _route(self, method: str, path: str) -> Route:
        key = (method, path)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= 1024:  # paths come from callers: remember a bounded number
                self._routes.clear()
            route = self._routes[key] = resolve(method, path, self._shared.options.extra_routes)
        return route

    def _label(self, method: str, path: str) -> tuple[str, str, bool]:
        """Endpoint name, sensitivity, and whether guardrails apply at all to this method and path."""
        options = self._shared.options
        guarded = not options.guarded or any(_matches(entry, method, path) for entry in options.guarded)
        for label in options.labels:
            if any(fnmatchcase(path, glob) for glob in label.paths):
                return label.name, label.sensitivity, guarded
        return options.endpoint, options.sensitivity, guarded

    def _refused(
        self,
        head: RequestHead,
        method: str,
        found: tuple[Target, Route] | None,
        reason: str,
        status: int,
        message: str,
    ) -> Refusal:
        shared = self._shared
        trace_id = shared.new_id()
        route = found[1] if found else None
        caller = self._callers.read(head.headers, head.ip)
        trace = shared.recorder.refused(
            trace_id,
            shared.now(),
            shared.options,
            method,
            self._shown(found[0].path) if found else "",
            route,
            status,
            caller,
            reason,
        )
        refusal = _refusal(route.form if route else "openai", status, message, reason, trace_id)
        return Refusal(refusal.status, refusal.headers, refusal.body, reason, refusal.close, trace)


def _matches(entry: str, method: str, path: str) -> bool:
    wanted, _, glob = entry.partition(":")
    return wanted.upper() in (method, "ANY") and fnmatchcase(path, glob)


def _refusal(form: str, status: int, message: str, reason: str, trace_id: str = "") -> Refusal:
    code = "rate_limit_exceeded" if reason == "limited" else reason  # the word that clients know it by
    content_type, body = error_body(form, status, message, code, error_kind(status))
    headers = [(b"content-type", content_type)]
    if trace_id:
        headers.append((b"x-akto-trace-id", trace_id.encode("ascii")))
    return Refusal(status, headers, body, reason, close=status in (400, 408, 413, 431))
