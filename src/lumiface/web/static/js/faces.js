// The found faces, outlined in the photograph; each is a check box.

import { el } from "./dom.js";
import { t } from "./i18n.js";

/** The photograph with its faces. `changed` is called when another choice was made. */
export function facesView(photo, source, changed) {
  const { width, height, faces } = photo.record.found;
  // All of it is seen; a small one is shown larger than it is, so that its faces can be hit.
  const view = el("div", { class: "photo", style: { width: `min(${Math.max(width, 560)}px, 100%, ${(72 * width) / height}vh)` } });
  view.append(el("img", { src: source, width, height, alt: t("photo.alt", { name: photo.name }) }));
  faces.forEach((face, index) => {
    const [x1, y1, x2, y2] = face.box;
    const size = { width: Math.round(x2 - x1), height: Math.round(y2 - y1) };
    const label = face.rotated ? t("faces.rotated", { number: index + 1 }) : t("faces.label", { number: index + 1, ...size });
    const box = el("input", {
      type: "checkbox",
      "aria-label": label,
      checked: photo.chosen.has(index),
      disabled: face.rotated,
      onchange: () => {
        if (box.checked) photo.chosen.add(index);
        else photo.chosen.delete(index);
        changed();
      },
    });
    const percent = (value, whole) => `${(100 * value) / whole}%`;
    const style = {
      left: percent((x1 + x2) / 2, width),
      top: percent((y1 + y2) / 2, height),
      width: percent(x2 - x1, width),
      height: percent(y2 - y1, height),
    };
    view.append(el("label", { class: "face", style, title: label }, box, el("span", { "aria-hidden": "true" }, String(index + 1))));
  });
  return el("div", { class: "frame" }, view);
}

/** How many faces are chosen, and buttons for all and none. */
export function facesPanel(photo, changed) {
  const faces = photo.record.found.faces;
  const usable = faces.map((face, index) => [face, index]).filter(([face]) => !face.rotated).map(([, index]) => index);
  if (!faces.length) return [el("p", { class: "note" }, t("faces.none"))];
  const choose = (indices) => () => {
    photo.chosen = new Set(indices);
    changed();
  };
  const parts = [el("p", {}, t(faces.length === 1 ? "faces.found.one" : "faces.found", { count: faces.length }))];
  if (usable.length > 1)
    parts.push(
      el(
        "div",
        { class: "row" },
        el("span", { class: "note", id: "chosen" }, t("faces.chosen", { chosen: photo.chosen.size, count: usable.length })),
        el(
          "span",
          { class: "tools" },
          el("button", { type: "button", class: "quiet", onclick: choose(usable) }, t("faces.all")),
          el("button", { type: "button", class: "quiet", onclick: choose([]) }, t("faces.nobody")),
        ),
      ),
    );
  if (photo.chosen.size < usable.length) parts.push(el("p", { class: "note" }, t("faces.left")));
  return parts;
}
