// What is known of each restored face: its figures, in words first, and the map of what is invented.

import { api } from "./api.js";
import { el } from "./dom.js";
import { has, language, number, t } from "./i18n.js";

/** The cards of all faces. */
export function trustView(photo, before, after) {
  const { result } = photo.record;
  const faces = result.faces;
  const cards = faces.map((face, index) => card(photo, face, index + 1, before, after));
  return el(
    "section",
    { class: "card", "aria-labelledby": "trust-title" },
    el("h3", { id: "trust-title" }, t("trust.title")),
    ...(cards.length ? cards : [el("p", { class: "note" }, t("trust.none"))]),
    el("a", { href: "limits.html#figures" }, t("trust.explain")),
  );
}

function card(photo, face, index, before, after) {
  const treatment = el("p", { class: "note" }, t(`treatment.${face.treatment}`), face.why ? " " : null, reason(face.why));
  const header = el(
    "header",
    {},
    el("div", { class: "crops" }, crop(before, photo, face.box, t("trust.crop.before", { number: index })), crop(after, photo, face.box, t("trust.crop.after", { number: index }))),
    el("div", {}, el("h4", {}, t("trust.face", { number: index })), judged(face), treatment),
  );
  return el("article", { class: "trust" }, header, ...figures(face), heat(photo, face, index));
}

function reason(why) {
  if (!why) return null;
  return has(`why.${why}`) ? el("span", {}, `(${t(`why.${why}`)})`) : el("span", { lang: "en" }, `(${why})`);
}

function judged(face) {
  if (face.treatment === "unchanged") return el("p", { class: "judged good" }, t("trust.unchanged"));
  if (!face.trust) return el("p", { class: "judged" }, t("trust.unmeasured"));
  const { word } = face.trust;
  return el("p", { class: `judged ${word}` }, has(`trust.${word}`) ? t(`trust.${word}`) : word);
}

function figures(face) {
  const trust = face.trust;
  if (!trust || face.treatment === "unchanged") return [];
  const said = trust.sentences?.[language()];
  const list = el("dl", {});
  const add = (name, value) => list.append(el("dt", {}, name), el("dd", {}, value));
  const known = typeof trust.identity === "number";
  add(t("trust.identity"), known ? t("trust.identity.value", { value: number(trust.identity, 2), threshold: number(trust.threshold, 2) }) : t("trust.identity.unknown"));
  if (typeof trust.consistency_db === "number") add(t("trust.consistency"), `${number(trust.consistency_db, 1)} dB`);
  if (trust.strength < trust.strength_asked)
    add(t("trust.strength"), t("trust.strength.lowered", { used: `${number(100 * trust.strength)} %`, asked: `${number(100 * trust.strength_asked)} %` }));
  if (said) return [el("p", { class: "said" }, said), list];
  const limits = (trust.limits ?? []).map((limit) => el("li", { lang: "en" }, limit));
  return limits.length ? [list, el("ul", {}, ...limits)] : [list];
}

function heat(photo, face, index) {
  if (!face.heat) return null;
  const picture = el("img", { src: api.file(photo.record.id, face.heat), width: 96, height: 96, alt: t("trust.heat.alt", { number: index }) });
  const ends = el("span", { class: "row", "aria-hidden": "true" }, el("span", {}, t("trust.heat.low")), el("span", {}, t("trust.heat.high")));
  return el("figure", { class: "heat" }, picture, el("figcaption", {}, t("trust.heat"), el("span", { class: "scale-bar" }), ends));
}

/** A face cut out of a picture of any size; `box` is in pixels of the photograph as it came. */
function crop(source, photo, box, label) {
  const canvas = el("canvas", { width: 120, height: 120, role: "img", "aria-label": label });
  const image = new Image();
  image.onload = () => {
    const factor = image.naturalWidth / photo.record.found.width;
    const [x1, y1, x2, y2] = box.map((value) => value * factor);
    const side = 1.35 * Math.max(x2 - x1, y2 - y1);
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(image, (x1 + x2 - side) / 2, (y1 + y2 - side) / 2, side, side, 0, 0, 120, 120);
  };
  image.src = source;
  return canvas;
}

/** The 3D models of the faces, and the models turning; still until the visitor lets them turn. */
export function priorView(photo) {
  if (!photo.record.result.prior) return null;
  const turning = el("img", { alt: t("prior.turn"), hidden: true });
  const button = el("button", { type: "button", class: "quiet", "aria-pressed": "false" }, t("prior.play"));
  button.addEventListener("click", () => {
    turning.src = api.file(photo.record.id, "turn.gif");
    turning.hidden = !turning.hidden;
    button.setAttribute("aria-pressed", String(!turning.hidden));
    button.textContent = t(turning.hidden ? "prior.play" : "prior.stop");
  });
  return el(
    "section",
    { class: "card prior", "aria-labelledby": "prior-title" },
    el("h3", { id: "prior-title" }, t("prior.title")),
    el("figure", { style: { margin: "0" } }, el("img", { src: api.file(photo.record.id, "prior.png"), alt: t("prior.sheet") }), el("figcaption", { class: "note" }, t("prior.sheet"))),
    el("div", {}, button, turning),
  );
}
