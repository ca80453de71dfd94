// The list of conversations: by day, whole however long it is, to be searched, renamed and deleted (with a way back).

import { get, post } from "./api.js";
import { $, el, icon, toast } from "./dom.js";
import { dayOf, t } from "./strings.js";

const TYPING = 200; // ms of rest before a search begins
const UNDO = 10_000; // ms; the server keeps what was deleted for longer than that

export class Chats {
  // `current()` is the id of the conversation that is shown; `go(id)` shows another; `changed()` when titles may differ
  constructor({ current, go, changed }) {
    this.current = current;
    this.go = go;
    this.changed = changed;
    this.rows = [];
    this.next = null;
    this.alerts = false;
    this.search = "";
    this.asked = 0;
    this.list = $("chats");
    $("chat-find").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.find($("chat-find").value.trim()), TYPING);
    });
    this.list.addEventListener("scroll", () => this.fill());
  }

  title(id) {
    return this.rows.find((row) => row.id === id)?.title;
  }

  async find(words) {
    this.search = words;
    this.rows = [];
    this.next = null;
    await this.read();
    this.list.scrollTop = 0;
  }

  // The first page anew, above what is known of the rest.
  async read() {
    const answer = await this.page("");
    if (!answer) return;
    const fresh = new Set(answer.chats.map((row) => row.id));
    const last = answer.chats.at(-1);
    const older = answer.more && this.next ? this.rows.filter((row) => !fresh.has(row.id) && row.at <= last.at) : [];
    this.rows = [...answer.chats, ...older];
    if (!older.length) this.next = answer.more;
    this.show();
    this.changed();
  }

  // The next page, when the end of the list comes near.
  async fill() {
    const room = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight;
    if (room > 400 || !this.next || this.filling) return;
    this.filling = true;
    const answer = await this.page(this.next);
    this.filling = false;
    if (!answer) return;
    const known = new Set(this.rows.map((row) => row.id));
    this.rows.push(...answer.chats.filter((row) => !known.has(row.id)));
    this.next = answer.more;
    this.show();
  }

  // Null if it can't be had, or if something else was asked for meanwhile.
  async page(after) {
    const asked = ++this.asked;
    const answer = await get(`/api/chats?after=${after}&search=${encodeURIComponent(this.search)}`).catch(() => null);
    if (!answer || asked !== this.asked) return null;
    this.alerts ||= answer.alerts;
    return answer;
  }

  show() {
    if (this.list.querySelector(".renaming")) return; // not under somebody's hands
    const groups = [];
    for (const row of this.rows) {
      const day = dayOf(row.at);
      if (groups.at(-1)?.day !== day) groups.push({ day, rows: [] });
      groups.at(-1).rows.push(this.row(row));
    }
    const sections = groups.map(({ day, rows }) => el("section", {}, el("h2", {}, day), el("ul", {}, ...rows)));
    if (!sections.length && this.search) sections.push(el("p", { class: "none" }, t("no_chat")));
    const held = this.list.contains(document.activeElement) ? document.activeElement.closest("li")?.querySelector("a").hash : null;
    this.list.replaceChildren(...sections);
    if (held) [...this.list.querySelectorAll("a")].find((link) => link.hash === held)?.focus();
    this.fill();
  }

  row(row) {
    const title = row.title || t("untitled");
    const here = row.id === this.current() ? "page" : null;
    const tool = (name, sign, act) => {
      const words = t(name, { title });
      return el("button", { type: "button", class: "small", "aria-label": words, title: words, onclick: act }, icon(sign));
    };
    const node = el(
      "li",
      {},
      el("a", { href: `#${row.id}`, "aria-current": here, title }, title),
      tool("rename_chat", "pencil", () => this.rename(row, node)),
      tool("delete_chat", "trash", () => this.remove(row)),
    );
    return node;
  }

  rename(row, node) {
    const input = el("input", { type: "text", class: "renaming", value: row.title, maxlength: 120, "aria-label": t("new_title") });
    let over = false;
    const end = async (keep) => {
      if (over) return;
      over = true;
      const title = input.value.trim();
      input.remove();
      this.show();
      if (!keep || title === row.title) return;
      await this.ask(`/api/chats/${row.id}/title`, { title });
      await this.read();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation(); // Escape would stop an answer
      if (event.isComposing) return;
      if (event.key === "Enter") end(true);
      else if (event.key === "Escape") end(false);
    });
    input.addEventListener("blur", () => end(true));
    node.replaceChildren(input);
    input.focus();
    input.select();
  }

  async remove(row) {
    if (!(await this.ask(`/api/chats/${row.id}/delete`))) return;
    const shown = row.id === this.current();
    this.rows = this.rows.filter((other) => other !== row);
    this.show();
    if (shown) this.go(null);
    const undo = async () => {
      if (await this.ask(`/api/chats/${row.id}/restore`)) await this.read();
      if (shown) this.go(row.id);
    };
    toast(t("deleted", { title: row.title || t("untitled") }), false, { label: t("undo"), act: undo, time: UNDO });
  }

  async ask(path, body = {}) {
    try {
      await post(path, body);
      return true;
    } catch (error) {
      toast(error.message, true);
      return false;
    }
  }
}
