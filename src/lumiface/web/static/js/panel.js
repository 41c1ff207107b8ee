// The panel beside the photograph: what can be done next, one thing first.

import { api } from "./api.js";
import { el } from "./dom.js";
import { facesPanel } from "./faces.js";
import { has, number, t } from "./i18n.js";
import { stateOf } from "./photos.js";
import { priorView, trustView } from "./trust.js";

const STEPS = { reading: 0.08, finding: 0.2, restoring: 0.4, surroundings: 0.7, writing: 0.92 };

/** Cards for the photograph that is shown; `actions` are those of main.js. */
export function panelView(photo, photos, options, actions) {
  switch (stateOf(photo)) {
    case "sending":
      return [progressCard(t("photo.uploading", { name: photo.name, percent: Math.round(100 * photo.sent) }), photo.sent, null)];
    case "finding":
    case "restoring":
      return [progressCard(workText(photo.record), STEPS[photo.record.stage] ?? 0.02, () => actions.cancel(photo))];
    case "done":
      return doneCards(photo, photos, options, actions);
    case "found":
      return [chooseCard(photo, photos, options, actions, "restore.go")];
    default:
      return [failedCard(photo), photo.record.found && chooseCard(photo, photos, options, actions, "restore.again")].filter(Boolean);
  }
}

/** What is being done to a photograph, in words. */
export function workText(record) {
  if (record.state === "waiting") return record.position > 0 ? t("work.waiting", { count: record.position }) : t("work.waiting.next");
  if (record.stage === "restoring" && record.working_on === 1) return t("work.restoring.one");
  return t(`work.${record.stage ?? "reading"}`, { count: record.working_on });
}

function progressCard(text, share, cancel) {
  return el(
    "div",
    { class: "card progress" },
    el("p", { id: "work-text" }, text),
    el("progress", { id: "work-bar", max: "1", value: share, "aria-label": t("work.progress") }),
    cancel && el("button", { type: "button", class: "quiet", id: "cancel", onclick: cancel }, t("work.cancel")),
  );
}

/** Bring a progress card up to date without losing the focus; false if there is none. */
export function updateProgress(panel, photo) {
  const [text, bar] = [panel.querySelector("#work-text"), panel.querySelector("#work-bar")];
  if (!text || !bar) return false;
  const sending = stateOf(photo) === "sending";
  text.textContent = sending ? t("photo.uploading", { name: photo.name, percent: Math.round(100 * photo.sent) }) : workText(photo.record);
  bar.value = sending ? photo.sent : (STEPS[photo.record.stage] ?? 0.02);
  return true;
}

function chooseCard(photo, photos, options, actions, word) {
  const faces = photo.record.found.faces;
  const ready = photos.list.filter((other) => stateOf(other) === "found");
  const text = faces.length && !photo.chosen.size ? "restore.light" : faces.length ? word : "restore.light";
  return el(
    "div",
    { class: "card" },
    el("button", { type: "button", class: "primary big", id: "restore", onclick: () => actions.restore([photo]) }, t(text)),
    ready.length > 1 && el("button", { type: "button", class: "quiet", onclick: () => actions.restore(ready) }, t("restore.all", { count: ready.length })),
    el("section", { "aria-label": t("faces.title") }, ...facesPanel(photo, actions.choose)),
    options.view(actions.redraw),
  );
}

function failedCard(photo) {
  const { code, detail } = photo.record.error ?? { code: "other", detail: "" };
  return el("div", { class: "card", role: "group" }, el("p", {}, t(has(`error.${code}`) ? `error.${code}` : "error.other")), detail && el("p", { class: "note", lang: "en" }, detail));
}

function doneCards(photo, photos, options, actions) {
  const { result, id } = photo.record;
  const finished = photos.list.filter((other) => stateOf(other) === "done");
  const [before, after] = actions.sources(photo);
  const about = { width: number(result.width), height: number(result.height), scale: result.scale, seconds: number(result.seconds, 1) };
  const ready = photos.list.filter((other) => stateOf(other) === "found");
  const main = el(
    "div",
    { class: "card" },
    el("a", { class: "primary big", id: "download", href: api.file(id, "result"), download: "" }, t("result.download")),
    finished.length > 1 && el("a", { class: "quiet big", href: api.zip, download: "" }, t("result.zip", { count: finished.length })),
    ready.length > 0 && el("button", { type: "button", class: "quiet", onclick: () => actions.restore(ready) }, t("restore.rest", { count: ready.length })),
    el("p", { class: "note" }, t("result.about", about)),
  );
  const again = el(
    "div",
    { class: "card" },
    options.view(actions.redraw),
    el(
      "div",
      { class: "actions" },
      el("button", { type: "button", class: "quiet", id: "restore", onclick: () => actions.restore([photo]) }, t("restore.again")),
      photo.record.found.faces.length > 0 && el("button", { type: "button", class: "link", onclick: () => actions.back(photo) }, t("result.change")),
    ),
  );
  return [main, trustView(photo, before, after), priorView(photo), again, notes(result.notes)].filter(Boolean);
}

function notes(lines) {
  if (!lines.length) return null;
  return el("details", { class: "card" }, el("summary", {}, t("notes.title")), el("ul", { class: "note", lang: "en" }, ...lines.map((line) => el("li", {}, line))));
}
