// Where a message is written: text, pictures by button, paste or drop, and the way to the server and back.

import { Failure, post, upload } from "./api.js";
import { $, el, icon, load, newId, save } from "./dom.js";
import { kindOf, nameOf } from "./kinds.js";
import { Slash } from "./slash.js";
import { t } from "./strings.js";

export class Composer {
  // `deliver(item)` shows an item in the conversation; `sent(chat, answer)` when the server has it; `begin()` gives the chat's id
  constructor({ deliver, sent, begin, limits, reads }) {
    this.deliver = deliver;
    this.sent = sent;
    this.begin = begin;
    this.limits = limits;
    this.reads = reads;
    this.chat = null;
    this.pictures = [];
    this.input = $("input");
    this.slash = new Slash();
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
    if (this.slash.key(event)) return;
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
    const taken = this.pictures.filter((picture) => !picture.refused);
    if (taken.some((picture) => !picture.ref)) {
      this.complain(t("err_wait"));
      return;
    }
    if (!text && !taken.length) return;
    const files = taken.map(({ ref, file }) => ({ ref, name: file.name, mime: file.type }));
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

  // What can't be taken is refused here, by name and reason; the others stay.
  async add(files) {
    this.complain("");
    this.pictures = this.pictures.filter((picture) => !picture.refused); // they were read about; these are new ones
    const { files: most } = this.limits;
    this.input.focus();
    for (const file of files) {
      const picture = { file, ref: null, url: URL.createObjectURL(file) };
      picture.reason = await this.refusal(file);
      picture.refused = Boolean(picture.reason);
      if (picture.refused) picture.image = fileChip(file);
      else if (this.pictures.filter((other) => !other.refused).length >= most) {
        this.complain(new Failure("too_many_files", { limit: most }).message);
        continue;
      } else this.upload(picture);
      this.pictures.push(picture);
    }
    this.showPictures();
  }

  // Why a file can't be read, or "".
  async refusal(file) {
    const { file_bytes: bytes } = this.limits;
    if (file.size === 0) return new Failure("empty_file").message;
    if (file.size > bytes) return new Failure("too_large", { limit: bytes / 1e6 }).message;
    const kind = await kindOf(file).catch(() => "");
    if (this.reads.includes(kind)) return "";
    const kinds = this.reads.map((mime) => (mime === "text/plain" ? t("texts") : nameOf(mime, ""))).join(", ");
    const name = nameOf(kind, file.name);
    return name ? t("err_cannot_read", { kind: name, kinds }) : t("err_unknown_kind", { kinds });
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
      picture.image = fileChip(picture.file);
      image.replaceWith(picture.image);
    };
    picture.image = image;
    const state = picture.reason ? "bad" : picture.ref ? "ready" : "loading";
    const words = picture.reason ? (picture.image ? picture.reason : `${name}: ${picture.reason}`) : picture.ref ? "" : t("uploading", { name });
    return el(
      "li",
      { class: `preview ${state}` },
      image,
      words ? el("p", { role: picture.reason ? "alert" : "status" }, words) : null,
      el("button", { type: "button", class: "remove", "aria-label": t("remove", { name }), title: t("remove", { name }), onclick }, icon("close")),
    );
  }
}

function fileChip(file) {
  return el("span", { class: "file" }, icon("file"), file.name || t("picture"));
}
