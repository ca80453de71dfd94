// Talking to the server. Every failure becomes a Failure with words for people.

import { languageTag, has, t } from "./strings.js";

export class Failure extends Error {
  constructor(code, data = {}, text = "") {
    const key = `err_${code}`;
    const limit = typeof data.limit === "number" ? data.limit.toLocaleString() : data.limit;
    super(has(key) ? t(key, { ...data, limit }) : text || t("err_failed"));
    this.code = code;
  }
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Failure("network");
  }
  if (response.status === 401) {
    location.assign("/login");
    throw new Failure("network");
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    const error = body?.error ?? {};
    throw new Failure(error.code ?? "failed", error.data, error.text);
  }
  return body;
}

export const get = (path) => ask(path);

export function post(path, body) {
  const json = JSON.stringify({ language: languageTag(), ...body });
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: json });
}

export async function upload(file) {
  const type = file.type || "application/octet-stream";
  const path = `/api/uploads?name=${encodeURIComponent(file.name)}`;
  return (await ask(path, { method: "POST", headers: { "Content-Type": type }, body: file })).file;
}
