// Small tools for the page. `fromServer` is the one place where a string becomes HTML, and only the server's own HTML comes here.

const policy = window.trustedTypes?.createPolicy("magpie", { createHTML: (html) => html });

export const $ = (id) => document.getElementById(id);

// el("button", { class: "x", onclick: f, "aria-label": "y" }, child, "text")
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

// One block of an answer, as an element. `html` was made by the server from a document tree, where every text is escaped.
export function fromServer(html) {
  const template = document.createElement("template");
  template.innerHTML = policy ? policy.createHTML(html) : html;
  return template.content.firstElementChild ?? document.createElement("p");
}

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Storage may be forbidden or full: then the page works, and forgets.
export function load(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function save(key, value) {
  try {
    if (value === null || value === "") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    return;
  }
}

// `action` {label, act, time} is a button in it, such as the way back.
export function toast(text, error = false, action = null) {
  if (!text) return;
  const node = el("div", { class: error ? "toast error" : "toast" }, text.replace(/\n{2,}/g, "\n"));
  const act = () => {
    node.remove();
    action.act();
  };
  if (action) node.append(el("button", { type: "button", class: "link", onclick: act }, action.label));
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), action?.time ?? (error ? 8000 : 3500));
}

export async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // a plain http page in a local network has no clipboard
  const area = el("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
