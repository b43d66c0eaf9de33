#pragma once

#include <string_view>

namespace detector {

/// The page works without the script, which adds the filter and the zoom.
inline constexpr std::string_view html_style = R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1c2128; --quiet: #636c76; --line: #d8dee4; --panel: #f6f8fa; --mark: #fff5c2;
  --error: #c4321f; --warning: #9a5b00; --note: #57606a; --suppressed: #8c959f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --text: #dfe5ec; --quiet: #9aa4af; --line: #2f3742; --panel: #1b212a; --mark: #4a3d0c;
    --error: #ff7b6b; --warning: #e3a84a; --note: #a5afba; --suppressed: #7b8591;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.45rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
code, .stack, .flame { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .87em; }
.quiet { color: var(--quiet); }
.summary { margin: 0 0 1rem; }
.summary code { overflow-wrap: anywhere; }
.notes { margin: 0 0 1rem; padding: .5rem .75rem .5rem 2rem; background: var(--panel); border-left: 3px solid var(--warning); }
#filter { width: min(100%, 28rem); margin-bottom: .75rem; padding: .4rem .6rem; font: inherit; color: inherit;
  background: var(--page); border: 1px solid var(--line); border-radius: 6px; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 600; color: var(--quiet); }
th, td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.place { width: 100%; min-width: 20rem; }
td.call { white-space: nowrap; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary strong { font-weight: 600; margin-right: .5rem; }
.source { color: var(--text); background: var(--panel); padding: .1rem .3rem; border-radius: 4px; }
details p { margin: .5rem 0; }
.remedy { font-weight: 600; }
.level { white-space: nowrap; font-weight: 600; }
.error .level { color: var(--error); }
.warning .level { color: var(--warning); }
.note .level { color: var(--note); }
.suppressed, .suppressed .level, .suppressed .quiet { color: var(--suppressed); }
.stack { margin: .5rem 0; padding: .5rem .5rem .5rem 3rem; background: var(--panel); border-radius: 6px;
  overflow-wrap: anywhere; }
.stack .plumbing { color: var(--quiet); }
.stack .mine { background: var(--mark); font-weight: 600; }
.flame { line-height: 1.35rem; }
.flame .node { flex: none; overflow: hidden; }
.flame .of { display: flex; }
.flame .call { height: 1.35rem; text-indent: .3rem; overflow: hidden; white-space: nowrap; text-overflow: ellipsis;
  border: solid var(--page); border-width: 0 1px 1px 0; border-radius: 4px; background: hsl(var(--hue) 80% 78%); color: #1c1300; cursor: pointer; }
.flame .call:hover, .flame .call:focus-visible { filter: brightness(.9); }
.flame .aside { display: none; }
.flame .above { display: block; width: 100% !important; }
footer { margin-top: 2rem; color: var(--quiet); }
@media (prefers-color-scheme: dark) { .flame .call { background: hsl(var(--hue) 45% 42%); color: #fff; } }
@media (max-width: 600px) {
  body { padding: .75rem; }
  thead { display: none; }
  table, tbody, td { display: block; }
  tr { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-bottom: .75rem; padding: .6rem .75rem;
    border: 1px solid var(--line); border-left: 4px solid var(--note); border-radius: 6px; }
  tr[hidden] { display: none; }
  tr.error { border-left-color: var(--error); }
  tr.warning { border-left-color: var(--warning); }
  th, td { padding: 0; border: 0; }
  td.place, td.call { order: -1; width: 100%; min-width: 0; }
  .number::before { content: attr(data-column) ' '; color: var(--quiet); }
  .stack { padding-left: 2rem; }
}
@media print { details > * { display: block; } #filter { display: none; } }
)css";

inline constexpr std::string_view html_script = R"js(
'use strict';
const filter = document.getElementById('filter');
const rows = [...document.querySelectorAll('tbody tr')];
filter.hidden = false;
filter.addEventListener('input', () => {
  const words = filter.value.toLowerCase().split(/\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
});

// Zooms to a call in the flame graph: it and its callers get the full width, and other calls are hidden. Zooming to the
// root shows all calls.
const flame = document.querySelector('.flame');
const zoom = (call) => {
  for (const each of flame.querySelectorAll('.aside, .above')) each.classList.remove('aside', 'above');
  for (let node = call.parentElement; node !== flame; node = node.parentElement) {
    if (!node.classList.contains('node')) continue;
    node.classList.add('above');
    for (const other of node.parentElement.children) if (other !== node) other.classList.add('aside');
  }
};
if (flame) {
  flame.addEventListener('click', (event) => {
    if (event.target.classList.contains('call')) zoom(event.target);
  });
  flame.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target.classList.contains('call')) zoom(event.target);
  });
}
)js";

}  // namespace detector
