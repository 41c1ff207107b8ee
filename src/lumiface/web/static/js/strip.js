// The strip of photographs, when there are several.

import { api } from "./api.js";
import { el } from "./dom.js";
import { t } from "./i18n.js";
import { choose } from "./intake.js";
import { stateOf } from "./photos.js";

const MARKS = { done: "✓", failed: "!", found: "", sending: "…", finding: "…", restoring: "…" };

/** One button for each photograph, and one to add more. */
export function stripView(photos) {
  const items = photos.list.map((photo) => {
    const state = stateOf(photo);
    const parts = [];
    if (photo.record?.found) parts.push(el("img", { src: api.file(photo.record.id, "before.webp"), alt: "", loading: "lazy" }));
    if (MARKS[state]) parts.push(el("span", { class: "state", "aria-hidden": "true" }, MARKS[state]));
    const label = t("photo.show", { name: photo.name, state: t(`state.${state}`) });
    const button = el("button", { type: "button", "aria-label": label, "aria-current": String(photo === photos.current), onclick: () => photos.show(photo) }, ...parts);
    return el("li", {}, button);
  });
  items.push(el("li", {}, el("button", { type: "button", class: "add", "aria-label": t("photo.add"), title: t("photo.add"), onclick: choose }, "+")));
  return el("ul", { class: "strip", "aria-label": t("photo.strip") }, ...items);
}
