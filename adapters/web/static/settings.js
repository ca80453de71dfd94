// The panel of a conversation's settings. Each change is a command, as it would be typed; its answer stands beside the field.

import { $, el } from "./dom.js";
import { t } from "./strings.js";

const quoted = (lines) => lines.map((line) => JSON.stringify(line)).join(" ");
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

// name: of the settings row. set: the command for a value; unset: the one that goes back to the default
const FIELDS = [
  { name: "system", area: 4, set: (value) => `/system ${value}` },
  { name: "temperature", input: { type: "text", inputmode: "decimal" } },
  { name: "top_p", input: { type: "text", inputmode: "decimal" } },
  { name: "max_tokens", input: { type: "text", inputmode: "numeric" } },
  { name: "presence_penalty", input: { type: "text", inputmode: "text" } },
  { name: "seed", input: { type: "text", inputmode: "numeric" } },
  {
    name: "stop",
    words: "stop_words",
    area: 2,
    set: (value) => `/set stop ${quoted(lines(value))}`,
    show: (value) => (Array.isArray(value) ? value.join("\n") : String(value)),
  },
  { name: "enable_search", words: "search", choices: ["on", "off"], set: (value) => `/search ${value}`, show: (value) => (value ? "on" : "off") },
  { name: "enable_thinking", words: "think", choices: ["on", "off"], set: (value) => `/think ${value}`, show: (value) => (value ? "on" : "off") },
  {
    name: "translate",
    suggestions: ["English", "Chinese", "Japanese", "Korean", "French", "German", "Spanish", "Russian"],
    input: { type: "text" },
    set: (value) => `/translate ${value}`,
    show: (value) => (value ? [value.source, value.target].filter(Boolean).join(value.both ? " <-> " : " to ") : ""),
  },
];

export class Settings {
  // `press(action)` gives {toast, error}; `read()` the settings in force
  constructor({ press, read }) {
    this.press = press;
    this.read = read;
    this.dialog = $("settings");
    this.rows = new Map();
    this.defaults = {};
  }

  async open() {
    this.build();
    this.dialog.showModal();
    await this.refresh();
  }

  build() {
    $("fields").replaceChildren(...FIELDS.map((field) => this.field(field)));
  }

  async refresh() {
    const { settings, defaults } = await this.read();
    this.rows = new Map(settings.map((row) => [row.name, row]));
    this.defaults = defaults;
    if (this.dialog.open) FIELDS.forEach((field) => this.fill(field));
  }

  field(field) {
    const id = `set-${field.name}`;
    const words = field.words ?? field.name;
    const about = { id, "aria-describedby": `${id}-hint ${id}-said`, autocomplete: "off", spellcheck: "false" };
    let control;
    if (field.choices) {
      const empty = el("option", { value: "" }, t("default"));
      control = el("select", about, empty, ...field.choices.map((one) => el("option", { value: one }, t(one))));
    } else if (field.area) {
      control = el("textarea", { ...about, rows: field.area });
    } else {
      control = el("input", { ...about, ...field.input, list: field.suggestions ? `${id}-list` : null });
    }
    control.addEventListener("change", () => this.commit(field));
    control.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !field.area && !event.isComposing) control.blur();
    });
    const choices = (field.suggestions ?? []).map((value) => el("option", { value }));
    return el(
      "div",
      { class: "field", "data-name": field.name },
      el(
        "div",
        { class: "label" },
        el("label", { for: id }, t(words)),
        el("span", { class: "origin" }),
        el("button", { type: "button", class: "link reset", hidden: true, onclick: () => this.reset(field) }, t("reset")),
      ),
      control,
      choices.length ? el("datalist", { id: `${id}-list` }, ...choices) : null,
      el("p", { class: "explain", id: `${id}-hint` }, t(`${words}_hint`)),
      el("p", { class: "said", id: `${id}-said`, role: "status" }),
    );
  }

  fill(field) {
    const node = this.node(field);
    const row = this.rows.get(field.name);
    const show = field.show ?? String;
    const inherited = row?.own ? row.inherited : (row?.value ?? this.defaults[field.name]);
    const given = inherited === undefined || inherited === null || inherited === "" ? "" : show(inherited);
    const control = $(`set-${field.name}`);
    // a value that was refused stays, to be corrected
    if (document.activeElement !== control && !node.classList.contains("wrong")) control.value = row?.own ? show(row.value) : "";
    if (!field.choices) control.placeholder = given ? t("default_value", { value: given }) : t("default");
    else control.options[0].textContent = given ? t("default_value", { value: t(given) }) : t("default");
    node.classList.toggle("own", Boolean(row?.own));
    node.querySelector(".origin").textContent = row?.own ? t("own") : "";
    node.querySelector(".reset").hidden = !row?.own;
  }

  node(field) {
    return $("fields").querySelector(`[data-name="${field.name}"]`);
  }

  async commit(field) {
    const value = $(`set-${field.name}`).value.trim();
    if (!value) {
      await this.reset(field);
      return;
    }
    await this.do(field, (field.set ?? ((text) => `/set ${field.name} ${text}`))(value));
  }

  async reset(field) {
    this.node(field).classList.remove("wrong");
    if (this.rows.get(field.name)?.own) await this.do(field, `/unset ${field.name}`);
    else this.say(field, "", false);
  }

  async do(field, action) {
    try {
      const answer = await this.press(action);
      this.say(field, answer.toast || t("saved"), answer.error);
      if (answer.error) return;
      await this.refresh();
    } catch (error) {
      this.say(field, error.message, true);
    }
  }

  say(field, text, error) {
    const node = this.node(field);
    node.classList.toggle("wrong", error);
    // a command's error ends with an example of the command, which nobody types here
    const [said, example] = text.split(/\n{2,}(?=[^\n]*\/[a-z]+ [^\n]*$)/);
    node.querySelector(".said").textContent = (error && example ? said : text).replace(/\n{2,}/g, "\n");
    $(`set-${field.name}`).setAttribute("aria-invalid", String(error));
  }
}
