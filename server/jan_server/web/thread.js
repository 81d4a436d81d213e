// The conversation as it is seen and kept: one item per message, stored until it is cleared.

import { copyText, create, show } from "./markdown.js";

const STORED = "jan.thread";
const NEAR_END = 80; // pixels; who reads further up is left where they are

export class Thread {
  // `actions`: retry(), edit(index)
  constructor(list, scroll, actions) {
    this.list = list;
    this.scroll = scroll;
    this.actions = actions;
    this.messages = [];
    this.items = [];
    for (const message of read()) this.add(message);
  }

  add(message) {
    const index = this.messages.length;
    this.messages.push(message);
    const item = create("li", message.role);
    const body = create("div", "body");
    if (message.role === "user") {
      body.textContent = message.content;
    } else {
      item.thinking = create("details", "thinking");
      item.thinking.hidden = true;
      item.thinking.append(create("summary", "", "Thoughts"), create("div", "body"));
      item.append(item.thinking);
    }
    item.body = body;
    item.foot = create("div", "foot");
    item.append(body, item.foot);
    this.list.append(item);
    this.items.push(item);
    this.draw(index);
    this.finish(index);
    this.follow(true);
    return index;
  }

  // Shows what the message has become; at most once per frame.
  changed(index) {
    if (this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = 0;
      this.draw(index);
      this.follow();
    });
  }

  draw(index) {
    const message = this.messages[index];
    const item = this.items[index];
    if (!item || message.role === "user") return;
    show(item.body, message.content);
    item.thinking.hidden = !message.reasoning;
    if (message.reasoning) show(item.thinking.lastChild, message.reasoning);
    item.classList.toggle("running", Boolean(message.running));
    if (message.running) item.thinking.open = !message.content;
  }

  // The line under a message that is whole.
  finish(index) {
    const message = this.messages[index];
    const item = this.items[index];
    if (message.running) return;
    this.draw(index);
    item.thinking?.removeAttribute("open");
    const button = (text, action) => {
      const made = create("button", "quiet", text);
      made.type = "button";
      made.addEventListener("click", () => action(made));
      return made;
    };
    const facts = create("span", "facts", message.facts ?? "");
    if (message.role === "user") {
      item.foot.replaceChildren(button("Edit", () => this.actions.edit(index)));
    } else {
      item.foot.replaceChildren(
        facts,
        button("Copy", (made) => copyText(made, message.content)),
        button("Again", () => this.actions.retry(index)),
      );
    }
    this.keep();
  }

  cut(length) {
    this.messages.length = length;
    for (const item of this.items.splice(length)) item.remove();
    this.keep();
  }

  keep() {
    const whole = this.messages.filter((message) => !message.running);
    try {
      localStorage.setItem(STORED, JSON.stringify(whole));
    } catch {
      // The store is full: the conversation goes on, and a reload shows it as it was.
    }
  }

  follow(always = false) {
    const { scrollHeight, scrollTop, clientHeight } = this.scroll;
    if (always || scrollHeight - scrollTop - clientHeight < NEAR_END) {
      this.scroll.scrollTop = scrollHeight;
    }
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}
