/* The page of runs: curves, and the two browsers. */

/* Rollouts by step and group */

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
      const button = make("button", { type: "button", onclick: () => choose(number) }, `group ${one.group}: ${correctOf(one.rollouts)}`);
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
  const side = (title, rows) => make("div", {}, make("h3", {}, `${title}: ${correctOf(rows)}`), make("div", { class: "completions" }, ...rows.map((row) => completion(row, now.query, []))));
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
