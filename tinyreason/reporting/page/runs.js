/* The table of runs: sorted, filtered, two of them compared. */

const MARGIN = 2;
const blank = "–";
const text = (value) => (value === null || value === undefined || value === "" ? blank : String(value));
const when = (seconds) => new Date(1000 * seconds).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
const points = (row) => (row.gain === undefined ? blank : `${row.gain >= 0 ? "+" : ""}${row.gain.toFixed(1)} [${row.interval.map((end) => `${end >= 0 ? "+" : ""}${end.toFixed(1)}`).join(", ")}]`);
const whole = (share) => (share === null || share === undefined ? blank : `${(100 * share).toFixed(1)} %`);
const COLUMNS = [ /* [heading, what it is sorted by, what it shows] */
  ["run", (row) => row.name, null],
  ["verdict", (row) => row.verdict, (row) => row.verdict],
  ["recipe", (row) => row.recipe, (row) => text(row.recipe)],
  ["tier", (row) => row.tier, (row) => text(row.tier)],
  ["seed", (row) => row.seed, (row) => text(row.seed)],
  ["before", (row) => row.before, (row) => whole(row.before)],
  ["after", (row) => row.after, (row) => whole(row.after)],
  ["gain", (row) => row.gain, points],
  ["tokens", (row) => row.tokens, (row) => (row.tokens === null || row.tokens === undefined ? blank : `${row.tokens > 0 ? "+" : ""}${(100 * row.tokens).toFixed(0)} %`)],
  ["curve", null, null],
  ["steps", (row) => row.steps, (row) => `${row.steps} of ${row.of}`],
  ["minutes", (row) => row.minutes, (row) => text(row.minutes)],
  ["written", (row) => row.written, (row) => when(row.written)],
];
const now = { data: null, query: "", verdict: "all", by: 12, down: true, chosen: [] };

/* A curve of a few dozen points, as wide as a word. */
function sparkline(row) {
  if (row.curve.length < 2) return make("span", {}, blank);
  const [width, height] = [92, 24];
  const [low, high] = [Math.min(...row.curve), Math.max(...row.curve)];
  const place = (value, number) => [
    MARGIN + number / (row.curve.length - 1) * (width - 2 * MARGIN),
    height - MARGIN - (high > low ? (value - low) / (high - low) : 0.5) * (height - 2 * MARGIN),
  ];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const drawn = { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${row.curve_of}, from ${short(row.curve[0])} to ${short(row.curve.at(-1))}` };
  for (const [name, value] of Object.entries(drawn)) svg.setAttribute(name, value);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  line.setAttribute("points", row.curve.map((value, number) => place(value, number).map((one) => one.toFixed(1)).join(",")).join(" "));
  svg.append(line);
  return make("span", { title: row.curve_of }, svg, make("small", {}, row.curve_of));
}

const configOf = (row) => ({ ...now.data.common, ...row.config });
function holds(row) {
  const words = now.query.split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  row.words ??= [row.name, row.verdict, row.recipe, row.tier, ...Object.entries(configOf(row)).map(([key, value]) => `${key}=${value}`)].join("\n").toLowerCase();
  return words.every((word) => row.words.includes(word));
}

function sorted(rows) {
  const key = COLUMNS[now.by][1];
  const order = (one, other) => (typeof one === "string" ? one.localeCompare(other, undefined, { numeric: true }) : one - other);
  const [having, lacking] = [[], []]; /* those without a value come last, whichever way it is sorted */
  for (const row of rows) ([undefined, null, ""].includes(key(row)) ? lacking : having).push(row);
  having.sort((one, other) => order(key(one), key(other)) * (now.down ? -1 : 1));
  return [...having, ...lacking];
}

function tableRow(row) {
  const box = make("input", { type: "checkbox", checked: now.chosen.includes(row.name), onchange: () => choose(row.name, box.checked) });
  box.dataset.run = row.name;
  box.setAttribute("aria-label", `compare ${row.name}`);
  const name = row.page ? make("a", { href: row.page }, row.name) : make("span", {}, row.name);
  const cells = COLUMNS.slice(1).map(([heading, , shown]) => make("td", heading === "verdict" ? { class: "said" } : {}, heading === "curve" ? sparkline(row) : shown(row)));
  return make("tr", { class: row.verdict.replace(/\s+/g, "-") }, make("th", { scope: "row" }, make("div", {}, box, name)), ...cells);
}

function show() {
  const rows = sorted(now.data.rows.filter((row) => (now.verdict === "all" || row.verdict === now.verdict) && holds(row)));
  document.querySelector(".runs tbody").replaceChildren(...rows.map(tableRow));
  document.getElementById("shown").textContent = rows.length === now.data.rows.length ? `All ${rows.length} runs.` : `${rows.length} of ${now.data.rows.length} runs.`;
  document.querySelectorAll(".runs thead th").forEach((cell, number) => {
    if (number === now.by) cell.setAttribute("aria-sort", now.down ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
}

function choose(name, isChosen) {
  now.chosen = [...now.chosen.filter((one) => one !== name), ...(isChosen ? [name] : [])].slice(-2);
  document.querySelectorAll(".runs input").forEach((box) => { box.checked = now.chosen.includes(box.dataset.run); });
  compare();
}

function compare() {
  const section = document.getElementById("differences");
  const two = now.chosen.map((name) => now.data.rows.find((row) => row.name === name)).filter(Boolean);
  section.hidden = two.length < 2;
  if (section.hidden) return;
  const configs = two.map(configOf);
  const keys = [...new Set(configs.flatMap(Object.keys))].filter((key) => configs[0][key] !== configs[1][key]).sort();
  const head = make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "option"), ...two.map((row) => make("th", { scope: "col" }, row.name))));
  const body = make("tbody", {}, ...keys.map((key) => make("tr", {}, make("th", { scope: "row" }, key), ...configs.map((config) => make("td", {}, config[key] ?? "not set")))));
  section.querySelector(".wide").replaceChildren(keys.length ? make("table", {}, head, body) : make("p", {}, "They have the same config."));
}

function prepare() {
  const verdicts = [...new Set(now.data.rows.map((row) => row.verdict))].sort();
  document.querySelector(".controls").replaceChildren(
    searchBox("filter by name, recipe or option, as adapter.rank=4", (query) => { now.query = query; show(); }),
    choice("verdict", ["all", ...verdicts].map((one) => option(one, one === "all" ? "all verdicts" : one)), (verdict) => { now.verdict = verdict; show(); }),
  );
  document.querySelector(".runs thead tr").replaceChildren(...COLUMNS.map(([heading, key], number) => {
    const sort = () => { now.down = number === now.by ? !now.down : typeof key(now.data.rows[0]) !== "string"; now.by = number; show(); };
    return make("th", { scope: "col" }, key ? make("button", { type: "button", onclick: sort }, heading) : heading);
  }));
}

/* With a server behind it the table asks for news; what is typed and chosen stays. */
async function follow() {
  try {
    const news = await (await fetch("state")).json();
    if (news.state !== "several") return location.reload();
    if (JSON.stringify(news.rows) !== JSON.stringify(now.data.rows.map(({ words, ...row }) => row))) {
      const focus = document.activeElement?.dataset?.run;
      now.data = news;
      document.getElementById("title").textContent = document.getElementById("title").textContent.replace(/^\d+ runs?/, `${news.rows.length} ${news.rows.length === 1 ? "run" : "runs"}`);
      show();
      compare();
      if (focus) [...document.querySelectorAll(".runs input")].find((box) => box.dataset.run === focus)?.focus();
    }
  } catch { /* the server has ended: the table stays as it was */ }
  setTimeout(follow, document.hidden ? 30000 : 2000);
}

async function openTable() {
  now.data = await unpack(document.getElementById("data").textContent);
  prepare();
  show();
  document.documentElement.dataset.ready = "yes";
  if (now.data.is_live) follow();
}
openTable();
