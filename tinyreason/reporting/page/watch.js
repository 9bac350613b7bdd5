/* The page of a run that is going: asks its server every second and a half for what came since. */

const EVERY_MS = 2000;
const HIDDEN_MS = 30000; /* while nobody looks at the page */
const at = (id) => document.getElementById(id);
const known = { beginning: 0, step: 0, state: "", warnings: 0, charts: new Map() };

function pulse(text, isBeating) {
  at("pulse").className = isBeating ? "beating" : "";
  at("pulse").querySelector("b").textContent = text;
}

/* For a screen reader: what changed, not every step. */
function hear(news) {
  const warned = news.warnings.length > known.warnings ? ` Warning: ${news.warnings.at(-1).title}.` : "";
  if (news.state !== known.state || warned) at("heard").textContent = news.headline + warned;
  known.state = news.state;
  known.warnings = news.warnings.length;
}

function showState(news) {
  at("state").className = `verdict ${news.state}`;
  at("headline").textContent = news.headline;
  document.title = `${news.headline} ${news.name ?? ""} · tinyreason`;
  at("sentence").textContent = news.sentence ?? "";
  at("sentence").hidden = !news.sentence;
  at("about").textContent = news.about ?? "";
  const tiles = news.tiles ?? [];
  at("tiles").hidden = !tiles.length;
  at("tiles").replaceChildren(...tiles.map(([what, figure, note]) => make("div", {}, make("dt", {}, what), make("dd", {}, figure), make("dd", { class: "note" }, note))));
  at("share").hidden = news.share === null || news.share === undefined;
  at("share").value = news.share ?? 0;
  at("notes").replaceChildren(...(news.notes ?? []).map((note) => make("p", { class: "fine" }, note)));
  at("ask").hidden = news.state !== "going" || !news.has_heartbeat;
  if (news.stopping) {
    at("stop").disabled = true;
    at("stopping").textContent = `Ending after this step, as ${news.stopping} asked; all of it will be saved.`;
  }
}

function showWarnings(warnings) {
  at("warnings").hidden = false;
  const shown = warnings.map((one) => make("div", { class: "warning" }, make("b", {}, one.title), make("p", {}, one.text)));
  at("warned").replaceChildren(...(shown.length ? shown : [make("p", { class: "calm" }, "None so far.")]));
}

/* Charts: further points of known lines, new lines, new charts in their place. */
function showCurves(charts, runs) {
  for (const news of charts) {
    let chart = known.charts.get(news.title);
    if (!chart) {
      const figure = make("figure", {}, make("h3", {}, news.title, ...(news.measured_in ? [" ", make("small", {}, news.measured_in)] : [])), make("div", { class: "plot" }), make("p", { class: "read" }), make("figcaption", {}, news.meaning));
      figure.querySelector(".read").setAttribute("aria-live", "off");
      figure.dataset.place = news.place;
      const grid = document.querySelector("#curves .charts");
      at("curves").hidden = false;
      grid.insertBefore(figure, [...grid.children].find((other) => Number(other.dataset.place) > news.place) ?? null);
      chart = { ...news, draw: null };
      known.charts.set(news.title, chart);
      chart.draw = drawChart(figure, chart, runs);
      continue;
    }
    for (const line of news.lines) {
      const same = chart.lines.find((one) => one.label === line.label);
      if (!same) chart.lines.push(line);
      else { same.x.push(...line.x); same.y.push(...line.y); }
    }
    chart.draw();
  }
}

function showRollouts(rollouts) {
  at("rollouts").hidden = false;
  at("which").textContent = `Step ${rollouts.step}: ${rollouts.groups.length} of its ${rollouts.of} groups, those with a gradient first.`;
  const groups = rollouts.groups.flatMap((group) => {
    const prompt = make("div", { class: "prompt" }, make("small", {}, `problem ${group.id}: ${correctOf(group.rollouts)}`), group.prompt);
    const rows = [...group.rollouts].sort((a, b) => (b.advantage ?? 0) - (a.advantage ?? 0));
    return [prompt, make("div", { class: "completions" }, ...rows.map((row) => completion(row, "", rollouts.reward_names)))];
  });
  document.querySelector("#rollouts .view").replaceChildren(...groups);
}

function begin(news) {
  known.charts.clear();
  document.querySelector("#curves .charts").replaceChildren();
  at("made-of").hidden = false;
  at("command").textContent = news.command;
  at("config").replaceChildren(...news.config.map(([key, value]) => make("tr", {}, make("th", { scope: "row" }, key), make("td", {}, value))));
}

async function ask() {
  const answer = await fetch(`state?beginning=${known.beginning}&step=${known.step}`);
  if (!answer.ok) throw new Error(answer.status);
  const news = await answer.json();
  if (["done", "several"].includes(news.state)) return location.reload();
  showState(news);
  if (news.state === "waiting") return pulse("waiting", true);
  pulse(news.state === "going" ? `live, ${new Date().toLocaleTimeString()}` : "not going", news.state === "going");
  if (news.beginning !== known.beginning) begin(news);
  hear(news);
  showWarnings(news.warnings);
  showCurves(news.charts, [{ name: news.name }]);
  if (news.rollouts) showRollouts(news.rollouts);
  known.beginning = news.beginning;
  known.step = news.step;
  document.documentElement.dataset.ready = "yes";
}

let timer;
async function loop() {
  clearTimeout(timer);
  try {
    await ask();
  } catch {
    pulse("the server does not answer; to start it again type: tinyreason report --watch RUN", false);
  }
  clearTimeout(timer);
  timer = setTimeout(loop, document.hidden ? HIDDEN_MS : EVERY_MS);
}

at("stop").addEventListener("click", async () => {
  if (!confirm("Stop the run after this step? It is saved, and the same command resumes it.")) return;
  at("stop").disabled = true;
  const answer = await fetch("stop", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }).catch(() => ({ ok: false, statusText: "no answer" }));
  at("stopping").textContent = answer.ok ? "Asked: it ends after this step." : `It could not be asked: ${answer.statusText}.`;
  at("stop").disabled = answer.ok;
  loop();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) loop(); });
loop();
