// Where a message is written: text, pictures by button, paste or drop, and the way to the server and back.

import { Failure, post, upload } from "./api.js";
import { $, el, icon, load, newId, save } from "./dom.js";
import { t } from "./strings.js";

export class Composer {
  // `deliver(item)` shows an item in the conversation; `sent(chat, answer)` when the server has it; `begin()` gives the chat's id
  constructor({ deliver, sent, begin, limits }) {
    this.deliver = deliver;
    this.sent = sent;
    this.begin = begin;
    this.limits = limits;
    this.chat = null;
    this.pictures = [];
    this.input = $("input");
    this.listen();
  }

  // ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────

  listen() {
    this.input.addEventListener("input", () => {
      save(this.draft(), this.input.value);
      this.resize();
    });
    this.input.addEventListener("compositionend", () => (this.composed = performance.now()));
    this.input.addEventListener("keydown", (event) => this.key(event));
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    $("attach").addEventListener("click", () => $("files").click());
    $("files").addEventListener("change", () => {
      this.add([...$("files").files]);
      $("files").value = "";
    });
    this.input.addEventListener("paste", (event) => {
      const files = [...event.clipboardData.files];
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
    this.listenDrop();
  }

  // While an input method is open, Enter belongs to it. Safari ends the composition just before it tells of the key.
  key(event) {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.isComposing || event.keyCode === 229 || performance.now() - (this.composed ?? -1e9) < 50) return;
    event.preventDefault();
    this.send();
  }

  draft(chat = this.chat) {
    return `magpie.draft.${chat ?? "new"}`;
  }

  resize() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, innerHeight * 0.4)}px`;
    this.check();
  }

  check() {
    const ready = this.pictures.some((picture) => picture.ref);
    $("send").disabled = !this.input.value.trim() && !ready;
  }

  complain(text) {
    $("trouble").textContent = text;
    $("trouble").hidden = !text;
  }

  // Another conversation: its own unsent text, and the messages that never arrived.
  switchTo(chat) {
    this.chat = chat;
    this.input.value = load(this.draft()) ?? "";
    this.clearPictures();
    this.complain("");
    this.resize();
    for (const item of this.outbox()) this.deliver({ state: "failed", ...item, reason: item.reason ?? "" });
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async send() {
    const text = this.input.value.trim();
    if (this.pictures.some((picture) => !picture.ref)) {
      this.complain(t("err_wait"));
      return;
    }
    if (!text && !this.pictures.length) return;
    const files = this.pictures.map(({ ref, file }) => ({ ref, name: file.name, mime: file.type }));
    save(this.draft(), null);
    this.input.value = "";
    this.clearPictures();
    this.complain("");
    this.chat = this.begin();
    this.resize();
    await this.transmit(this.chat, { id: newId(), text, files });
  }

  // The same id every time: however often it is sent, it is asked once.
  async transmit(chat, { id, text, files }) {
    this.store(chat, { id, text, files });
    this.deliver({ id, text, files, state: "sending" }, chat);
    try {
      const answer = await post(`/api/chats/${chat}/messages`, { id, text, files });
      if (answer.error && answer.turn === null) throw new Failure("refused", {}, answer.toast);
      this.forget(id, chat);
      this.deliver({ id, text, files, state: "sent" }, chat);
      this.sent(chat, answer);
    } catch (error) {
      const reason = error instanceof Failure ? error.message : t("err_failed");
      this.store(chat, { id, text, files, reason });
      this.deliver({ id, text, files, state: "failed", reason }, chat);
    }
  }

  again(id) {
    const item = this.outbox().find((one) => one.id === id);
    if (item) this.transmit(this.chat, item);
  }

  outbox(chat = this.chat) {
    try {
      return JSON.parse(load(`magpie.outbox.${chat}`) ?? "[]");
    } catch {
      return [];
    }
  }

  store(chat, item) {
    const others = this.outbox(chat).filter((one) => one.id !== item.id);
    save(`magpie.outbox.${chat}`, JSON.stringify([...others, item]));
  }

  forget(id, chat = this.chat) {
    const others = this.outbox(chat).filter((one) => one.id !== id);
    save(`magpie.outbox.${chat}`, others.length ? JSON.stringify(others) : null);
  }

  // ── pictures ────────────────────────────────────────────────────────────────────────────────────────────────────

  listenDrop() {
    const carries = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    let depth = 0;
    addEventListener("dragenter", (event) => {
      if (!carries(event)) return;
      depth += 1;
      $("drop").hidden = false;
    });
    addEventListener("dragleave", () => {
      depth = Math.max(0, depth - 1);
      $("drop").hidden = depth === 0;
    });
    addEventListener("dragover", (event) => carries(event) && event.preventDefault());
    addEventListener("drop", (event) => {
      depth = 0;
      $("drop").hidden = true;
      if (!carries(event)) return;
      event.preventDefault();
      this.add([...event.dataTransfer.files]);
    });
  }

  add(files) {
    this.complain("");
    const { files: most, file_bytes: bytes } = this.limits;
    if (this.pictures.length + files.length > most) this.complain(new Failure("too_many_files", { limit: most }).message);
    for (const file of files.slice(0, most - this.pictures.length)) {
      const picture = { file, ref: null, url: URL.createObjectURL(file) };
      this.pictures.push(picture);
      if (file.size === 0) Object.assign(picture, { reason: new Failure("empty_file").message, image: icon("file") });
      else if (file.size > bytes) picture.reason = new Failure("too_large", { limit: bytes / 1e6 }).message;
      else this.upload(picture);
    }
    this.showPictures();
    this.input.focus();
  }

  async upload(picture) {
    try {
      picture.ref = (await upload(picture.file)).ref;
    } catch (error) {
      picture.reason = error instanceof Failure ? error.message : t("err_failed");
    }
    if (this.pictures.includes(picture)) this.showPictures();
  }

  clearPictures() {
    this.pictures.forEach((picture) => URL.revokeObjectURL(picture.url));
    this.pictures = [];
    this.showPictures();
  }

  showPictures() {
    $("previews").hidden = this.pictures.length === 0;
    $("previews").replaceChildren(...this.pictures.map((picture) => this.preview(picture)));
    this.check();
  }

  preview(picture) {
    const name = picture.file.name || t("picture");
    const onclick = () => {
      URL.revokeObjectURL(picture.url);
      this.pictures = this.pictures.filter((other) => other !== picture);
      this.complain("");
      this.showPictures();
      this.input.focus();
    };
    const image = picture.image ?? el("img", { src: picture.url, alt: name });
    image.onerror = () => {
      picture.image = el("span", { class: "file" }, icon("file"), name);
      image.replaceWith(picture.image);
    };
    picture.image = image;
    const state = picture.reason ? "bad" : picture.ref ? "ready" : "loading";
    const words = picture.reason ? `${name}: ${picture.reason}` : picture.ref ? "" : t("uploading", { name });
    return el(
      "li",
      { class: `preview ${state}` },
      image,
      words ? el("p", { role: picture.reason ? "alert" : "status" }, words) : null,
      el("button", { type: "button", class: "remove", "aria-label": t("remove", { name }), title: t("remove", { name }), onclick }, icon("close")),
    );
  }
}
