"""The look of a report's page: light and dark, from a phone to a wide screen, and on paper."""

from __future__ import annotations

__all__ = ["SCRIPT", "STYLE"]

STYLE = """
:root { color-scheme: light dark;
  --font: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  --page: #f4f6f9; --card: #ffffff; --line: #e2e7ed; --ink: #1b2430; --muted: #5f6c7b; --grid: #e2e7ed;
  --bid: #1f6fd1; --ask: #d9631e; --third: #0f8f7a; --good: #0f7a55; --good-back: #e3f5ee; --bad: #b3261e;
  --bad-back: #fdeceb; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0e1217; --card: #171d25; --line: #29323d; --ink: #e6ebf1; --muted: #9aa7b5; --grid: #29323d;
  --bid: #5ba3ff; --ask: #ff9350; --third: #34c7ab; --good: #5ad1a4; --good-back: #12301f; --bad: #ff8a80;
  --bad-back: #3a1b1a; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 3.5rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 var(--font); }
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.25rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0 0 .6rem; }
p { margin: .2rem 0 .8rem; max-width: 75ch; }
a { color: inherit; }
small, .muted { color: var(--muted); }
section { margin: 2.6rem 0; }
section > h2 + p { margin-top: .25rem; }
dl.facts { display: flex; flex-wrap: wrap; gap: .5rem 2.2rem; margin: 1rem 0 0; }
dl.facts dt { color: var(--muted); font-size: .78rem; }
dl.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
nav { position: sticky; top: 0; z-index: 2; background: var(--page); border-bottom: 1px solid var(--line);
  margin-top: 1.5rem; }
nav ul { display: flex; gap: .25rem; list-style: none; margin: 0 auto; padding: .55rem 1.5rem; max-width: 1240px;
  overflow-x: auto; }
nav a { display: block; padding: .2rem .7rem; border-radius: 99px; text-decoration: none; white-space: nowrap;
  color: var(--muted); font-size: .9rem; }
nav a.symbol { color: var(--ink); font-weight: 600; }
nav a:hover, nav a:focus-visible { background: var(--card); color: var(--ink); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: .8rem; margin: 1rem 0; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.cards .card { padding: .85rem 1rem .8rem; min-width: 0; }
.cards h4 { margin: 0; font-size: .8rem; font-weight: 500; color: var(--muted); }
.cards .value { font-size: 1.45rem; font-weight: 600; line-height: 1.35; font-variant-numeric: tabular-nums;
  letter-spacing: -.01em; white-space: nowrap; }
.cards .value span { font-size: .85rem; font-weight: 500; color: var(--muted); margin-left: .25em; letter-spacing: 0; }
.cards .value b { font-weight: inherit; }
.cards .value i { font-style: normal; font-weight: 400; color: var(--muted); margin: 0 .3em; }
.bid { color: var(--bid); } .ask { color: var(--ask); }
.note { margin: .7rem 0 0; font-size: .8rem; color: var(--muted); }
.cards p { margin: .1rem 0 0; font-size: .8rem; color: var(--muted); }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem; }
figure { margin: 0; padding: 1rem 1.1rem .9rem; display: flex; flex-direction: column; min-width: 0; }
figure.full { grid-column: 1 / -1; }
figure h3 { margin-bottom: .5rem; }
figure svg { display: block; width: 100%; height: auto; margin: 0 auto; font-family: var(--font); }
figure svg * { stroke-linejoin: round; stroke-linecap: butt; }
figure .narrow { display: none; }
figcaption { margin-top: auto; padding-top: .6rem; font-size: .8rem; line-height: 1.45; color: var(--muted);
  max-width: 110ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap;
  vertical-align: top; }
th:first-child, td.unit, thead th:nth-child(2):not(.counts *):not(.symbols *) { text-align: left; }
thead th { color: var(--muted); font-weight: 500; font-size: .78rem; }
tbody:last-child tr:last-child > * { border-bottom: 0; }
tbody th { font-weight: 500; }
tbody th small, td small { display: block; font-weight: 400; font-size: .76rem; }
.metrics th[scope=row] small { white-space: normal; min-width: 17rem; max-width: 26rem; }
.counts th small { white-space: normal; max-width: 60ch; }
code { font: .95em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
td.unit, td.none { color: var(--muted); }
td.some { font-weight: 600; }
tr.family th { padding-top: 1.1rem; text-align: left; font-weight: 600; }
.panel { padding: 1rem 1.1rem; margin: 1rem 0; }
details.panel { padding: 0; }
details.panel > summary { padding: .9rem 1.1rem; cursor: pointer; font-weight: 600; }
details.panel > summary span { font-weight: 400; color: var(--muted); }
details.panel > div { padding: 0 1.1rem 1rem; }
input.filter { font: inherit; font-size: .88rem; color: inherit; background: var(--page); border: 1px solid var(--line);
  border-radius: 7px; padding: .35rem .7rem; width: min(22rem, 100%); margin-bottom: .5rem; }
.verdict { border-left: 4px solid var(--good); background: var(--good-back); color: var(--ink); border-radius: 8px;
  padding: .8rem 1.1rem; margin: .8rem 0; }
.verdict.bad { border-color: var(--bad); background: var(--bad-back); }
.verdict.open { border-color: var(--muted); background: var(--card); }
.verdict strong { font-variant-numeric: tabular-nums; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .6rem 1rem; align-items: center;
  margin: .4rem 0 .8rem; }
.bars .bar { height: 1.15rem; border-radius: 4px; background: var(--muted); min-width: 3px; }
.bars .bar.ours { background: var(--third); }
.bars .number { font-variant-numeric: tabular-nums; text-align: right; }
.ratio { font-size: 1.8rem; font-weight: 650; letter-spacing: -.015em; margin: 0; }
footer { color: var(--muted); font-size: .82rem; padding-bottom: 2.5rem; }
@media (max-width: 860px) {
  main, header, footer { padding-left: .9rem; padding-right: .9rem; }
  nav ul { padding-left: .9rem; padding-right: .9rem; }
  .figures { grid-template-columns: minmax(0, 1fr); }
  figure { padding: .9rem .7rem .8rem; }
  figure .wide { display: none; }
  figure .narrow { display: block; }
  figure svg text { font-size: 9.2px !important; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: .6rem; }
  .cards .value { font-size: 1.2rem; }
  h1 { font-size: 1.45rem; }
  .metrics th[scope=row] small { min-width: 10rem; }
  .counts th small { min-width: 11rem; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --line: #d5dbe2; --ink: #111; --muted: #55606d;
    --grid: #e2e7ed; --bid: #1f6fd1; --ask: #d9631e; --third: #0f8f7a; }
  body { font-size: 11px; }
  nav, input.filter { display: none; }
  .card, figure, tr, .cards { break-inside: avoid; }
  details.panel { break-inside: auto; }
  details.panel::details-content { content-visibility: visible; block-size: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""

# A box to filter the table of metrics; without scripts there is no box and every row is seen.
SCRIPT = """
for (const table of document.querySelectorAll("table.metrics")) {
  const box = document.createElement("input");
  box.className = "filter"; box.type = "search"; box.placeholder = "Filter metrics";
  box.setAttribute("aria-label", "Filter metrics");
  table.parentElement.before(box);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\\s+/);
    for (const body of table.tBodies) {
      let seen = 0;
      for (const row of body.querySelectorAll("tr:not(.family)")) {
        row.hidden = !words.every(word => row.cells[0].textContent.toLowerCase().includes(word));
        seen += !row.hidden;
      }
      body.hidden = seen === 0;
    }
  });
}
"""
