// The model picker: a list to search, with what each model costs and can do.

import { get } from "./api.js";
import { $, el, icon } from "./dom.js";
import { money, number, t } from "./strings.js";

const ABILITIES = [
  ["image", "can_image", "image"],
  ["video", "can_video", "video"],
  ["search", "can_search", "globe"],
  ["reasoning", "can_reasoning", "thought"],
  ["translation", "can_translation", "translate"],
];

const RECENT = 120 * 86_400_000; // ms

export class Models {
  // `choose(id)` gives "" when it is done, else what went wrong
  constructor(choose) {
    this.choose = choose;
    this.models = [];
    this.current = "";
    this.active = 0;
    this.dialog = $("models");
    $("model-find").addEventListener("input", () => {
      this.active = 0;
      this.show();
    });
    $("model-find").addEventListener("keydown", (event) => this.key(event));
  }

  async open(current) {
    this.current = current;
    this.complain("");
    $("model-find").value = "";
    this.dialog.showModal();
    $("model-find").focus();
    try {
      this.models = (await get("/api/models")).models;
    } catch (error) {
      this.complain(error.message);
    }
    this.active = Math.max(0, this.found().findIndex((model) => model.id === current));
    this.show("center");
  }

  found() {
    const words = $("model-find").value.toLowerCase().split(/\s+/).filter(Boolean);
    return this.models.filter((model) => {
      const text = `${model.id} ${model.name} ${model.family}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  show(block = "nearest") {
    const found = this.found();
    const rows = found.map((model, index) => this.row(model, index));
    $("model-list").replaceChildren(...rows);
    if (!rows.length && this.models.length) $("model-list").append(el("li", { class: "none" }, t("no_model")));
    const active = rows[this.active];
    $("model-find").setAttribute("aria-activedescendant", active?.id ?? "");
    active?.scrollIntoView({ block });
  }

  row(model, index) {
    const chosen = model.id === this.current;
    const abilities = ABILITIES.filter(([name]) => model[name]).map(([, words, sign]) =>
      el("span", { class: "ability" }, icon(sign), t(words)),
    );
    const facts = [price(model.price)];
    if (model.context) facts.push(t("context", { size: size(model.context) }));
    return el(
      "li",
      {
        id: `model-${index}`,
        class: index === this.active ? "active" : null,
        role: "option",
        "aria-selected": String(chosen),
        "data-id": model.id,
        onclick: () => this.pick(model),
      },
      el(
        "div",
        { class: "first" },
        el("strong", {}, model.name),
        model.name === model.id ? null : el("code", {}, model.id),
        isRecent(model.date) ? el("span", { class: "recent", title: model.date }, t("recent")) : null,
        chosen ? icon("check") : null,
      ),
      el("div", { class: "facts" }, facts.join(" · ")),
      abilities.length ? el("div", { class: "abilities" }, ...abilities) : null,
    );
  }

  key(event) {
    const found = this.found();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      this.active = (this.active + step + found.length) % found.length;
      this.show();
    } else if (event.key === "Enter" && !event.isComposing && found[this.active]) {
      event.preventDefault();
      this.pick(found[this.active]);
    }
  }

  async pick(model) {
    const trouble = await this.choose(model.id);
    this.complain(trouble);
    if (!trouble) this.dialog.close();
  }

  complain(text) {
    $("model-trouble").textContent = text;
    $("model-trouble").hidden = !text;
  }
}

// By its date: a mark in a price list grows old.
const isRecent = (date) => Date.now() - Date.parse(date) < RECENT;

function price(known) {
  if (!known) return t("price_unknown");
  const show = (amount) => money({ amount, currency: known.currency });
  if (known.flat !== undefined) return t("price_flat", { price: show(known.flat) });
  if (known.input === undefined || known.output === undefined) return t("price_unknown");
  return t("price_split", { input: show(known.input), output: show(known.output) });
}

// 131072 tokens are said as 128K, 30000 as 30K, 1000000 as 1M
function size(tokens) {
  if (tokens >= 1e6) return `${number(Math.round(tokens / 1e5) / 10)}M`;
  return `${number(Math.round(tokens / (tokens % 1024 === 0 ? 1024 : 1000)))}K`;
}
