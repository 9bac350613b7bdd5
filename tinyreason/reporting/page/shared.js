"use strict";
/* What all pages draw with. What a model wrote is only ever set as text. */

async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const colour = (number) => getComputedStyle(document.documentElement).getPropertyValue(`--c${number % 8}`).trim();
const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const short = (value) => {
  if (value === null || value === undefined) return "–";
  const round = Number(value.toPrecision(3));
  return round !== 0 && Math.abs(round) < 0.001 ? round.toExponential() : String(round);
};
const percent = (value) => `${(100 * value).toFixed(value * 100 % 1 > 0.05 ? 1 : 0)} %`;
const sign = (value) => (value > 0 ? "+" : "") + short(value);

/* Curves */

function runningMean(values, width) {
  const half = Math.floor(width / 2);
  return values.map((value, place) => {
    if (value === null || value === undefined) return value;
    const near = values.slice(Math.max(0, place - half), place + half + 1).filter((x) => x !== null && x !== undefined);
    return near.reduce((sum, x) => sum + x, 0) / near.length;
  });
}

const DASHES = [undefined, [6, 4], [2, 3], [10, 3, 2, 3]]; /* of a chart's lines, where colour tells the runs apart */

/* What uPlot is given for a chart: its data, and a line for each of them but the first, the steps. */
function chartData(chart, runs) {
  const table = chart.lines.length ? uPlot.join(chart.lines.map((line) => [line.x, line.y])) : [[]];
  const lines = [];
  const data = [table[0]];
  const severalRuns = runs.length > 1;
  const labels = [...new Set(chart.lines.map((line) => line.label))];
  chart.lines.forEach((line, number) => {
    const values = table[number + 1];
    const stroke = () => colour(severalRuns ? line.run : line.shade ?? number);
    const dash = severalRuns ? DASHES[labels.indexOf(line.label) % DASHES.length] : undefined;
    const name = severalRuns ? runs[line.run].name + (labels.length > 1 ? ` · ${line.label}` : "") : line.label;
    const isNoisy = line.y.length >= 40 && chart.title !== "Learning rate";
    if (isNoisy) {
      lines.push({ stroke, width: 1, alpha: 0.28, points: { show: false }, spanGaps: true });
      data.push(values);
    }
    lines.push({ name, stroke, dash, width: 2, spanGaps: true, points: { show: line.y.length <= 12, size: 5 }, raw: data.length - (isNoisy ? 1 : 0) });
    data.push(isNoisy ? runningMean(values, Math.max(3, Math.round(line.y.length / 20))) : values);
  });
  return [data, lines];
}

/* Draws a chart into its figure; returns what draws it again once it has more steps. */
function drawChart(figure, chart, runs) {
  const place = figure.querySelector(".plot");
  const read = figure.querySelector(".read");
  const shown = chart.is_share ? percent : short;
  let [data, lines] = chartData(chart, runs);
  const at = (line, step) => step === null || step === undefined
    ? data[line.raw].findLast((value) => value !== null && value !== undefined)
    : data[line.raw][step];
  const values = (step) => lines.filter((line) => line.name).map((line) => [line, at(line, step)]).filter(([, value]) => value !== null && value !== undefined);
  const tell = (plot) => {
    const step = plot.cursor.idx;
    const isIdle = step === null || step === undefined; /* then each line's last value is read */
    const parts = [make("b", {}, isIdle ? "last" : `step ${data[0][step]}`)];
    for (const [line, value] of values(step)) {
      const swatch = make("i", {});
      const [on, off] = line.dash ?? [10, 0];
      swatch.style.background = `repeating-linear-gradient(90deg, ${line.stroke()} 0 ${on / 2}px, transparent 0 ${(on + off) / 2}px)`;
      parts.push(make("span", {}, swatch, line.name, make("b", {}, ` ${shown(value)}`)));
    }
    read.replaceChildren(...parts);
  };
  const axis = (more) => ({ stroke: () => ink("soft"), grid: { stroke: () => ink("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", ...more });
  const fresh = () => new uPlot(
    {
      width: place.clientWidth,
      height: 196,
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: chart.counts }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: (self, first, last) => (first === last ? [first - 1, first + 1] : [first, last]) },
        y: { range: chart.is_share ? [0, 1] : (self, low, high) => uPlot.rangeNum(low, high, 0.1, true) },
      },
      axes: [
        axis({ size: 28, label: chart.counts, labelSize: 16, labelGap: 0, labelFont: "12px system-ui, sans-serif", incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000] }),
        axis({ size: 52, values: (self, ticks) => ticks.map(chart.is_share ? (tick) => `${Math.round(100 * tick)} %` : short) }),
      ],
      series: [{}, ...lines],
      hooks: { setCursor: [tell], ready: [tell] },
    },
    data,
    place,
  );
  let plot;
  const draw = () => {
    const looks = JSON.stringify(lines);
    [data, lines] = chartData(chart, runs);
    if (plot && JSON.stringify(lines) === looks) {
      plot.setData(data);
      tell(plot);
    } else {
      plot?.destroy();
      plot = fresh();
    }
    const last = values().map(([line, value]) => `${line.name} ${shown(value)}`).join(", ");
    place.setAttribute("aria-label", `${chart.title}, a curve from step ${data[0][0]} to ${data[0].at(-1)}; last: ${last}`);
  };
  place.setAttribute("role", "img");
  place.tabIndex = 0;
  place.addEventListener("focus", () => read.setAttribute("aria-live", "polite"));
  place.addEventListener("blur", () => read.setAttribute("aria-live", "off"));
  place.addEventListener("keydown", (event) => { /* the arrow keys read a curve as pointing at it does */
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const last = data[0].length - 1;
    const from = plot.cursor.idx ?? (by > 0 ? -1 : last + 1);
    const to = Math.min(last, Math.max(0, from + by * Math.max(1, Math.round(last / 50))));
    plot.setCursor({ left: plot.valToPos(data[0][to], "x"), top: 10 });
  });
  draw();
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 196 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { plot.redraw(false); tell(plot); });
  return draw;
}

/* Text: reasoning dimmed, search hits marked */

function writeMarked(node, text, query) {
  const low = text.toLowerCase();
  if (!query || low.length !== text.length) return node.append(text);
  let from = 0;
  for (let hit = low.indexOf(query); hit >= 0; hit = low.indexOf(query, from)) {
    node.append(text.slice(from, hit), make("mark", {}, text.slice(hit, hit + query.length)));
    from = hit + query.length;
  }
  node.append(text.slice(from));
}

function completion(row, query, names) {
  const grade = row.correct === true ? "correct" : row.correct === false ? "incorrect" : "not graded";
  const head = make("header", {}, make("b", { class: "grade" }, grade));
  if (row.reward !== undefined) {
    const terms = names.map((name, number) => `${name} ${short(row.rewards[number])}`).join(", ");
    head.append(make("span", { title: terms }, "reward ", make("b", {}, short(row.reward))));
    const tone = row.advantage > 0 ? "up" : row.advantage < 0 ? "down" : "";
    head.append(make("span", {}, "advantage ", make("b", { class: tone }, row.advantage === null ? "–" : sign(row.advantage))));
    if (names.length > 1) head.append(make("span", {}, terms));
  }
  if (row.source && row.source !== "policy") head.append(make("span", {}, "from ", make("b", {}, row.source)));
  if (row.disputed) head.append(make("span", {}, make("b", { class: "down" }, row.correct ? "not accepted by the strict grader" : "accepted by the strict grader")));
  head.append(make("span", {}, `${row.tokens ?? "?"} tokens${row.truncated ? ", truncated" : ""}`));
  const body = make("pre", { tabIndex: 0 });
  const [start, close] = [row.text.indexOf("<think>"), row.text.indexOf("</think>")];
  const end = close >= 0 ? close + 8 : start >= 0 ? row.text.length : 0;
  if (end) {
    const thought = make("span", { class: "think" });
    writeMarked(thought, row.text.slice(0, end), query);
    body.append(thought);
  }
  writeMarked(body, row.text.slice(end), query);
  return make("article", { class: `completion ${row.correct === null ? "" : grade}` }, head, body);
}

/* Parts that both browsers have */

const option = (value, text) => make("option", { value }, text);
function choice(label, options, onChange) {
  const select = make("select", { onchange: () => onChange(select.value) }, ...options);
  select.setAttribute("aria-label", label);
  return select;
}
function searchBox(label, onSearch) {
  let wait;
  const box = make("input", { type: "search", placeholder: label });
  box.setAttribute("aria-label", label);
  box.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => onSearch(box.value.trim().toLowerCase()), 150); });
  return box;
}
function slider(label, onMove) {
  const range = make("input", { type: "range", min: 0, value: 0 });
  range.setAttribute("aria-label", label);
  range.addEventListener("input", () => onMove(Number(range.value)));
  const step = (by) => () => { range.value = Number(range.value) + by; onMove(Number(range.value)); };
  const back = make("button", { type: "button", onclick: step(-1) }, "‹");
  const on = make("button", { type: "button", onclick: step(1) }, "›");
  back.setAttribute("aria-label", "previous");
  on.setAttribute("aria-label", "next");
  const where = make("output", {});
  const set = (at, last, text) => {
    range.max = Math.max(0, last);
    range.value = at;
    back.disabled = at <= 0;
    on.disabled = at >= last;
    where.textContent = text;
  };
  return { node: make("label", { class: "slide" }, back, range, on, where), set };
}
const say = (view, text) => view.replaceChildren(make("p", { class: "none" }, text));
const correctIn = (rows) => rows.filter((row) => row.correct === true).length;
const correctOf = (rows) => rows.every((row) => row.correct === null) ? "not graded" : `${correctIn(rows)} of ${rows.length} correct`;
