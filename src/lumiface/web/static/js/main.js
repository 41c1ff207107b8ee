// The page: what is shown follows from the photographs and where each of them stands.

import { api, Refused } from "./api.js";
import { compareView } from "./compare.js";
import { byId, complain, el, say } from "./dom.js";
import { facesView } from "./faces.js";
import { has, number, onLanguage, setUpLanguage, t, translate } from "./i18n.js";
import { setUpIntake } from "./intake.js";
import { askPassword } from "./login.js";
import { Options } from "./options.js";
import { panelView, updateProgress, workText } from "./panel.js";
import { isOpen, Photos, stateOf } from "./photos.js";
import { stripView } from "./strip.js";

let session = { max_upload_mb: 64, keep_minutes: 60, options: {} };
let options = new Options({});
let shown = ""; // what is on the screen, so that it is drawn anew only when something else is to be seen

const photos = new Photos(refresh, failed);

const actions = {
  restore: (list) => list.forEach((photo) => { photo.back = false; photos.restore(photo, options.chosen); }),
  cancel: async (photo) => { await photos.cancel(photo); say(t("work.cancelled")); },
  choose: () => draw(),
  redraw: () => draw(),
  back: (photo) => { photo.back = true; draw(); byId("photo-name").focus(); },
  sources: (photo) => [api.file(photo.record.id, "before.webp"), `${api.file(photo.record.id, "after.webp")}?${photo.version}`],
};

function failed(refusal) {
  if (refusal.status === 401) return void askPassword().then(start);
  const key = `error.${refusal.code}`;
  complain(t(has(key) ? key : "error.other", { limit: number(session.max_upload_mb) }), refusal.message, t("close"));
}

/** Called at every news; the whole is drawn only if there is more to change than a progress bar. */
function refresh(photo) {
  const current = photos.current;
  const state = current ? stateOf(current) : "";
  const view = JSON.stringify([photos.list.map((other) => [other.key, stateOf(other)]), current?.key, state, current?.version]);
  if (view === shown) {
    if (photo === current && current && updateProgress(byId("panel"), current) && state !== "sending") say(workText(current.record));
    return;
  }
  const before = shown;
  shown = view;
  draw();
  if (before && current) announce(current, state);
}

function announce(photo, state) {
  const count = photo.record?.found?.faces.length ?? 0;
  if (state === "done") say(t("work.done", { name: photo.name }));
  if (state === "found") say(count === 0 ? t("faces.none") : t(count === 1 ? "faces.found.one" : "faces.found", { count }));
  if (state === "failed") say(t(has(`error.${photo.record?.error?.code}`) ? `error.${photo.record.error.code}` : "error.other"));
}

function draw() {
  const photo = photos.current;
  byId("welcome").hidden = photo !== null;
  byId("work").hidden = photo === null;
  byId("forget").hidden = photo === null;
  if (!photo) return;
  complain("");
  const focused = document.activeElement?.id;
  const label = document.activeElement?.getAttribute("aria-label");
  byId("photo-name").textContent = photo.name;
  const remove = el("button", { type: "button", class: "link", onclick: () => { photos.remove(photo); say(t("photo.removed", { name: photo.name })); } }, t("photo.remove"));
  const [stage, tools] = stageView(photo);
  byId("stage").replaceChildren(...stage);
  byId("tools").replaceChildren(...tools, remove);
  byId("strip").replaceChildren(stripView(photos));
  const seen = photo.back && stateOf(photo) === "done" ? { ...photo, record: { ...photo.record, result: null } } : photo;
  byId("panel").replaceChildren(...panelView(seen === photo ? photo : proxy(photo), photos, options, actions));
  restoreFocus(focused, label);
}

/** A photograph that has a result, seen as if it had none: its faces are chosen again. */
const proxy = (photo) => new Proxy(photo, { get: (target, name) => (name === "record" ? { ...target.record, result: null, error: null } : target[name]), set: (target, name, value) => { target[name] = value; return true; } });

function restoreFocus(id, label) {
  if (id && byId(id)) return byId(id).focus();
  const same = label ? [...document.querySelectorAll("#work [aria-label]")].find((other) => other.getAttribute("aria-label") === label) : null;
  if (same) return same.focus();
  if (id && ["restore", "cancel", "choose"].includes(id)) byId("photo-name").focus({ preventScroll: true });
}

function stageView(photo) {
  const state = stateOf(photo);
  if (!photo.record?.found) return [[el("div", { class: "frame" }, el("p", { class: "waiting" }, t(`state.${state}`)))], []];
  const [before, after] = actions.sources(photo);
  if (state === "done" && !photo.back) {
    const { view, divider, zoom } = compareView(photo, before, after);
    return [[view, divider], [zoom]];
  }
  const view = facesView(photo, before, actions.choose);
  if (isOpen(photo.record)) for (const box of view.querySelectorAll("input")) box.disabled = true;
  return [[view], []];
}

async function start() {
  try {
    session = await api.session();
  } catch (refusal) {
    if (!(refusal instanceof Refused)) throw refusal;
    return failed(refusal);
  }
  options = new Options(session.options);
  photos.limit = session.max_upload_mb * 1e6;
  translate(document, values());
  photos.take(session.pictures);
}

const values = () => ({ minutes: number(session.keep_minutes) });

await setUpLanguage(values);
onLanguage(() => draw());
setUpIntake((files) => photos.add(files));
byId("forget").addEventListener("click", async () => { await photos.forget(); say(t("footer.forgotten")); byId("choose").focus(); });
await start();
document.body.dataset.ready = "true";
