// The sampling controls. A field that is left alone sends nothing, so the server's default holds.

import { create } from "./markdown.js";

const STORED = "jan.settings";

const FIELDS = [
  { name: "system", label: "System prompt", kind: "text", rows: 4, placeholder: "None" },
  { name: "temperature", kind: "range", min: 0, max: 2, step: 0.05,
    help: "How much chance decides. 0 always takes the likeliest token." },
  { name: "top_p", kind: "range", min: 0.05, max: 1, step: 0.05,
    help: "Choose among the likeliest tokens that have this much probability together." },
  { name: "min_p", kind: "range", min: 0, max: 1, step: 0.01,
    help: "Leave out tokens less likely than this share of the likeliest." },
  { name: "top_k", kind: "number", min: 0, max: 1000, step: 1,
    help: "Choose among this many of the likeliest tokens. 0: all." },
  { name: "repeat_penalty", kind: "range", min: 0.8, max: 2, step: 0.05,
    help: "Above 1, what was just said becomes less likely." },
  { name: "presence_penalty", kind: "range", min: -2, max: 2, step: 0.1 },
  { name: "frequency_penalty", kind: "range", min: -2, max: 2, step: 0.1 },
  { name: "max_tokens", kind: "number", min: 1, step: 1, placeholder: "until it ends" },
  { name: "seed", kind: "number", min: 0, max: 4294967295, step: 1, placeholder: "by chance",
    help: "The same seed makes the same draws again. Rounding can still part two answers." },
  { name: "stop", label: "Stop texts", kind: "text", rows: 2, placeholder: "One per line" },
  { name: "thinking", label: "Let it think first", kind: "switch", usual: true },
  { name: "json", label: "Answer in JSON", kind: "switch", usual: false },
];

export class Controls {
  constructor(form) {
    this.values = read();
    this.form = form;
    const reset = create("button", "quiet", "Reset");
    reset.type = "button";
    reset.addEventListener("click", () => this.reset());
    const head = create("div", "head");
    head.append(create("h2", "", "Controls"), reset);
    form.replaceChildren(head, ...FIELDS.map((field) => this.field(field)));
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  get system() {
    return this.values.system?.trim() ?? "";
  }

  // As fields of a chat request.
  get asked() {
    const { system, stop, thinking, json, ...numbers } = this.values;
    const asked = { ...numbers };
    const stops = (stop ?? "").split("\n").filter(Boolean);
    if (stops.length) asked.stop = stops;
    if (thinking === false) asked.chat_template_kwargs = { enable_thinking: false };
    if (json) asked.response_format = { type: "json_object" };
    return asked;
  }

  reset() {
    this.values = {};
    localStorage.removeItem(STORED);
    for (const row of this.form.querySelectorAll(".row")) row.reset();
  }

  // What holds where a control is left alone, as the model chosen above the thread has it.
  follow(parameters = {}) {
    for (const field of FIELDS) {
      if (field.kind !== "range" && field.kind !== "number") continue;
      const usual = Number.parseFloat(parameters[field.name]);
      if (!Number.isNaN(usual)) field.usual = usual;
    }
    for (const row of this.form.querySelectorAll(".row")) row.draw();
  }

  field(field) {
    const row = create("div", `row ${field.kind}`);
    const id = `control-${field.name}`;
    const label = create("label", "", field.label ?? field.name.replaceAll("_", " "));
    label.htmlFor = id;
    const input = create(field.kind === "text" ? "textarea" : "input");
    input.id = id;
    input.name = field.name;
    if (field.help) label.title = input.title = field.help;
    const shown = create("output");
    shown.htmlFor = id;
    const set = (value) => {
      row.classList.toggle("changed", value !== undefined);
      if (field.kind === "switch") input.checked = value ?? field.usual;
      else input.value = value ?? (field.kind === "range" ? (field.usual ?? field.min) : "");
      if (field.kind !== "range") input.placeholder = field.placeholder ?? field.usual ?? "";
      shown.textContent = value ?? field.usual ?? "";
    };
    if (field.kind === "text") {
      input.rows = field.rows;
    } else if (field.kind === "switch") {
      input.type = "checkbox";
      input.setAttribute("role", "switch");
    } else {
      input.type = field.kind;
      for (const limit of ["min", "max", "step"]) {
        if (field[limit] !== undefined) input[limit] = field[limit];
      }
    }
    input.addEventListener("input", () => {
      if (!input.checkValidity()) return;
      const value = valueOf(field, input);
      this.keep(field.name, value);
      row.classList.toggle("changed", value !== undefined);
      shown.textContent = value ?? field.usual ?? "";
    });
    row.reset = () => set(undefined);
    row.draw = () => set(this.values[field.name]);
    set(this.values[field.name]);
    row.append(label, ...(field.kind === "range" ? [shown] : []), input);
    return row;
  }

  keep(name, value) {
    if (value === undefined) delete this.values[name];
    else this.values[name] = value;
    localStorage.setItem(STORED, JSON.stringify(this.values));
  }
}

// Undefined where it is the usual one, or none.
function valueOf(field, input) {
  if (field.kind === "switch") return input.checked === field.usual ? undefined : input.checked;
  if (input.value === "") return undefined;
  return field.kind === "text" ? input.value : input.valueAsNumber;
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? {};
  } catch {
    return {};
  }
}
