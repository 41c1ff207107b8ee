// The visitor's photographs: sent one after the other, watched while they are in work.

import { api, Refused, upload } from "./api.js";

const WATCH = 400; // milliseconds between two looks at the work
const TRIES = 30; // of a request that finds no room

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export class Photos {
  /** `changed` is called whenever something is new; `failed` with a refusal. */
  constructor(changed, failed) {
    this.changed = changed;
    this.failed = failed;
    this.list = [];
    this.current = null;
    this.limit = Infinity;
    this.watching = false;
    this.line = Promise.resolve();
  }

  /** Photographs of an earlier visit that are still there. */
  take(records) {
    const added = this.list.filter((photo) => !records.some((record) => record.id === photo.record?.id));
    this.list = [...records.map((record) => this.#fresh(record)), ...added]; // one may have been added meanwhile
    this.current = added.at(-1) ?? this.list[0] ?? null;
    this.changed();
    this.#watch();
  }

  /** Send files, one after the other. */
  add(files) {
    for (const [file, name] of files) {
      const photo = { key: crypto.getRandomValues(new Uint32Array(1))[0], name, sent: 0, record: null, chosen: null, preview: null };
      if (file.size > this.limit) {
        this.failed(new Refused(413, { code: "too_large" }));
        continue;
      }
      this.list.push(photo);
      this.current = photo;
      this.line = this.line.then(() => this.#send(photo, file));
    }
    this.changed();
  }

  /** Restore a photograph. */
  async restore(photo, options) {
    const all = photo.record.found.faces.length;
    const chosen = [...photo.chosen].sort((a, b) => a - b);
    photo.asked = true;
    const record = await this.#patiently(() => api.restore(photo.record.id, options, chosen.length === all ? null : chosen));
    photo.asked = false;
    if (record) this.#update(photo, record);
    this.#watch();
  }

  async cancel(photo) {
    const record = await this.#patiently(() => api.cancel(photo.record.id));
    if (record) this.#update(photo, record);
  }

  async remove(photo) {
    if (photo.record) await this.#patiently(() => api.remove(photo.record.id));
    this.list = this.list.filter((other) => other !== photo);
    if (this.current === photo) this.current = this.list.at(-1) ?? null;
    this.changed();
  }

  async forget() {
    await this.#patiently(() => api.forget());
    this.list = [];
    this.current = null;
    this.changed();
  }

  show(photo) {
    this.current = photo;
    this.changed();
  }

  #fresh(record) {
    const photo = { key: record.id, name: record.name, sent: 1, record: null, chosen: null, asked: false };
    this.#set(photo, record);
    return photo;
  }

  #set(photo, record) {
    photo.record = record;
    if (record.found && !photo.chosen)
      photo.chosen = new Set(record.found.faces.map((face, index) => (face.rotated ? -1 : index)).filter((index) => index >= 0));
    if (record.result !== photo.result) photo.version = (photo.version ?? 0) + 1;
    photo.result = record.result;
  }

  #update(photo, record) {
    this.#set(photo, record);
    this.changed(photo);
  }

  async #send(photo, file) {
    if (!this.list.includes(photo)) return;
    const record = await this.#patiently(() =>
      upload(file, photo.name, (share) => {
        photo.sent = share;
        this.changed(photo);
      }),
    );
    if (!record) {
      this.list = this.list.filter((other) => other !== photo);
      if (this.current === photo) this.current = this.list.at(-1) ?? null;
      this.changed();
      return;
    }
    photo.sent = 1;
    this.#update(photo, record);
    this.#watch();
  }

  /** Try again while there is no room; other refusals are reported, and give null. */
  async #patiently(action) {
    for (let count = 0; ; count += 1) {
      try {
        return await action();
      } catch (refusal) {
        if (!(refusal instanceof Refused)) throw refusal;
        this.failed(refusal);
        if (refusal.code !== "busy" || count >= TRIES) return null;
        await pause(1000 * Math.min(refusal.retryAfter || 2, 30));
      }
    }
  }

  async #watch() {
    if (this.watching) return;
    this.watching = true;
    for (;;) {
      const open = this.list.filter((photo) => photo.record && isOpen(photo.record));
      if (!open.length) break;
      await pause(WATCH);
      for (const photo of open) {
        try {
          this.#update(photo, await api.photo(photo.record.id));
        } catch (refusal) {
          this.failed(refusal);
          photo.record.state = "failed";
          photo.record.error = { code: refusal.code ?? "other", detail: refusal.message };
          this.changed(photo);
        }
      }
    }
    this.watching = false;
  }
}

/** Whether there is work on a photograph. */
export const isOpen = (record) => record.state === "waiting" || record.state === "running";

/** Where a photograph stands: sending, finding, found, restoring, done, failed. */
export function stateOf(photo) {
  const record = photo.record;
  if (!record) return "sending";
  if (isOpen(record)) return record.kind === "find" ? "finding" : "restoring";
  if (record.result) return "done";
  if (record.found) return record.error ? "failed" : "found";
  return "failed";
}
