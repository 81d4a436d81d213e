// Markdown to elements, never through HTML: what a model writes stays text.

// Shows `text` in `element`. Blocks that have not changed keep their elements, so that a growing
// answer costs its last block only, and what the reader has selected above stays selected.
export function show(element, text) {
  const wanted = blocks(text);
  const shown = [...element.children];
  wanted.forEach((source, i) => {
    if (shown[i]?.source === source) return;
    const made = block(source);
    made.source = source;
    if (shown[i]) shown[i].replaceWith(made);
    else element.append(made);
  });
  for (const extra of shown.slice(wanted.length)) extra.remove();
}

// Source texts of the blocks: split at empty lines and headings, but not within fences.
function blocks(text) {
  const found = [];
  let lines = [];
  let fence = null;
  const close = () => {
    if (lines.length) found.push(lines.join("\n"));
    lines = [];
  };
  for (const line of text.split("\n")) {
    const mark = line.match(/^ {0,3}(`{3,}|~{3,})/)?.[1];
    if (fence) {
      lines.push(line);
      if (mark && mark[0] === fence[0] && mark.length >= fence.length) {
        fence = null;
        close();
      }
    } else if (mark) {
      close();
      fence = mark;
      lines.push(line);
    } else if (!line.trim()) {
      close();
    } else if (/^#{1,6} /.test(line)) {
      close();
      lines.push(line);
      close();
    } else {
      if (lines.length && kind(lines[0]) !== kind(line) && !/^\s/.test(line)) {
        if (kind(line) !== "text" || kind(lines[0]) === "table") close();
      }
      lines.push(line);
    }
  }
  close();
  return found;
}

function kind(line) {
  if (/^\s*([-*+]|\d{1,9}[.)])\s/.test(line)) return "list";
  if (/^\s*>/.test(line)) return "quote";
  if (/^\s*\|.*\|\s*$/.test(line)) return "table";
  return "text";
}

function block(source) {
  const lines = source.split("\n");
  const first = lines[0];
  if (/^ {0,3}(`{3,}|~{3,})/.test(first)) return code(lines);
  const heading = first.match(/^(#{1,6}) +(.*?)#*$/);
  if (heading) return spans(create(`h${Math.min(6, heading[1].length + 2)}`), heading[2]);
  if (/^ {0,3}([-*_])( *\1){2,} *$/.test(source)) return create("hr");
  if (kind(first) === "list") return list(lines);
  if (kind(first) === "quote") {
    const quote = create("blockquote");
    show(quote, lines.map((line) => line.replace(/^\s*> ?/, "")).join("\n"));
    return quote;
  }
  if (kind(first) === "table" && /^[\s|:-]+$/.test(lines[1] ?? "")) return table(lines);
  return spans(create("p"), source);
}

function code(lines) {
  const language = lines[0].replace(/^\s*[`~]+/, "").trim();
  const isClosed = lines.length > 1 && /^ {0,3}(`{3,}|~{3,})\s*$/.test(lines.at(-1));
  const text = lines.slice(1, isClosed ? -1 : undefined).join("\n");
  const figure = create("figure", "code");
  const caption = create("figcaption");
  const copy = create("button", "quiet");
  copy.type = "button";
  copy.textContent = "Copy";
  copy.addEventListener("click", () => copyText(copy, text));
  caption.append(create("span", "", language || "text"), copy);
  const pre = create("pre");
  pre.tabIndex = 0;
  pre.append(create("code", "", text));
  figure.append(caption, pre);
  return figure;
}

function list(lines) {
  const ordered = /^\s*\d/.test(lines[0]);
  const made = create(ordered ? "ol" : "ul");
  if (ordered) made.start = Number.parseInt(lines[0], 10);
  const indent = lines[0].match(/^\s*/)[0].length;
  let item = [];
  const close = () => {
    if (!item.length) return;
    const element = create("li");
    const [text, ...rest] = item;
    const nested = rest.findIndex((line) => kind(line) === "list");
    const own = nested < 0 ? rest : rest.slice(0, nested);
    spans(element, [text, ...own.map((line) => line.trim())].join("\n"));
    if (nested >= 0) element.append(list(rest.slice(nested)));
    made.append(element);
    item = [];
  };
  for (const line of lines) {
    const mark = line.match(/^(\s*)([-*+]|\d{1,9}[.)])\s+/);
    if (mark && mark[1].length <= indent + 1) {
      close();
      item = [line.slice(mark[0].length)];
    } else {
      item.push(line);
    }
  }
  close();
  return made;
}

function table(lines) {
  const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((text) => text.trim());
  const row = (line, name) => {
    const made = create("tr");
    for (const text of cells(line)) made.append(spans(create(name), text));
    return made;
  };
  const made = create("table");
  const head = create("thead");
  head.append(row(lines[0], "th"));
  const body = create("tbody");
  body.append(...lines.slice(2).map((line) => row(line, "td")));
  made.append(head, body);
  const wide = create("div", "wide");
  wide.append(made);
  return wide;
}

const SPAN =
  /(`+)([\s\S]*?[^`])\1(?!`)|\*\*([^\s*](?:[\s\S]*?[^\s])?)\*\*|(?<![\w*])[*_]([^\s*_](?:[^*_]*?[^\s*_])?)[*_](?![\w*])|\[([^\]\n]+)\]\((https?:\/\/[^\s)]+)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?'"])/g;

function spans(parent, text) {
  let at = 0;
  for (const found of text.matchAll(SPAN)) {
    parent.append(text.slice(at, found.index));
    at = found.index + found[0].length;
    const [, ticks, inner, strong, emphasis, label, target, bare] = found;
    if (ticks) parent.append(create("code", "", inner.trim() || inner));
    else if (strong) parent.append(spans(create("strong"), strong));
    else if (emphasis) parent.append(spans(create("em"), emphasis));
    else parent.append(link(label ?? bare, target ?? bare));
  }
  parent.append(text.slice(at));
  return parent;
}

function link(label, target) {
  const made = create("a", "", label);
  made.href = target;
  made.target = "_blank";
  made.rel = "noopener noreferrer nofollow";
  return made;
}

export function create(name, classes = "", text = "") {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}

export async function copyText(button, text) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => (button.textContent = before), 1200);
}
