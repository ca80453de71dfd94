// Brings the page together: which conversation is shown, its stream of events, and everything around it.

import { get, post } from "./api.js";
import { Chats } from "./chats.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { $, el, icon, load, newId, save, toast } from "./dom.js";
import { Models } from "./models.js";
import { Settings } from "./settings.js";
import { Stream } from "./stream.js";
import { roundMoney, switchLanguage, t, translatePage } from "./strings.js";

const THEMES = ["auto", "light", "dark"];
const SIGNS = { auto: "auto", light: "sun", dark: "moon" };
const STUCK = 30_000; // an answer from which nothing was heard for so long is looked up; that the line is alive says nothing of it
const ABOUT_TURNS = new Set(["turn", "piece", "ended"]);
const NEWS = 60_000; // ms; what no event tells is asked for so often, where somebody looks

const state = { chat: null, stream: null, older: null, defaults: {}, model: "", heard: 0, wasOpen: false, lost: null, gap: false, day: "" };
let conversation, composer, chats, models, settings;

// ── the conversation that is shown ──────────────────────────────────────────────────────────────────────────────────

async function show(id) {
  state.stream?.close();
  Object.assign(state, { chat: id, stream: null, older: null, model: "" });
  conversation.clear();
  composer.switchTo(id);
  closeSide();
  chats.show();
  if (id === null) {
    lost(false);
    changed();
    showModel();
    return;
  }
  await refresh();
}

// The whole conversation anew with its settings (what was told of them before that moment isn't told again), and the
// stream from exactly there on.
async function refresh() {
  const id = state.chat;
  try {
    const page = await get(`/api/chats/${id}`);
    if (state.chat !== id) return;
    conversation.replace(page.turns);
    state.older = page.older;
    state.heard = Date.now();
    follow(id, page.position);
    lost(false);
    changed();
    readSettings();
  } catch {
    if (state.chat !== id) return;
    lost(true);
    setTimeout(() => state.chat === id && refresh(), 2000);
  }
}

function follow(id, position) {
  state.stream?.close();
  state.stream = new Stream(id, position, {
    onevent: (name, data) => state.chat === id && heard(name, data),
    onstate: (connected) => state.chat === id && lost(!connected),
  });
}

function heard(name, data) {
  if (ABOUT_TURNS.has(name)) state.heard = Date.now();
  if (name === "turn") conversation.turn(data);
  else if (name === "piece" && !conversation.piece(data)) refresh();
  else if (name === "ended" && !conversation.ended(data.turn)) refresh();
  else if (name === "reload") refresh();
  else if (name === "settings") readSettings();
}

// What no event tells: the list, the balance and its alerts, the service's defaults (after a gap it may be another one).
// And times that say no day, once it is another day.
function catchUp() {
  chats.read();
  readBalance();
  readSettings();
  const day = new Date().toDateString();
  if (state.day !== day) conversation.relabel();
  state.day = day;
}

// A short gap is nobody's business.
function lost(isLost) {
  if (state.gap && !isLost) catchUp();
  state.gap = isLost;
  clearTimeout(state.lost);
  const banner = $("banner");
  if (isLost) {
    state.lost = setTimeout(() => {
      banner.textContent = t("offline");
      banner.hidden = false;
    }, 700);
  } else banner.hidden = true;
}

async function older() {
  const page = await get(`/api/chats/${state.chat}?before=${state.older}`).catch((error) => toast(error.message, true));
  if (!page) return;
  state.older = page.older;
  conversation.prepend(page.turns);
  changed();
}

function changed() {
  const open = conversation.isOpen;
  $("stop").hidden = !open;
  $("composer").classList.toggle("answering", open);
  $("hello").hidden = !conversation.isEmpty;
  $("older").hidden = state.older === null;
  if (state.wasOpen && !open) {
    readBalance();
    chats.read();
    if (document.hidden) state.unseen = true;
  }
  state.wasOpen = open;
  showTitle();
}

// ── asking the core ─────────────────────────────────────────────────────────────────────────────────────────────────

function begin() {
  if (state.chat === null) {
    state.chat = newId();
    history.replaceState(null, "", `#${state.chat}`);
    follow(state.chat, "");
  }
  return state.chat;
}

const press = (action, about) => post(`/api/chats/${begin()}/press`, { id: newId(), action, post: about ?? null });

async function pressed(action, about) {
  try {
    const answer = await press(action, about);
    // that it is asked again, or goes on, shows where the answer stands
    if (answer.error || !/^\/(retry|continue)\b/.test(action)) toast(answer.toast, answer.error);
    return !answer.error;
  } catch (error) {
    toast(error.message, true);
    return false;
  }
}

async function stop() {
  if (!conversation.isOpen) return;
  try {
    const answer = await post(`/api/chats/${state.chat}/stop`, { id: newId() });
    if (answer.error) toast(answer.toast, true);
  } catch (error) {
    toast(error.message, true);
  }
}

function sent(chat, answer) {
  chats.read();
  if (chat !== state.chat) return;
  if (answer.toast) toast(answer.toast, answer.error);
  // its turn comes with the stream; what became no turn is in the record only
  if (answer.turn === null) refresh();
  else setTimeout(() => state.chat === chat && !conversation.turns.has(answer.turn) && refresh(), 1500);
}

// ── settings ────────────────────────────────────────────────────────────────────────────────────────────────────────

async function readSettings() {
  const id = state.chat;
  const path = id === null ? "/api/start" : `/api/chats/${id}/settings`;
  const answer = { settings: [], ...(await get(path).catch(() => ({ defaults: state.defaults }))) };
  if (state.chat !== id) return answer;
  state.defaults = answer.defaults;
  state.model = answer.settings.find((row) => row.name === "model")?.value ?? "";
  showModel();
  return answer;
}

function showModel() {
  const name = state.model || state.defaults.model;
  $("model-name").textContent = name || t("choose_model");
  $("model").setAttribute("aria-label", name ? t("model_is", { model: name }) : t("choose_model"));
}

async function chooseModel(id) {
  try {
    const answer = await press(`/model ${id}`);
    if (answer.error) return answer.toast || t("err_failed");
    toast(answer.toast);
    await readSettings();
    return "";
  } catch (error) {
    return error.message;
  }
}

// ── around it ───────────────────────────────────────────────────────────────────────────────────────────────────────

function showTitle() {
  const own = state.chat !== null && state.chat === state.alerts ? t("alerts") : chats.title(state.chat);
  const known = own || conversation.firstWords;
  const title = known || t("untitled");
  $("title").textContent = title;
  document.title = (state.unseen ? "● " : "") + (known ? `${known} · Magpie` : "Magpie");
}

async function readBalance() {
  const answer = await get("/api/balance").catch(() => null);
  if (!answer) return;
  showAlert(answer.alerts);
  $("balance").hidden = answer.balance === null;
  if (answer.balance) $("balance").textContent = t("balance", { money: roundMoney(answer.balance) });
}

// what is raised now, in one line that leads to where it was told; put away, it stays so until something else is raised
function showAlert({ names, chat }) {
  state.alerts = chat;
  $("alerts").hidden = !names.length && !chats.alerts;
  $("alerts").setAttribute("href", `#${chat}`);
  const kind = ["key", "money"].find((name) => names.includes(name)) ?? (names.length ? "low" : null);
  const raised = names.join(" ");
  if (kind === null) save("magpie.alert", null);
  $("alert").hidden = kind === null || load("magpie.alert") === raised;
  $("balance").classList.toggle("low", kind !== null);
  if (!kind) return;
  const away = () => {
    save("magpie.alert", raised);
    $("alert").hidden = true;
  };
  const close = el("button", { type: "button", class: "icon", "aria-label": t("close"), title: t("close"), onclick: away }, icon("close"));
  $("alert").replaceChildren(el("span", {}, t(`alert_${kind}`), " ", el("a", { href: `#${chat}` }, t("alert_show"))), close);
}

function showIdeas() {
  const keys = ["idea_1", "idea_2", "idea_3", ...(state.sandbox ? ["idea_alert"] : [])];
  const ideas = keys.map((key) => {
    const onclick = () => {
      composer.input.value = t(key);
      composer.input.dispatchEvent(new Event("input"));
      composer.input.focus();
    };
    return el("button", { type: "button", class: "idea", onclick }, t(key));
  });
  $("ideas").replaceChildren(...ideas);
}

function showTheme() {
  const theme = load("magpie.theme") ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").replaceChildren(icon(SIGNS[theme] ?? "auto"), el("span", {}, t(`theme_${theme}`)));
}

function nextTheme() {
  const theme = load("magpie.theme") ?? "auto";
  save("magpie.theme", THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  showTheme();
}

function speak() {
  translatePage();
  $("language").querySelector("span").textContent = t("language");
  $("new-key").textContent = /Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K";
  showTheme();
  showIdeas();
  chats.show();
  showTitle();
  showModel();
}

function openSide() {
  document.body.classList.add("side-open");
  $("scrim").hidden = false;
  $("side-open").setAttribute("aria-expanded", "true");
  document.querySelector("main").inert = true; // the keyboard stays in the drawer
  $("side-close").focus();
}

function closeSide() {
  document.body.classList.remove("side-open");
  $("scrim").hidden = true;
  $("side-open").setAttribute("aria-expanded", "false");
  document.querySelector("main").inert = false;
}

function go(id) {
  if (id) location.hash = id;
  else fresh();
}

function fresh() {
  if (location.hash) location.hash = "";
  else show(null);
  composer.input.focus();
}

function listen() {
  $("new").addEventListener("click", fresh);
  $("stop").addEventListener("click", stop);
  $("older").addEventListener("click", older);
  $("theme").addEventListener("click", nextTheme);
  $("language").addEventListener("click", () => {
    switchLanguage();
    speak();
    conversation.relabel();
    readBalance();
  });
  $("side-open").addEventListener("click", openSide);
  $("side-close").addEventListener("click", closeSide);
  $("scrim").addEventListener("click", closeSide);
  $("model").addEventListener("click", () => models.open(state.model || state.defaults.model || ""));
  $("settings-open").addEventListener("click", () => settings.open());
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    state.unseen = false;
    showTitle();
    catchUp();
  });
  setInterval(() => document.hidden || catchUp(), NEWS);
  addEventListener("hashchange", () => show(fromHash()));
  addEventListener("keydown", shortcut);
  setInterval(() => conversation.isOpen && Date.now() - state.heard > STUCK && refresh(), 10_000);
}

function shortcut(event) {
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    document.querySelectorAll("dialog[open]").forEach((dialog) => dialog.close());
    fresh();
  } else if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) {
    if (document.body.classList.contains("side-open")) {
      closeSide();
      $("side-open").focus();
    } else stop();
  }
}

function fromHash() {
  const id = location.hash.slice(1);
  return /^[A-Za-z0-9_-]{8,64}$/.test(id) ? id : null;
}

async function start() {
  let first;
  for (;;) {
    first = await get("/api/start").catch(() => null);
    if (first) break;
    lost(true);
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  state.defaults = first.defaults;
  state.sandbox = first.sandbox;
  $("sandbox").hidden = $("sandbox-hello").hidden = !first.sandbox;
  $("logout").hidden = !first.password;
  chats = new Chats({ current: () => state.chat, go, changed: () => showTitle() });
  conversation = new Conversation({
    press: pressed,
    changed,
    again: (id) => composer.again(id),
    discard: (id) => {
      composer.forget(id);
      conversation.confirm(id);
      changed();
    },
  });
  composer = new Composer({
    deliver: (item, chat = state.chat) => chat === state.chat && conversation.showPending(item),
    sent,
    begin,
    limits: first.limits,
    reads: first.reads,
  });
  models = new Models(chooseModel);
  settings = new Settings({ press, read: readSettings });
  listen();
  speak();
  await Promise.all([show(fromHash()), chats.read(), readBalance()]);
  if (matchMedia("(hover: hover)").matches) composer.input.focus();
}

translatePage();
start();
