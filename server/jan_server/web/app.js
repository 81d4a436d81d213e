// The page: what the reader does, and what of it the server is asked.

import * as api from "./api.js";
import { Controls } from "./controls.js";
import { Thread } from "./thread.js";

const $ = (id) => document.getElementById(id);
const STARTERS = [
  "Explain how a transformer predicts the next word.",
  "Write a haiku about a fast engine.",
  "Which questions should I ask before I buy a bicycle?",
];

const controls = new Controls($("settings"));
const thread = new Thread($("thread"), $("scroll"), { retry, edit });
let running = null; // the AbortController of the answer that is coming
let defaults = new Map(); // by a model's id: what holds where a control is left alone
let size = null; // tokens a request may have

// --- sending ---------------------------------------------------------------------------------

async function send(text) {
  if (running || !text.trim()) return;
  thread.add({ role: "user", content: text });
  await answer();
}

async function answer() {
  tell("");
  running = new AbortController();
  const message = { role: "assistant", content: "", reasoning: "", running: true };
  const sent = request();
  const index = thread.add(message);
  drawState();
  const times = { began: performance.now(), first: 0 };
  const seen = { usage: null, timings: null, reason: "" };
  try {
    for await (const chunk of api.chat(sent, running.signal)) {
      take(chunk, message, times, seen);
      thread.changed(index);
    }
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
    seen.reason = error.name === "AbortError" ? "stopped" : "broken off";
  }
  running = null;
  message.running = false;
  if (message.content || message.reasoning) {
    message.facts = facts(times, seen);
    thread.finish(index);
  } else {
    thread.cut(index);
  }
  drawState();
  drawContext(seen.usage);
}

function request() {
  const said = thread.messages.map(({ role, content }) => ({ role, content }));
  const system = controls.system ? [{ role: "system", content: controls.system }] : [];
  return { model: $("model").value, messages: [...system, ...said], ...controls.asked };
}

function take(chunk, message, times, seen) {
  const choice = chunk.choices?.[0];
  const { content, reasoning_content: reasoning } = choice?.delta ?? {};
  if ((content || reasoning) && !times.first) times.first = performance.now();
  if (content) message.content += content;
  if (reasoning) message.reasoning += reasoning;
  if (choice?.finish_reason) seen.reason = choice.finish_reason;
  if (chunk.usage) seen.usage = chunk.usage;
  if (chunk.timings) seen.timings = chunk.timings;
}

// "128 tokens · 96.4 tokens/s · first after 0.21 s"
function facts(times, seen) {
  const told = [];
  const tokens = seen.usage?.completion_tokens;
  if (tokens) told.push(tokens === 1 ? "1 token" : `${tokens} tokens`);
  const seconds = (performance.now() - times.first) / 1000;
  const rate = seen.timings?.predicted_per_second ?? (tokens > 1 ? (tokens - 1) / seconds : 0);
  if (rate) told.push(`${rate < 100 ? rate.toFixed(1) : Math.round(rate)} tokens/s`);
  if (times.first) told.push(`first after ${((times.first - times.began) / 1000).toFixed(2)} s`);
  const cached = seen.usage?.prompt_tokens_details?.cached_tokens;
  if (cached) told.push(`${cached} of ${seen.usage.prompt_tokens} known before`);
  if (seen.reason === "length") told.push("the limit was reached");
  else if (seen.reason && seen.reason !== "stop") told.push(seen.reason);
  return told.join(" · ");
}

function retry(index) {
  if (running) return;
  thread.cut(index);
  answer();
}

function edit(index) {
  if (running) return;
  const field = $("message");
  field.value = thread.messages[index].content;
  thread.cut(index);
  fit();
  drawState();
  field.focus();
}

function stop() {
  running?.abort();
}

function clear() {
  stop();
  thread.cut(0);
  tell("");
  drawState();
  drawContext(null);
  $("message").focus();
}

// --- showing ---------------------------------------------------------------------------------

function drawState() {
  $("empty").hidden = thread.messages.length > 0;
  $("send").hidden = Boolean(running);
  $("stop").hidden = !running;
  $("send").disabled = !$("message").value.trim() || $("model").disabled;
}

function drawContext(usage) {
  $("context").hidden = !usage;
  if (!usage) return;
  $("context-text").textContent = size
    ? `${usage.total_tokens} of ${size} tokens`
    : `${usage.total_tokens} tokens`;
  $("context-meter").hidden = !size;
  if (size) $("context-meter").value = usage.total_tokens / size;
}

function tell(text) {
  $("problem").hidden = !text;
  $("problem").textContent = text;
}

function failed(error) {
  if (error.status === 401) askForKey();
  else tell(error.message);
}

function fit() {
  const field = $("message");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 240)}px`;
}

function say(state, text) {
  $("state").dataset.is = state;
  $("state").textContent = text;
}

function askForKey() {
  if (!$("key-dialog").open) $("key-dialog").showModal();
}

// --- the server ------------------------------------------------------------------------------

async function connect() {
  if (!(await api.isReady())) {
    say("waiting", "waiting for the model");
    setTimeout(connect, 1000);
    return;
  }
  try {
    defaults = await api.models();
    const names = [...defaults.keys()];
    const chosen = localStorage.getItem("jan.model");
    $("model").replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
    $("model").disabled = names.length === 0;
    controls.follow(defaults.get($("model").value));
    say("ready", "ready");
    size = await api.contextSize().catch(() => null);
  } catch (error) {
    say("waiting", "not connected");
    failed(error);
  }
  drawState();
}

// --- the reader ------------------------------------------------------------------------------

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = $("message");
  const text = field.value;
  if (running || $("send").disabled) return;
  field.value = "";
  fit();
  send(text);
});

$("message").addEventListener("input", () => {
  fit();
  drawState();
});

$("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  } else if (event.key === "ArrowUp" && !event.target.value) {
    const last = thread.messages.findLastIndex((message) => message.role === "user");
    if (last >= 0) edit(last);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  else if (event.altKey && event.code === "KeyN") clear();
  else if (event.altKey && event.code === "KeyC") toggleControls();
  else if (event.key === "/" && document.activeElement === document.body) $("message").focus();
  else return;
  if (event.key !== "Escape") event.preventDefault();
});

function toggleControls() {
  const shown = document.body.classList.toggle("with-controls");
  $("toggle").setAttribute("aria-expanded", shown);
}

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  localStorage.setItem("jan.theme", name ?? "");
}

$("stop").addEventListener("click", stop);
$("new").addEventListener("click", clear);
$("toggle").addEventListener("click", toggleControls);
$("model").addEventListener("change", () => {
  localStorage.setItem("jan.model", $("model").value);
  controls.follow(defaults.get($("model").value));
});
$("theme").addEventListener("click", () => {
  const current = document.documentElement.dataset.theme;
  const isDark = current ? current === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(isDark ? "light" : "dark");
});
$("key-form").addEventListener("submit", () => {
  api.key.set($("key").value);
  connect();
});

for (const text of STARTERS) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => $("send").disabled && $("model").disabled || send(text));
  const item = document.createElement("li");
  item.append(button);
  $("starters").append(item);
}

setTheme(localStorage.getItem("jan.theme") || undefined);
if (matchMedia("(min-width: 60rem)").matches) document.body.classList.add("with-controls");
$("toggle").setAttribute("aria-expanded", document.body.classList.contains("with-controls"));
drawState();
connect();
