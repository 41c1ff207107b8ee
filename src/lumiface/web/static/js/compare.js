// Before and after in one place, with a divider that a mouse, a finger and the keyboard move; and zoom.

import { el } from "./dom.js";
import { t } from "./i18n.js";

const ZOOMS = [0, 1, 2, 4]; // pixels of the screen for one of the result; 0: all of it is seen

/** { view, divider, zoom }: the pictures, the range that moves the divider, and the buttons for the zoom. */
export function compareView(photo, before, after) {
  const { width, height } = photo.record.result;
  const left = el("img", { src: before, alt: t("result.alt.before", { name: photo.name }), draggable: "false" });
  const right = el("img", { src: after, alt: t("result.alt.after", { name: photo.name }), class: "after", draggable: "false" });
  const pair = el("div", { class: "pair" }, left, right, el("div", { class: "line" }));
  const scroller = el("div", { class: "view", role: "group", "aria-label": t("result.view") }, pair);
  const view = el(
    "div",
    { class: "compare" },
    scroller,
    el("span", { class: "tag left", "aria-hidden": "true" }, t("result.before")),
    el("span", { class: "tag right", "aria-hidden": "true" }, t("result.after")),
  );
  const range = el("input", { type: "range", min: "0", max: "100", step: "1", "aria-label": t("result.divider") });
  const move = (percent) => {
    range.value = Math.round(percent);
    range.setAttribute("aria-valuetext", t("result.divider.value", { percent: range.value }));
    pair.style.setProperty("--at", `${range.value}%`);
  };
  range.addEventListener("input", () => move(range.value));
  const follow = (event) => {
    const box = pair.getBoundingClientRect();
    move(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
  };
  let held = false;
  pair.addEventListener("pointerdown", (event) => {
    if (view.dataset.zoom) return;
    held = true;
    pair.setPointerCapture(event.pointerId);
    follow(event);
  });
  pair.addEventListener("pointermove", (event) => held && follow(event));
  for (const name of ["pointerup", "pointercancel"]) pair.addEventListener(name, () => (held = false));
  const zoom = zoomButtons(view, scroller, pair, width, height);
  move(50);
  const divider = el(
    "div",
    { class: "divider" },
    el("span", { "aria-hidden": "true" }, t("result.before")),
    range,
    el("span", { "aria-hidden": "true" }, t("result.after")),
  );
  return { view, divider, zoom };
}

function zoomButtons(view, scroller, pair, width, height) {
  const ratio = width / height;
  const fit = () => {
    const room = Math.max(scroller.clientWidth, 200);
    const most = Math.max(240, 0.72 * window.innerHeight);
    // A small result is shown a little larger than it is: else nothing is seen of it.
    const wide = Math.min(room, most * ratio, Math.max(width, 560));
    pair.style.width = `${wide}px`;
    pair.style.height = `${wide / ratio}px`;
  };
  new ResizeObserver(() => !view.dataset.zoom && fit()).observe(scroller);
  const buttons = ZOOMS.map((factor) => {
    const button = el("button", { type: "button", class: "quiet", "aria-pressed": String(factor === 0) }, factor ? `${factor}×` : t("result.fit"));
    button.addEventListener("click", () => {
      const x = (scroller.scrollLeft + scroller.clientWidth / 2) / pair.clientWidth;
      const y = (scroller.scrollTop + scroller.clientHeight / 2) / pair.clientHeight;
      if (factor) {
        view.dataset.zoom = factor;
        scroller.tabIndex = 0;
        pair.style.width = `${width * factor}px`;
        pair.style.height = `${height * factor}px`;
        scroller.scrollTo(x * pair.clientWidth - scroller.clientWidth / 2, y * pair.clientHeight - scroller.clientHeight / 2);
      } else {
        delete view.dataset.zoom;
        scroller.removeAttribute("tabindex");
        fit();
      }
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
    });
    return button;
  });
  return el("div", { class: "tools", role: "group", "aria-label": t("result.zoom") }, ...buttons);
}
