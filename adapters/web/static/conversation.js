// Shows the turns of one conversation: the questions, and the answers as they grow.

import { $, copy, el, fromServer, icon, toast } from "./dom.js";
import { clockOf, t } from "./strings.js";

const QUIET_NOTES = new Set(["model", "cost", "reasoning"]);
const OUTCOMES = new Set(["stopped", "expired", "gone"]);

export class Conversation {
  // `press(action, post)` asks the core for something; `changed()` is called whenever something stands differently
  constructor({ press, changed, again, discard }) {
    this.log = $("log");
    this.scroller = $("scroll");
    this.press = press;
    this.changed = changed;
    this.again = again;
    this.discard = discard;
    this.turns = new Map();
    this.pending = new Map();
    this.pinned = true;
    this.last = 0; // scrollTop when the browser told of it last
    this.own = 0; // and where we scrolled to ourselves
    this.watchScrolling();
  }

  clear() {
    this.turns.clear();
    this.pending.clear();
    this.log.replaceChildren();
    this.pinned = true;
  }

  get isOpen() {
    return [...this.turns.values()].some((turn) => turn.view.open);
  }

  get isEmpty() {
    return this.turns.size === 0 && this.pending.size === 0;
  }

  // What a conversation is called as long as the list doesn't say.
  get firstWords() {
    const first = [...this.turns.values()].find((turn) => turn.view.kind === "question" && turn.view.messages[0]?.text);
    return first?.view.messages[0].text.trim().split("\n")[0].slice(0, 60) ?? "";
  }

  get newest() {
    const own = [...this.turns.keys()].filter((id) => id > 0);
    return own.length ? Math.max(...own) : null;
  }

  // ── what the server tells ───────────────────────────────────────────────────────────────────────────────────────

  // Everything anew: what isn't told again is gone.
  replace(views) {
    const told = new Set(views.map((view) => view.id));
    for (const [id, turn] of this.turns) {
      if (told.has(id)) continue;
      turn.node.remove();
      this.turns.delete(id);
    }
    views.forEach((view) => this.showTurn(view));
    const order = views.map((view) => this.turns.get(view.id).node);
    const standing = [...this.log.querySelectorAll(":scope > .turn:not(.pending)")];
    if (order.some((node, index) => node !== standing[index])) this.log.prepend(...order);
    this.settle();
  }

  // Earlier turns, above what is shown; the reader's place doesn't move.
  prepend(views) {
    const before = this.scroller.scrollHeight - this.scroller.scrollTop;
    const fresh = views.filter((view) => !this.turns.has(view.id));
    fresh.forEach((view) => this.showTurn(view));
    this.log.prepend(...fresh.map((view) => this.turns.get(view.id).node));
    this.scroller.scrollTop = this.scroller.scrollHeight - before;
  }

  turn(view) {
    this.showTurn(view);
    this.settle();
  }

  // One piece grew. False if its turn isn't known here.
  piece({ turn: id, posts, piece }) {
    const turn = this.turns.get(id);
    if (!turn) return false;
    const others = turn.view.pieces.filter((other) => other.post !== piece.post && posts.includes(other.post));
    const pieces = [...others, piece].sort((a, b) => posts.indexOf(a.post) - posts.indexOf(b.post));
    this.showTurn({ ...turn.view, pieces, open: turn.view.open || piece.growing, waiting: false });
    this.settle();
    return true;
  }

  // Nobody works on it any more, whether or not anything looks different now. False if it still stands open here.
  ended(id) {
    const turn = this.turns.get(id);
    turn?.node.classList.remove("replacing");
    return !turn?.view.open;
  }

  showTurn(view) {
    let turn = this.turns.get(view.id);
    if (!turn) {
      turn = this.newTurn(view.id);
      const later = [...this.turns].find(([id]) => view.id > 0 && id > view.id);
      if (later) later[1].node.before(turn.node);
      else this.append(turn.node);
      this.turns.set(view.id, turn);
    }
    turn.view = view;
    turn.node.classList.remove("replacing");
    this.showQuestions(turn, view.messages);
    this.showPieces(turn, view);
    this.showThinking(turn, view);
    for (const message of view.messages) this.confirm(message.client);
  }

  newTurn(id) {
    const questions = el("div", { class: "questions" });
    const pieces = el("div", { class: "pieces" });
    const thinking = el("div", { class: "thinking", hidden: true });
    const answer = el("article", { class: "answer", "aria-label": t("answer"), hidden: true }, pieces, thinking);
    const node = el("section", { class: "turn", "data-turn": id }, questions, answer);
    return { id, node, questions, answer, pieces, thinking, shown: new Map(), asked: "", view: null };
  }

  append(node) {
    const first = this.log.querySelector(":scope > .pending");
    if (first) first.before(node);
    else this.log.append(node);
  }

  showQuestions(turn, messages) {
    const asked = JSON.stringify(messages);
    if (asked === turn.asked) return;
    turn.asked = asked;
    turn.questions.replaceChildren(...messages.map((message) => question(message.text, message.files)));
  }

  showPieces(turn, view) {
    const posts = new Set(view.pieces.map((piece) => piece.post));
    for (const [post, shown] of turn.shown) {
      if (posts.has(post)) continue;
      shown.node.remove();
      turn.shown.delete(post);
    }
    view.pieces.forEach((piece, index) => {
      const shown = turn.shown.get(piece.post) ?? newPiece();
      turn.shown.set(piece.post, shown);
      if (turn.pieces.children[index] !== shown.node) turn.pieces.insertBefore(shown.node, turn.pieces.children[index] ?? null);
      this.showPiece(turn, shown, piece, index === view.pieces.length - 1);
    });
    turn.answer.setAttribute("aria-busy", String(view.open));
  }

  showPiece(turn, shown, piece, last) {
    showBlocks(shown, piece.blocks);
    if (!piece.growing) levelHeadings(shown.prose);
    shown.node.classList.toggle("growing", piece.growing);
    const words = [document.documentElement.lang, new Date().toDateString()];
    const rest = JSON.stringify([piece.notes, piece.menu, piece.growing, last, turn.view.kind, ...words]);
    if (rest === shown.rest) return;
    shown.rest = rest;
    shown.above.replaceChildren(...piece.notes.filter((note) => note.kind === "reasoning").map(reasoning));
    const loud = piece.notes.filter((note) => !QUIET_NOTES.has(note.kind));
    const below = loud.map((note) => el("p", { class: `note ${note.kind}` }, note.text));
    if (!piece.growing && piece.menu.length) below.push(this.menu(turn, piece));
    if (!piece.growing && last) below.push(this.footer(turn, piece));
    shown.below.classList.toggle("row", loud.length > 0); // what happened and what can be done about it: one line
    shown.below.replaceChildren(...below);
  }

  menu(turn, piece) {
    const rows = piece.menu.map((row) => el("div", { class: "choices" }, ...row.map((choice) => this.choice(turn, piece, choice))));
    const single = piece.menu.every((row) => row.length === 1);
    return el("div", { class: single ? "menu single" : "menu" }, ...rows);
  }

  choice(turn, piece, choice) {
    const look = choice.chosen ? "choice chosen" : "choice";
    if (/^https?:\/\//i.test(choice.url)) {
      return el("a", { class: look, href: choice.url, target: "_blank", rel: "noopener noreferrer" }, choice.label);
    }
    const onclick = (event) => this.pressed(turn, event.currentTarget, choice.action, piece.post);
    return el("button", { type: "button", class: look, "aria-pressed": choice.chosen ? "true" : null, onclick }, choice.label);
  }

  async pressed(turn, button, action, post) {
    button.disabled = true;
    if (action.startsWith("/retry")) turn.node.classList.add("replacing");
    const done = await this.press(action, post);
    if (!done) turn.node.classList.remove("replacing");
    button.disabled = false;
  }

  footer(turn, piece) {
    const quiet = piece.notes.filter((note) => note.kind === "model" || note.kind === "cost").map((note) => note.text);
    const [time, moment] = clockOf(turn.view.at);
    const about = [el("time", { datetime: new Date(turn.view.at).toISOString(), title: moment }, time)];
    about.push(...quiet.map((text) => el("span", {}, text)));
    const buttons = [];
    if (piece.source) {
      const onclick = (event) => copied(event.currentTarget, piece.source);
      buttons.push(el("button", { type: "button", class: "small", "aria-label": t("copy_answer"), title: t("copy_answer"), onclick }, icon("copy")));
    }
    if (turn.view.kind === "question" && !piece.menu.length) {
      const onclick = (event) => this.pressed(turn, event.currentTarget, `/retry ${turn.id}`, piece.post);
      buttons.push(el("button", { type: "button", class: "small again", "aria-label": t("retry"), title: t("retry"), onclick }, icon("retry")));
    }
    return el("footer", { class: "meta" }, el("span", { class: "tools-small" }, ...buttons), el("span", { class: "about-answer" }, ...about));
  }

  // What stands where nothing is to be read yet, or never will be.
  showThinking(turn, view) {
    const thinking = view.open && !view.pieces.some((piece) => piece.growing);
    const ended = !view.open && view.pieces.length === 0 && OUTCOMES.has(view.outcome);
    turn.thinking.hidden = !thinking && !ended;
    turn.answer.hidden = view.pieces.length === 0 && !view.open && !ended;
    const words = ended ? t(`outcome_${view.outcome}`) : t(view.waiting ? "waiting" : "thinking");
    if (turn.thinking.hidden || turn.thinking.dataset.words === words) return;
    turn.thinking.dataset.words = words;
    const dots = el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    turn.thinking.replaceChildren(...(ended ? [words, this.retry(turn)] : [dots, words]));
  }

  retry(turn) {
    const onclick = (event) => this.pressed(turn, event.currentTarget, `/retry ${turn.id}`, null);
    return el("button", { type: "button", class: "choice", onclick }, t("retry"));
  }

  // Words of the page itself have to be said anew in another language.
  relabel() {
    for (const turn of this.turns.values()) {
      turn.thinking.dataset.words = "";
      this.showTurn(turn.view);
    }
    for (const item of this.pending.values()) this.showPending(item);
  }

  // ── what is on its way to the server ────────────────────────────────────────────────────────────────────────────

  // {id, text, files, state: "sending" | "failed" | "sent", reason}
  showPending(item) {
    if ([...this.turns.values()].some((turn) => turn.view.messages.some((message) => message.client === item.id))) return;
    const old = this.pending.get(item.id)?.node;
    const node = el("section", { class: `turn pending ${item.state}` }, question(item.text, item.files));
    if (item.state === "failed") node.append(this.failure(item));
    else node.append(el("p", { class: "sending hidden" }, t("sending")));
    if (old) old.replaceWith(node);
    else this.log.append(node);
    this.pending.set(item.id, { ...item, node });
    this.settle();
  }

  failure(item) {
    return el(
      "p",
      { class: "failure", role: "alert" },
      el("span", {}, `${t("not_sent")} ${item.reason ?? ""}`),
      el("button", { type: "button", class: "link", onclick: () => this.again(item.id) }, t("send_again")),
      el("button", { type: "button", class: "link", onclick: () => this.discard(item.id) }, t("discard")),
    );
  }

  confirm(id) {
    this.pending.get(id)?.node.remove();
    this.pending.delete(id);
  }

  // ── scrolling ───────────────────────────────────────────────────────────────────────────────────────────────────

  // Growth is followed unless the reader has scrolled up, by whatever means. The browser tells of a scroll some time after
  // it happened: our own, told late, must not look like the reader coming back to the end.
  watchScrolling() {
    const up = () => (this.pinned = false);
    this.scroller.addEventListener("wheel", (event) => event.deltaY < 0 && up(), { passive: true });
    this.scroller.addEventListener("keydown", (event) => ["ArrowUp", "PageUp", "Home"].includes(event.key) && up());
    this.scroller.addEventListener("scroll", () => {
      const { scrollHeight, clientHeight, scrollTop } = this.scroller;
      const room = scrollHeight - clientHeight - scrollTop;
      if (scrollTop !== this.own) {
        if (scrollTop < this.last && room > 4) {
          this.pinned = false;
          this.own = -1; // from here on, the end is the reader's again
        } else if (scrollTop > this.last && room < 24) this.pinned = true;
      }
      this.last = scrollTop;
      $("latest").hidden = room < 240;
    });
    new ResizeObserver(() => this.pinned && this.toEnd()).observe(this.scroller);
    $("latest").addEventListener("click", () => {
      this.pinned = true;
      this.toEnd();
    });
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.own = this.scroller.scrollTop;
  }

  settle() {
    if (this.pinned) this.toEnd();
    this.changed();
  }
}

// ── small things ────────────────────────────────────────────────────────────────────────────────────────────────────

function question(text, files) {
  const pictures = files.map((file) => {
    const name = file.name || t("picture");
    const path = `/api/files/${encodeURIComponent(file.ref)}`;
    const fallback = () => picture.replaceWith(el("span", { class: "file" }, icon("file"), name));
    const picture = el("a", { href: path, target: "_blank", rel: "noopener" }, el("img", { src: path, alt: name, loading: "lazy", onerror: fallback }));
    return picture;
  });
  return el(
    "article",
    { class: "question", "aria-label": t("you") },
    pictures.length ? el("div", { class: "pictures" }, ...pictures) : null,
    text ? el("div", { class: "bubble" }, text) : null,
  );
}

// An answer begins with whatever level its model likes; for who listens, its highest is the one below the page's title.
function levelHeadings(prose) {
  const headings = [...prose.querySelectorAll("h3, h4, h5, h6")];
  const level = (node) => Number(node.tagName[1]);
  const top = Math.min(...headings.map(level));
  headings.forEach((node) => node.setAttribute("aria-level", 2 + level(node) - top));
}

function newPiece() {
  const above = el("div");
  const prose = el("div", { class: "prose" });
  const below = el("div", { class: "below" });
  return { node: el("div", { class: "piece" }, above, prose, below), above, prose, below, blocks: [], rest: "" };
}

// Only what changed is made anew, so that a selection or a scrolled table above the growing end stays as it is.
function showBlocks(shown, blocks) {
  blocks.forEach((html, index) => {
    if (shown.blocks[index] === html) return;
    const node = fromServer(html);
    node.querySelectorAll("figure.code").forEach(addCopy);
    if (node.matches("figure.code")) addCopy(node);
    const old = shown.prose.children[index];
    if (old) old.replaceWith(node);
    else shown.prose.append(node);
  });
  while (shown.prose.children.length > blocks.length) shown.prose.lastElementChild.remove();
  shown.blocks = blocks;
}

function addCopy(figure) {
  const onclick = (event) => copied(event.currentTarget, figure.querySelector("code").textContent);
  figure.append(el("button", { type: "button", class: "copy", "aria-label": t("copy"), title: t("copy"), onclick }, icon("copy")));
}

async function copied(button, text) {
  try {
    await copy(text);
  } catch {
    return;
  }
  button.replaceChildren(icon("check"));
  toast(t("copied"));
  setTimeout(() => button.replaceChildren(icon("copy")), 1500);
}

function reasoning(note) {
  return el("details", { class: "reasoning" }, el("summary", {}, icon("thought"), t("reasoning")), el("div", {}, note.text));
}
