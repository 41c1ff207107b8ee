// The options of a restoration: the usual ones by hand, all others of the server by their description.

import { el } from "./dom.js";
import { has, number, t } from "./i18n.js";

const TASKS = ["auto", "joint", "enhance", "blind"];
const BY_HAND = ["task", "strength", "fidelity", "scale", "background", "colour", "save_prior", "faces", "trust"];

/** Options as they are chosen; those that are not in it have the server's default. */
export class Options {
  constructor(schema) {
    this.schema = schema;
    this.values = {};
    this.open = { options: false, more: false };
  }

  /** What goes to the server: without what the task has no use for. */
  get chosen() {
    const { fidelity, refine, colour, save_prior: prior, ...others } = this.values;
    const task = this.values.task ?? "auto";
    const given = task === "blind" ? { fidelity, refine, colour } : task === "enhance" ? { save_prior: prior } : {};
    const all = Object.entries({ ...others, ...given, task });
    return Object.fromEntries(all.filter(([, value]) => value !== undefined));
  }

  #set(name, value, redraw) {
    if (value === undefined) delete this.values[name];
    else this.values[name] = value;
    if (redraw) redraw();
  }

  /** The form; `redraw` is called when other fields must appear. */
  view(redraw) {
    const task = this.values.task ?? "auto";
    const parts = [
      this.#choice("task", TASKS, task, (value) => this.#set("task", value, redraw), t(`option.task.${task}.help`)),
      this.#share("strength", 1, t("option.strength.help")),
      task === "blind" && this.#share("fidelity", null, t("option.fidelity.help")),
      this.#choice("scale", ["auto", "1", "2", "4"], String(this.values.scale ?? "auto"), (value) => this.#set("scale", value === "auto" ? undefined : Number(value))),
      this.#choice("background", ["light", "keep"], this.values.background ?? "light", (value) => this.#set("background", value)),
      this.schema.trust && this.#choice("trust", ["identity", "full"], this.values.trust ?? "identity", (value) => this.#set("trust", value), t("option.trust.help")),
      task === "blind" && this.#check("colour"),
      task === "enhance" && this.#check("save_prior"),
      this.#more(task),
      el("button", { type: "button", class: "link", onclick: () => { this.values = {}; redraw(); } }, t("options.defaults")),
    ];
    return this.#folded("options", el("div", { class: "options" }, ...parts.filter(Boolean)));
  }

  #folded(name, content) {
    const details = el("details", { ontoggle: () => { this.open[name] = details.open; } }, el("summary", {}, t(`options.${name === "options" ? "title" : name}`)), content);
    details.open = this.open[name];
    return details;
  }

  #choice(name, values, chosen, set, help) {
    const words = (value) => (has(`option.${name}.${value}`) ? t(`option.${name}.${value}`) : `${value}×`);
    const labels = values.map((value) =>
      el("label", {}, el("input", { type: "radio", name: `option-${name}`, value, checked: value === chosen, onchange: () => set(value) }), words(value)),
    );
    return el("fieldset", {}, el("legend", {}, t(`option.${name}`)), el("div", { class: "choice" }, ...labels), help && el("p", { class: "note" }, help));
  }

  #share(name, byDefault, help) {
    const shown = (value) => (value === null ? t(`option.${name}.own`) : `${number(100 * value)} %`);
    const value = this.values[name] ?? byDefault;
    const output = el("output", { for: `option-${name}` }, shown(value));
    const input = el("input", { type: "range", id: `option-${name}`, min: "0", max: "1", step: "0.05", value: String(value ?? 0.5) });
    input.addEventListener("input", () => {
      this.#set(name, Number(input.value));
      output.textContent = shown(Number(input.value));
    });
    return el("div", {}, el("label", { class: "name", for: `option-${name}` }, t(`option.${name}`), output), input, el("p", { class: "note" }, help));
  }

  #check(name, text = t(`option.${name}`), lang = null) {
    const input = el("input", { type: "checkbox", id: `option-${name}`, checked: this.values[name] ?? this.schema[name]?.default ?? false, onchange: () => this.#set(name, input.checked) });
    return el("div", { class: "check" }, input, el("label", { for: `option-${name}`, lang }, text));
  }

  /** Whatever else the server has, now or later. */
  #more(task) {
    const names = Object.keys(this.schema).filter((name) => !BY_HAND.includes(name) && (name !== "refine" || task === "blind"));
    const fields = names.map((name) => this.#other(name, this.schema[name])).filter(Boolean);
    return fields.length ? this.#folded("more", el("div", { class: "options" }, ...fields)) : null;
  }

  #other(name, schema) {
    const known = has(`option.${name}`);
    const [text, lang] = known ? [t(`option.${name}`), null] : [schema.description ?? name, "en"];
    const kinds = schema.anyOf ?? [schema];
    const kind = kinds.find((other) => other.type !== "null") ?? {};
    if (kind.type === "boolean") return this.#check(name, text, lang);
    if (kind.enum) {
      const options = kind.enum.map((value) => el("option", { value: String(value) }, String(value)));
      const select = el("select", { id: `option-${name}`, onchange: () => this.#set(name, kind.enum[select.selectedIndex]) }, ...options);
      select.value = String(this.values[name] ?? schema.default ?? kind.enum[0]);
      return el("div", {}, el("label", { class: "name", for: `option-${name}`, lang }, text), select);
    }
    if (kind.type !== "number" && kind.type !== "integer") return null;
    const value = this.values[name] ?? schema.default;
    const input = el("input", { type: "number", class: "number", id: `option-${name}`, min: kind.minimum, max: kind.maximum, step: kind.type === "integer" ? 1 : "any", value: value ?? "" });
    input.addEventListener("change", () => this.#set(name, input.value === "" || !input.checkValidity() ? undefined : Number(input.value)));
    return el("div", {}, el("label", { class: "name", for: `option-${name}`, lang }, text), input);
  }
}
