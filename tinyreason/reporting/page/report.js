"use strict";
/* Draws the curves and the two browsers. What a model wrote is only ever set as text. */

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

function drawChart(figure, chart, runs) {
  const place = figure.querySelector(".plot");
  const read = figure.querySelector(".read");
  const table = uPlot.join(chart.lines.map((line) => [line.x, line.y]));
  const lines = [];
  const data = [table[0]];
  const shown = chart.is_share ? percent : short;
  const severalRuns = runs.length > 1;
  const labels = [...new Set(chart.lines.map((line) => line.label))];
  chart.lines.forEach((line, number) => {
    const values = table[number + 1];
    const stroke = () => colour(severalRuns ? line.run : number);
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
  const tell = (plot) => {
    const at = plot.cursor.idx;
    const isIdle = at === null || at === undefined; /* then each line's last value is read */
    const parts = [make("b", {}, isIdle ? "last" : `step ${data[0][at]}`)];
    lines.forEach((line) => {
      if (!line.name) return;
      const found = isIdle ? data[line.raw].findLast((value) => value !== null && value !== undefined) : data[line.raw][at];
      if (found === null || found === undefined) return;
      const swatch = make("i", {});
      const [on, off] = line.dash ?? [10, 0];
      swatch.style.background = `repeating-linear-gradient(90deg, ${line.stroke()} 0 ${on / 2}px, transparent 0 ${(on + off) / 2}px)`;
      parts.push(make("span", {}, swatch, line.name, make("b", {}, ` ${shown(found)}`)));
    });
    read.replaceChildren(...parts);
  };
  const axis = (more) => ({ stroke: () => ink("soft"), grid: { stroke: () => ink("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif", ...more });
  const steps = data[0];
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height: 196,
      padding: [10, 18, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "steps" }, y: false, drag: { x: false, y: false }, points: { size: 6 } },
      scales: {
        x: { time: false, range: steps.length > 1 ? undefined : [steps[0] - 1, steps[0] + 1] },
        y: { range: chart.is_share ? [0, 1] : (self, low, high) => uPlot.rangeNum(low, high, 0.1, true) },
      },
      axes: [
        axis({ size: 28, label: "step", labelSize: 16, labelGap: 0, labelFont: "12px system-ui, sans-serif", incrs: [1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000, 10000] }),
        axis({ size: 52, values: (self, ticks) => ticks.map(chart.is_share ? (tick) => `${Math.round(100 * tick)} %` : short) }),
      ],
      series: [{}, ...lines],
      hooks: { setCursor: [tell], ready: [tell] },
    },
    data,
    place,
  );
  new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: 196 })).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { plot.redraw(false); tell(plot); });
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

/* Rollouts by step and group */

const correctIn = (rows) => rows.filter((row) => row.correct === true).length;
const isMixed = (group) => new Set(group.rollouts.map((row) => row.reward)).size > 1;
const GROUP_KINDS = {
  all: ["all groups", () => true],
  mixed: ["groups with a gradient", isMixed],
  alike: ["groups without", (group) => !isMixed(group)],
};

function browseRollouts(section, runs) {
  const [controls, view] = [section.querySelector(".controls"), section.querySelector(".view")];
  const having = runs.filter((run) => run.groups.length);
  const now = { run: having[0], kind: "all", query: "", steps: [], step: 0, group: 0 };
  const show = () => {
    if (!now.steps.length) { move.set(0, 0, "none"); return say(view, "No group matches."); }
    const [step, groups] = now.steps[now.step];
    const group = groups[Math.min(now.group, groups.length - 1)];
    move.set(now.step, now.steps.length - 1, `step ${step}`);
    const buttons = groups.map((one, number) => {
      const button = make("button", { type: "button", onclick: () => choose(number) }, `group ${one.group}: ${correctIn(one.rollouts)} of ${one.rollouts.length} correct`);
      button.setAttribute("aria-pressed", one === group);
      return button;
    });
    const prompt = make("div", { class: "prompt" }, make("small", {}, `problem ${group.id}`));
    writeMarked(prompt, group.prompt, now.query);
    const rows = [...group.rollouts].sort((a, b) => (b.advantage ?? 0) - (a.advantage ?? 0));
    const cards = rows.map((row) => completion(row, now.query, now.run.reward_names));
    view.replaceChildren(make("div", { class: "groups" }, ...buttons), prompt, make("div", { class: "completions" }, ...cards));
  };
  const choose = (number) => {
    now.group = number;
    show();
    view.querySelector("[aria-pressed=true]").focus();
  };
  const find = () => {
    const fits = GROUP_KINDS[now.kind][1];
    const holds = (group) => !now.query || [group.prompt, group.id, ...group.rollouts.map((row) => row.text)].some((text) => text.toLowerCase().includes(now.query));
    const steps = new Map();
    for (const group of now.run.groups) {
      if (fits(group) && holds(group)) steps.set(group.step, [...(steps.get(group.step) ?? []), group]);
    }
    now.steps = [...steps];
    now.step = now.group = 0;
    show();
  };
  const move = slider("step", (step) => { now.step = step; show(); });
  if (having.length > 1) {
    controls.append(choice("run", having.map((run, number) => option(number, run.name)), (number) => { now.run = having[number]; find(); }));
  }
  controls.append(
    choice("groups", Object.entries(GROUP_KINDS).map(([kind, [text]]) => option(kind, text)), (kind) => { now.kind = kind; find(); }),
    searchBox("search problems and completions", (query) => { now.query = query; find(); }),
    move.node,
  );
  find();
}

/* Completions before and after */

const share = (rows) => correctIn(rows) / Math.max(1, rows.length);
const PROBLEM_KINDS = {
  all: ["all problems", () => true],
  better: ["answered better", (one) => share(one.after) > share(one.before)],
  worse: ["answered worse", (one) => share(one.after) < share(one.before)],
  incorrect: ["still incorrect", (one) => share(one.after) === 0],
  disputed: ["accepted by one grader alone", (one) => [...one.before, ...one.after].some((row) => row.disputed)],
};

function browseEvaluation(section, runs) {
  const [controls, view] = [section.querySelector(".controls"), section.querySelector(".view")];
  const having = runs.filter((run) => run.problems.length);
  const now = { run: having[0], kind: "all", query: "", found: [], at: 0 };
  const side = (title, rows) => make("div", {}, make("h3", {}, `${title}: ${correctIn(rows)} of ${rows.length} correct`), make("div", { class: "completions" }, ...rows.map((row) => completion(row, now.query, []))));
  const show = () => {
    if (!now.found.length) { move.set(0, 0, "none"); return say(view, "No problem matches."); }
    const one = now.found[now.at];
    move.set(now.at, now.found.length - 1, `${now.at + 1} of ${now.found.length}`);
    const prompt = make("div", { class: "prompt" }, make("small", {}, `problem ${one.id}${one.answer ? `, answer ${one.answer}` : ""}`));
    writeMarked(prompt, one.problem, now.query);
    view.replaceChildren(prompt, make("div", { class: "pair" }, side("Before", one.before), side("After", one.after)));
  };
  const find = () => {
    const fits = PROBLEM_KINDS[now.kind][1];
    const holds = (one) => !now.query || [one.id, one.problem, one.answer, ...[...one.before, ...one.after].map((row) => row.text)].some((text) => text.toLowerCase().includes(now.query));
    now.found = now.run.problems.filter((one) => fits(one) && holds(one));
    now.at = 0;
    show();
  };
  const move = slider("problem", (at) => { now.at = at; show(); });
  if (having.length > 1) {
    controls.append(choice("run", having.map((run, number) => option(number, run.name)), (number) => { now.run = having[number]; find(); }));
  }
  controls.append(
    choice("problems", Object.entries(PROBLEM_KINDS).map(([kind, [text]]) => option(kind, text)), (kind) => { now.kind = kind; find(); }),
    searchBox("search problems and completions", (query) => { now.query = query; find(); }),
    move.node,
  );
  find();
}

async function open() {
  let data;
  try {
    data = await unpack(document.getElementById("data").textContent);
  } catch {
    const places = document.querySelectorAll(".view, .read");
    places.forEach((place) => say(place, "This browser cannot unpack the data; one from 2023 or later can."));
    return;
  }
  document.querySelectorAll("figure[data-chart]").forEach((figure) => drawChart(figure, data.charts[figure.dataset.chart], data.runs));
  const [rollouts, evaluation] = ["rollouts", "evaluation"].map((id) => document.getElementById(id));
  if (rollouts) browseRollouts(rollouts, data.runs);
  if (evaluation) browseEvaluation(evaluation, data.runs);
  document.documentElement.dataset.ready = "yes";
}
open();
