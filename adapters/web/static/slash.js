// The commands, offered while one is being written.

import { get } from "./api.js";
import { $, el } from "./dom.js";
import { languageTag } from "./strings.js";

export class Slash {
  constructor() {
    this.input = $("input");
    this.list = $("slash");
    this.found = [];
    this.active = 0;
    this.commands = new Map(); // by language
    this.input.addEventListener("input", () => this.offer());
    this.input.addEventListener("blur", () => this.hide());
  }

  async offer() {
    const typed = this.input.value;
    const word = /^\/([a-z]*)$/i.exec(typed)?.[1].toLowerCase();
    if (word === undefined) {
      this.hide();
      return;
    }
    const all = await this.known();
    if (this.input.value !== typed) return;
    this.found = all.filter(([name]) => name.startsWith(word) && name !== word);
    this.active = 0;
    this.show();
  }

  async known() {
    const language = languageTag();
    if (!this.commands.has(language)) {
      const answer = await get(`/api/commands?language=${language}`).catch(() => ({ commands: [] }));
      this.commands.set(language, answer.commands);
    }
    return this.commands.get(language);
  }

  show() {
    const rows = this.found.map(([name, line], index) => {
      const onmousedown = (event) => {
        event.preventDefault(); // the focus stays where one writes
        this.take(index);
      };
      const chosen = index === this.active;
      return el("li", { id: `slash-${index}`, role: "option", "aria-selected": String(chosen), onmousedown }, el("code", {}, `/${name}`), el("span", {}, line));
    });
    this.list.replaceChildren(...rows);
    this.list.hidden = rows.length === 0;
    if (this.list.hidden) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `slash-${this.active}`);
    rows[this.active]?.scrollIntoView({ block: "nearest" });
  }

  hide() {
    this.found = [];
    this.show();
  }

  take(index) {
    this.input.value = `/${this.found[index][0]} `;
    this.input.dispatchEvent(new Event("input"));
  }

  // Whether the key was for the list.
  key(event) {
    if (this.list.hidden || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.active = (this.active + step + this.found.length) % this.found.length;
    else if (event.key === "Tab" && !event.shiftKey) this.take(this.active);
    else if (event.key === "Enter" && !event.shiftKey && this.moved) this.take(this.active);
    else if (event.key !== "Escape") return false;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") this.hide();
    else if (step) this.show();
    this.moved = Boolean(step);
    return true;
  }
}
