// What the pages do beyond links and forms. Every page works without it, but for charts and live follow.
"use strict";
(() => {
  const $ = (q, at = document) => at.querySelector(q);
  const $$ = (q, at = document) => [...at.querySelectorAll(q)];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // ---- times: exact in the reader's own zone, relative ones kept fresh ----
  const steps = [[31536000, "y"], [2592000, "mo"], [86400, "d"], [3600, "h"], [60, "min"]];
  const ago = (at) => {
    const d = Date.now() / 1000 - at, s = Math.abs(d);
    if (s < 10) return "now";
    const [step, unit] = steps.find(([n]) => s >= n) || [1, "s"];
    const text = `${Math.round(s / step)} ${unit}`;
    return d > 0 ? `${text} ago` : `in ${text}`;
  };
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const dayClock = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
  const times = (at = document) => {
    $$("time[data-at]", at).forEach((t) => { t.textContent = ago(+t.dataset.at); });
    $$("time[data-clock]", at).forEach((t) => {
      const when = new Date(t.dataset.clock * 1000);
      t.textContent = (when.toDateString() === new Date().toDateString() ? clock : dayClock).format(when);
    });
  };

  // ---- charts ----
  const short = (v) => v == null ? "" : v >= 1e6 ? (v / 1e6).toFixed(1) + "M" : v >= 1e4 ? (v / 1e3).toFixed(0) + "k" : String(Math.round(v * 100) / 100);
  const drawn = new Map();
  const chart = (box) => {
    const spec = JSON.parse(box.dataset.chart);
    const stack = spec.kind === "stack";
    let below = spec.times.map(() => 0);
    const sums = stack ? spec.series.map((s) => (below = s.values.map((v, i) => v + below[i]))) : spec.series.map((s) => s.values);
    const order = stack ? sums.map((_, i) => i).reverse() : sums.map((_, i) => i);  // the tallest sum is painted first
    const color = (s) => css(`--chart-${s.color}`);
    // Each bar is drawn from its neighbour's top, so that no colour shines through at the edges.
    const from = (i) => ({ y0: { unit: 3, values: () => sums[i - 1] || spec.times.map(() => 0) }, y1: { unit: 3, values: () => sums[i] } });
    const paths = (i) => stack ? uPlot.paths.bars({ size: [0.8, 64], disp: from(i) }) : uPlot.paths.spline();
    const axis = { stroke: css("--ink-3"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false }, font: "11px " + css("--sans") };
    const opts = {
      width: box.clientWidth, height: box.classList.contains("short") ? 150 : 240, legend: { show: false }, padding: [8, 20, 0, 0],
      cursor: { y: false, points: { show: !stack }, drag: { x: false, y: false } },
      scales: { x: { time: true }, y: { range: (_, lo, hi) => [0, Math.max(1, hi * 1.08)] } },
      axes: [{ ...axis, grid: { show: false }, space: 70, size: 28, values: (_, at, __, ___, step) => at.map((t) => (step < 86400 ? hour : day).format(new Date(t * 1000))) }, { ...axis, size: 44, values: (_, v) => v.map(short) }],
      series: [{}, ...order.map((i) => ({ label: spec.series[i].label, stroke: stack ? undefined : color(spec.series[i]), fill: stack ? color(spec.series[i]) : color(spec.series[i]) + "1c", width: stack ? 0 : 1.6, paths: paths(i), points: { show: false } }))],
      hooks: { init: [(u) => {
        const tip = document.createElement("div"); tip.className = "tip"; tip.hidden = true; u.over.appendChild(tip);
        u.over.addEventListener("mouseleave", () => { tip.hidden = true; }); u.tip = tip;
      }], setCursor: [(u) => {
        const i = u.cursor.idx; if (i == null || u.cursor.left < 0) { u.tip.hidden = true; return; }
        u.tip.replaceChildren();
        const line = (k, v) => { const d = document.createElement("div"); d.textContent = k; if (v !== undefined) { const b = document.createElement("b"); b.textContent = v; d.append(b); } u.tip.append(d); };
        line(dayClock.format(new Date(spec.times[i] * 1000)));
        spec.series.forEach((s) => line(s.label, s.values[i].toLocaleString()));
        u.tip.hidden = false;
        u.tip.style.left = (u.cursor.left > u.over.clientWidth - 170 ? u.cursor.left - 160 : u.cursor.left + 14) + "px"; u.tip.style.top = "6px";
      }] },
    };
    drawn.get(box)?.destroy();
    drawn.set(box, new uPlot(opts, [spec.times, ...order.map((i) => sums[i])], box));
  };
  const charts = () => { if (window.uPlot) $$("[data-chart]").forEach(chart); };
  let resized; addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(charts, 120); });

  // ---- theme, menu, copy, dialogs ----
  const say = (text, kind = "good") => {
    const box = $("#toast"); if (!box) return;
    const t = document.createElement("div"); t.className = `note toast ${kind}`; t.textContent = text; box.replaceChildren(t);
    setTimeout(() => t.remove(), 2600);
  };
  const acts = {
    themeToggle() {
      const root = document.documentElement;
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
      charts();
    },
    menu(b) { const at = $("#" + b.dataset.menu); const open = !("open" in at.dataset); at.toggleAttribute("data-open", open); b.setAttribute("aria-expanded", open); },
    async copy(b) { try { await navigator.clipboard.writeText(b.dataset.copy); say("Copied."); } catch { say("The browser did not allow copying.", "bad"); } },
    dialog(b) { $("#" + b.dataset.dialog)?.showModal(); },
    close(b) { b.closest("dialog")?.close(); },
    fill(b) { const at = $("#" + b.dataset.fill); at.value = b.dataset.text; at.form?.requestSubmit(); },
    print() { print(); },
    live(b) { follow(b, b.getAttribute("aria-pressed") !== "true"); },
  };
  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-theme-toggle],[data-menu],[data-copy],[data-dialog],[data-close],[data-fill],[data-print],[data-live]");
    if (b) { const key = Object.keys(acts).find((k) => k in b.dataset); if (key) return void acts[key](b); }
    const row = e.target.closest("tr.link");
    if (row && !e.target.closest("a,button,input,label") && !getSelection().toString()) { const a = $("a", row); if (a) a.click(); }
  });
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-submit]")) e.target.form.requestSubmit();
    if (e.target.matches("[data-all]")) $$(e.target.dataset.all).forEach((c) => { c.checked = e.target.checked; });
    if (e.target.matches("[data-all], [data-pick]")) { const n = $$("[data-pick]:checked").length; $$("[data-picked]").forEach((x) => { x.textContent = n; }); $$("[data-bulk]").forEach((x) => { x.hidden = !n; }); }
  });
  document.addEventListener("submit", (e) => { const q = e.submitter?.dataset.confirm || e.target.dataset.confirm; if (q && !confirm(q)) e.preventDefault(); });

  // ---- keys ----
  const select = (step) => {
    const rows = $$("[data-rows] tbody tr.link"); if (!rows.length) return;
    const now = rows.findIndex((r) => r.getAttribute("aria-selected") === "true");
    const next = rows[Math.max(0, Math.min(rows.length - 1, now + step))];
    rows[now]?.removeAttribute("aria-selected"); next.setAttribute("aria-selected", "true"); next.scrollIntoView({ block: "nearest" }); $("a", next)?.focus();
  };
  document.addEventListener("keydown", (e) => {
    if (e.target.matches("textarea.code") && e.key === "Tab" && !e.shiftKey && !e.target.dataset.free) { e.preventDefault(); e.target.setRangeText("  ", e.target.selectionStart, e.target.selectionEnd, "end"); return; }
    if (e.target.matches("textarea.code") && e.key === "Escape") { e.target.dataset.free = "1"; return; }
    if (e.target.matches("input,textarea,select") || e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "/") { const s = $("[data-slash]"); if (s) { e.preventDefault(); s.focus(); } }
    const link = $(`[data-key="${CSS.escape(e.key)}"]`); if (link) return link.click();
    if (e.key === "j") select(1); if (e.key === "k") select(-1);
  });

  // ---- live follow: ask every second while the page is seen ----
  let timer;
  function follow(b, on) {
    b.setAttribute("aria-pressed", on); clearTimeout(timer);
    if (on) ask(b);
  }
  async function ask(b) {
    if (!document.hidden) {
      try {
        const mark = b.dataset.live.includes("?") ? "&" : "?";
        const r = await fetch(`${b.dataset.live}${mark}cursor=${encodeURIComponent(b.dataset.cursor)}`, { headers: { "HX-Request": "true" } });
        if (r.headers.get("hx-redirect")) { location.reload(); return; }
        if (r.ok) {
          b.dataset.cursor = r.headers.get("x-cursor") || b.dataset.cursor;
          const box = document.createElement("template"); box.innerHTML = await r.text();
          const rows = $("#rows"); const fresh = $$("tr", box.content).filter((t) => !rows.querySelector(`[data-row="${CSS.escape(t.dataset.row)}"]`));
          if (fresh.length) { rows.prepend(...fresh); $("#none")?.remove(); times(rows); $$("tr.link", rows).slice(500).forEach((t) => t.remove()); }
        }
      } catch { /* the server is away: the next turn tries again */ }
    }
    if (b.getAttribute("aria-pressed") === "true") timer = setTimeout(() => ask(b), 1000);
  }

  // ---- playground as a stream: chunks go in, what would be let through comes out ----
  addEventListener("DOMContentLoaded", () => {
    times(); setInterval(times, 15000);
    requestAnimationFrame(() => setTimeout(charts));  // the page is there first, then its charts
    $$(".tabs [aria-current]").forEach((t) => { t.parentElement.scrollLeft = t.offsetLeft - 24; });
    const live = $("[data-live]"); if (live && new URLSearchParams(location.search).has("live")) follow(live, true);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", charts);
  });
  document.addEventListener("htmx:afterSwap", (e) => { times(e.target.parentElement || document); });
  document.addEventListener("htmx:responseError", () => say("That did not work.", "bad"));
})();
