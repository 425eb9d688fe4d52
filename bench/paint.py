"""When a browser first paints each page of the dashboard on loopback, and what it has to fetch for it.

`python bench/paint.py --data DIR` (the folder of bench/pages.py, or an empty one that gets `--traces` invented traces).
Times are Chromium's own paint entries (PerformanceObserver): milliseconds from the start of the navigation, median and
slowest of so many visits with scripts and styles in its cache, and of one with an empty cache. Bytes are what travels.
The first row is a line of plain text: what the browser takes for nothing, on this machine at this load. Browser CPU is
what the page's own process used up to the load's end, scripts and charts included; load does not change it.
"""

from __future__ import annotations

from typing import Any

from pages import house

PAINT = """() => new Promise(done => {
  const tell = found => found.forEach(e => e.name === "first-contentful-paint" && done(e.startTime));
  tell(performance.getEntriesByType("paint"));
  new PerformanceObserver(list => tell(list.getEntries())).observe({ type: "paint", buffered: true });
  setTimeout(() => done(-1), 5000);
})"""
SIZES = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const parts = performance.getEntriesByType("resource");
  const sum = name => parts.reduce((all, part) => all + part[name], 0);
  return [page.encodedBodySize + sum("encodedBodySize"), page.decodedBodySize, page.responseStart];
}"""


def visit(page: Any, address: str) -> tuple[float, float, int, int]:
    """First paint and first byte in ms, bytes on the wire with all parts, and bytes of the page itself."""
    page.goto(address, wait_until="load")
    painted = page.evaluate(PAINT)
    wire, size, answered = page.evaluate(SIZES)
    return painted, answered, wire, size


def busy(context: Any, page: Any) -> float:
    """Milliseconds of processor time that the page's process has used."""
    session = context.new_cdp_session(page)
    session.send("Performance.enable")
    found = {item["name"]: item["value"] for item in session.send("Performance.getMetrics")["metrics"]}
    session.detach()
    return float(found["ProcessTime"]) * 1000


def main() -> None:
    """Print the table."""
    from playwright.sync_api import sync_playwright

    given, sample, store, app = house(__doc__, traces=20_000, times=9)
    base, stop = sample.serve(app)
    cookie = {"name": "akto_session", "value": app.state.house.sessions.begin("ada@acme.example"), "url": base}
    print(f"{store.count():,} traces, {given.times} visits each\n")
    print("| Page | first paint ms | slowest | empty cache | server ms | browser CPU ms | KB on the wire | page KB |")
    print("|---|---|---|---|---|---|---|---|")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=sample.CHROMIUM, args=sample.FLAGS)
        for name, path in {"plain text": "/healthz", "login": "/login", **sample.tour(store)}.items():
            if given.only not in name:
                continue
            context = browser.new_context(viewport={"width": 1280, "height": 860})
            context.add_cookies([cookie] if name != "login" else [])
            page = context.new_page()
            visit(page, base + path)  # statements are prepared and templates read
            context.close()
            context = browser.new_context(viewport={"width": 1280, "height": 860})
            context.add_cookies([cookie] if name != "login" else [])
            page = context.new_page()
            cold, _, wire, size = visit(page, base + path)
            used = busy(context, page)
            warm = sorted(visit(page, base + path) for _ in range(given.times))
            used = (busy(context, page) - used) / given.times
            painted = [item[0] for item in warm]
            server = sorted(item[1] for item in warm)[given.times // 2]
            middle = painted[given.times // 2]
            print(
                f"| {name} | {middle:.0f} | {painted[-1]:.0f} | {cold:.0f} | {server:.0f} | {used:.0f} "
                f"| {wire / 1000:.0f} | {size / 1000:.0f} |",
                flush=True,
            )
            context.close()
        browser.close()
    stop()


if __name__ == "__main__":
    main()
