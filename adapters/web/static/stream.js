// The events of one conversation, followed for as long as it is shown; after a gap it goes on where it was.

import { get } from "./api.js";

const NAMES = ["turn", "piece", "status", "ended", "settings", "reload", "alive"];
const SILENCE = 40_000; // the server gives a sign of life every 15 s
const MOST_PAUSE = 8_000;
const HIDDEN_PAUSE = 60_000; // a browser has few connections per server: a tab that nobody sees gives its own back

export class Stream {
  constructor(chat, position, { onevent, onstate }) {
    this.chat = chat;
    this.position = position;
    this.onevent = onevent;
    this.onstate = onstate;
    this.pause = 500;
    this.closed = false;
    this.wake = () => this.source === null && !document.hidden && this.retry(0);
    this.hide = () => {
      clearTimeout(this.sleeping);
      if (document.hidden) this.sleeping = setTimeout(() => this.disconnect(), HIDDEN_PAUSE);
      else this.wake();
    };
    addEventListener("online", this.wake);
    document.addEventListener("visibilitychange", this.hide);
    this.open();
  }

  open() {
    const path = `/api/chats/${this.chat}/events?after=${encodeURIComponent(this.position)}`;
    const source = new EventSource(path);
    this.source = source;
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        if (this.source !== source) return;
        if (event.lastEventId) this.position = event.lastEventId;
        this.watch();
        this.onevent(name, JSON.parse(event.data));
      });
    }
    source.onopen = () => {
      if (this.source !== source) return;
      this.pause = 500;
      this.watch();
      this.onstate(true);
    };
    source.onerror = () => this.source === source && this.lost();
    this.watch();
  }

  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.lost(), SILENCE);
  }

  lost() {
    this.disconnect();
    this.onstate(false);
    this.retry(this.pause);
    this.pause = Math.min(MOST_PAUSE, this.pause * 2);
  }

  retry(after) {
    clearTimeout(this.trying);
    this.trying = setTimeout(async () => {
      if (this.closed || this.source !== null) return;
      try {
        await get("/api/start"); // an EventSource doesn't tell why it failed
        if (!this.closed && this.source === null) this.open();
      } catch {
        if (!this.closed) this.lost();
      }
    }, after);
  }

  disconnect() {
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  close() {
    this.closed = true;
    clearTimeout(this.trying);
    clearTimeout(this.sleeping);
    removeEventListener("online", this.wake);
    document.removeEventListener("visibilitychange", this.hide);
    this.disconnect();
  }
}
