#include "conformance/report_html_assets.h"

namespace lockstep::conformance {

// Verdicts are told apart by symbol and word; the colours (after Okabe and Ito's palette) only
// help.
const std::string_view kReportStyle = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5b6878;--line:#d9dee5;
--head:#eef1f5;--link:#0b5cad;--pass:#00694e;--pass-bg:#dff3ec;--fail:#a33a00;--fail-bg:#ffe3d3;
--crash:#8b1d6b;--crash-bg:#fbe0f1;--timeout:#7a5200;--timeout-bg:#fff0c7;--waived:#0b5cad;
--waived-bg:#dcebfa;--none:#5b6878;--none-bg:#eceff3;--same:#eceff3;--d1:#f3c9a5;--d2:#eba568;
--d3:#dd7d2f;--d4:#b95208;--d5:#7c2f00;--grid:#c9d0d9;--bar:#c85a11;--unknown:#aab4c1}
@media (prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--ink:#e3e8ee;--soft:#9aa7b6;
--line:#303a47;--head:#222a35;--link:#7fbaf5;--pass:#62d3ae;--pass-bg:#12392e;--fail:#ff9a63;
--fail-bg:#4a2210;--crash:#f08fd0;--crash-bg:#431936;--timeout:#f1c65a;--timeout-bg:#3f3005;
--waived:#8cc2f7;--waived-bg:#14304b;--none:#9aa7b6;--none-bg:#262e39;--same:#2a323e;--d1:#5d3417;
--d2:#8a481a;--d3:#c0631c;--d4:#ec8a3c;--d5:#ffc79a;--grid:#3a4553;--bar:#ec8a3c;--unknown:#5a6674}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:14px/1.45 system-ui,-apple-system,"Segoe UI",
Roboto,"DejaVu Sans",sans-serif}
main{max-width:1360px;margin:0 auto;padding:20px 24px 60px}
h1{font-size:24px;margin:0}h2{font-size:18px;margin:32px 0 10px}h3{font-size:15px;margin:0}
a{color:var(--link)}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;font-size:12.5px;
overflow-wrap:anywhere}
td,th,dd,dt,code,b,.reason,.chip{unicode-bidi:isolate}
.soft{color:var(--soft)}
.banner{margin:14px 0;padding:12px 16px;border-radius:8px;border-left:6px solid;font-size:16px;
font-weight:600}
.banner.good{background:var(--pass-bg);color:var(--pass);border-color:var(--pass)}
.banner.bad{background:var(--fail-bg);color:var(--fail);border-color:var(--fail)}
.banner.open{background:var(--timeout-bg);color:var(--timeout);border-color:var(--timeout)}
.banner p{margin:2px 0 0;font-weight:400;font-size:14px}
nav{display:flex;gap:16px;flex-wrap:wrap;margin-top:10px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px}
table{border-collapse:collapse;width:100%}
th,td{padding:5px 12px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
tr:last-child>td,tr:last-child>th{border-bottom:0}
thead th{background:var(--head);font-weight:600;white-space:nowrap}
tbody th{font-weight:600;white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.matrix td{min-width:96px}
.facts-table th{width:1%}
.matrix .group{border-left:2px solid var(--line)}
.matrix thead th.subject{text-align:center}
.total td,.total th{background:var(--head)}
.v{display:inline-block;padding:0 7px;margin:1px 4px 1px 0;border-radius:9px;font-size:12.5px;
font-weight:600;white-space:nowrap;font-variant-numeric:tabular-nums}
.v.PASS{color:var(--pass);background:var(--pass-bg)}
.v.FAIL{color:var(--fail);background:var(--fail-bg);outline:1.5px solid var(--fail)}
.v.CRASH{color:var(--crash);background:var(--crash-bg);outline:1.5px dashed var(--crash)}
.v.TIMEOUT{color:var(--timeout);background:var(--timeout-bg);outline:1.5px dotted var(--timeout)}
.v.WAIVED{color:var(--waived);background:var(--waived-bg)}
.v.NOT_SUPPORTED{color:var(--none);background:var(--none-bg)}
button.cell{all:unset;cursor:pointer;border-radius:6px}
button.cell:hover,button.cell:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.card{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--fail);
border-radius:8px;margin:12px 0}
.card.CRASH{border-left-color:var(--crash)}.card.TIMEOUT{border-left-color:var(--timeout)}
.card>summary{padding:10px 14px;cursor:pointer}
.card>summary .reason{display:block;margin:3px 0 0 16px}
.card .body{padding:0 14px 12px;border-top:1px solid var(--line)}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:10px 0}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;overflow-wrap:anywhere}
.first{display:inline-block;padding:1px 8px;border-radius:5px;background:var(--head)}
.pictures{display:flex;flex-wrap:wrap;gap:18px;align-items:flex-end}
figure{margin:8px 0 0;width:min-content;min-width:150px}figure svg{max-width:none}figcaption{font-size:12px;margin-top:4px}
svg{display:block;max-width:100%}
svg.where{border:1px solid var(--grid);shape-rendering:crispEdges}
svg.where text,svg.bars text{font:11px system-ui,"DejaVu Sans",sans-serif;fill:var(--ink);
text-anchor:middle}
svg.bars text.label,svg.bars text.zero{fill:var(--soft)}
.same{fill:var(--same)}.unknown{fill:url(#hatch)}.d1{fill:var(--d1)}.d2{fill:var(--d2)}
.d3{fill:var(--d3)}.d4{fill:var(--d4)}.d5{fill:var(--d5)}
path.grid{fill:none;stroke:var(--grid);stroke-width:1;vector-effect:non-scaling-stroke}
path.bar{fill:var(--bar)}path.axis{fill:none;stroke:var(--soft)}
#hatch path{stroke:var(--unknown);stroke-width:.3;fill:none}
.legend{display:flex;gap:12px;flex-wrap:wrap;align-items:center;margin:6px 0;font-size:12.5px}
.legend svg{display:inline-block;vertical-align:-2px;margin-right:4px}
.filters{display:flex;gap:10px;flex-wrap:wrap;align-items:center;margin:8px 0}
.filters label{white-space:nowrap}
.filters input[type=search]{flex:1 1 260px;min-width:180px}
input,select,.more{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);
border-radius:6px;padding:4px 8px}
.more{cursor:pointer;margin:10px 0}
details.plain{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:8px 0}
details.plain>summary{padding:8px 14px;cursor:pointer;font-weight:600}
details.plain>div{padding:0 14px 10px}
.chip{display:inline-block;padding:0 6px;margin:1px 3px 1px 0;border-radius:5px;background:var(--head);
font-size:12.5px}
.chip.hole{color:var(--fail);background:var(--fail-bg);outline:1.5px solid var(--fail);font-weight:600}
.differs{color:var(--fail);font-weight:600}
ul.tight{margin:4px 0;padding-left:18px}
)css";

const std::string_view kReportScript = R"js(
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const [SUBJECT, CASE, CONTRACT, CONFIGURATION, VERDICT, KERNELS, MICROSECONDS, REASON, OUTPUTS] =
      [0, 1, 2, 3, 4, 5, 6, 7, 8];
  const STEP = 200;
  const byId = id => document.getElementById(id);
  const text = byId("text"), family = byId("family"), contract = byId("contract");
  const subject = byId("subject"), order = byId("order");
  const verdicts = [...document.querySelectorAll("input[name=verdict]")];
  const rows = byId("rows"), count = byId("count"), more = byId("more");
  const familyOf = name => name.split("/", 1)[0];
  const fill = (select, names) => names.forEach((name, index) =>
      select.append(new Option(name, index)));
  const families = [...new Set(data.cases.map(familyOf))].sort();
  fill(family, families);
  fill(contract, data.contracts);
  fill(subject, data.subjects);
  const familyOfCase = data.cases.map(name => families.indexOf(familyOf(name)));

  const element = (tag, content, name) => {
    const made = document.createElement(tag);
    made.textContent = content;
    if (name) made.className = name;
    return made;
  };
  const badge = verdict => element("span",
      data.verdicts[verdict].symbol + " " + data.verdicts[verdict].name,
      "v " + data.verdicts[verdict].name);
  const row = run => {
    const made = document.createElement("tr");
    const verdict = document.createElement("td");
    verdict.append(badge(run[VERDICT]));
    const name = document.createElement("td");
    name.append(element("code", data.cases[run[CASE]]));
    const reason = data.texts[run[REASON]];
    if (reason) name.append(element("div", reason, "soft"));
    made.append(verdict);
    if (data.subjects.length > 1) made.append(element("td", data.subjects[run[SUBJECT]]));
    made.append(name, element("td", data.contracts[run[CONTRACT]]));
    const how = document.createElement("td");
    how.append(element("code", data.texts[run[CONFIGURATION]]));
    if (data.texts[run[KERNELS]]) how.append(element("div", data.texts[run[KERNELS]], "soft"));
    const digest = document.createElement("td");
    digest.append(element("code", data.texts[run[OUTPUTS]].slice(0, 8)));
    digest.title = data.texts[run[OUTPUTS]];
    made.append(how, digest, element("td", (run[MICROSECONDS] / 1000).toFixed(1), "number"));
    return made;
  };

  let matching = [], shown = 0;
  const showMore = () => {
    rows.append(...matching.slice(shown, shown + STEP).map(row));
    shown = Math.min(shown + STEP, matching.length);
    count.textContent = `${matching.length} of ${data.runs.length} runs, ${shown} shown`;
    more.hidden = shown === matching.length;
  };
  const update = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(word => word);
    const wanted = new Set(verdicts.filter(box => box.checked).map(box => Number(box.value)));
    const choice = select => select.value === "" ? -1 : Number(select.value);
    const [f, c, s] = [choice(family), choice(contract), choice(subject)];
    matching = data.runs.filter(run => {
      if (!wanted.has(run[VERDICT])) return false;
      if (f >= 0 && familyOfCase[run[CASE]] !== f) return false;
      if (c >= 0 && run[CONTRACT] !== c) return false;
      if (s >= 0 && run[SUBJECT] !== s) return false;
      if (!words.length) return true;
      const where = (data.cases[run[CASE]] + " " + data.texts[run[CONFIGURATION]] + " " +
                     data.texts[run[KERNELS]] + " " + data.texts[run[REASON]] + " " +
                     data.texts[run[OUTPUTS]]).toLowerCase();
      return words.every(word => where.includes(word));
    });
    if (order.value === "slowest") matching.sort((a, b) => b[MICROSECONDS] - a[MICROSECONDS]);
    const cards = document.querySelectorAll("#failures .card");
    cards.forEach(card => {
      const about = card.textContent.toLowerCase();
      card.hidden = !(wanted.has(Number(card.dataset.verdict)) &&
          (f < 0 || card.dataset.family === families[f]) &&
          (c < 0 || card.dataset.contract === data.contracts[c]) &&
          (s < 0 || Number(card.dataset.subject) === s) &&
          words.every(word => about.includes(word)));
    });
    const hidden = [...cards].filter(card => card.hidden).length;
    byId("hidden-cards").textContent =
        hidden ? `${hidden} of ${cards.length} cards are hidden by the filter of the runs.` : "";
    rows.replaceChildren();
    shown = 0;
    showMore();
  };
  for (const control of [text, family, contract, subject, order, ...verdicts]) {
    control.addEventListener("input", update);
  }
  more.addEventListener("click", showMore);
  byId("reset").addEventListener("click", () => {
    text.value = family.value = contract.value = subject.value = "";
    verdicts.forEach(box => { box.checked = true; });
    update();
  });
  document.querySelectorAll("button.cell").forEach(cell => cell.addEventListener("click", () => {
    const choose = (select, names, name) => {
      select.value = names.includes(name) ? names.indexOf(name) : "";
    };
    choose(family, families, cell.dataset.family);
    choose(contract, data.contracts, cell.dataset.contract);
    subject.value = cell.dataset.subject;
    verdicts.forEach(box => { box.checked = true; });
    text.value = "";
    update();
    byId("runs").scrollIntoView();
  }));
  update();
})();
)js";

}  // namespace lockstep::conformance
