// The reference for programs, drawn from the server's own description (OpenAPI); nothing is loaded from elsewhere.

import { byId, el } from "./dom.js";
import { onLanguage, setUpLanguage, t } from "./i18n.js";

let description = null;

const kindOf = (schema) => {
  const kinds = (schema.anyOf ?? schema.oneOf ?? [schema]).map((kind) => (kind.enum ? kind.enum.map((value) => JSON.stringify(value)).join(" | ") : kind.const !== undefined ? JSON.stringify(kind.const) : (kind.type ?? "")));
  return kinds.filter((kind) => kind && kind !== "null").join(" | ");
};

function table(heads, rows) {
  const head = el("thead", {}, el("tr", {}, ...heads.map((text) => el("th", { scope: "col" }, text))));
  const body = el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell, index) => (index ? el("td", {}, cell) : el("th", { scope: "row" }, el("code", {}, cell)))))));
  return el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": heads.join(", ") }, el("table", {}, head, body));
}

function operation(path, method, details) {
  const parts = [el("h2", { lang: "en" }, el("code", {}, `${method.toUpperCase()} ${path}`)), el("p", { lang: "en" }, el("strong", {}, details.summary ?? "")), el("p", { lang: "en" }, details.description ?? "")];
  const fields = details.requestBody?.content?.["multipart/form-data"]?.schema?.properties;
  if (fields) {
    const rows = Object.entries(fields).map(([name, schema]) => {
      const byDefault = schema.default === undefined || schema.default === null ? "" : ` (${t("api.default")}: ${JSON.stringify(schema.default)})`;
      return [name, el("span", { lang: "en" }, [kindOf(schema), schema.description].filter(Boolean).join(" — "), byDefault)];
    });
    parts.push(el("h3", {}, t("api.options")), table([t("api.name"), t("api.meaning")], rows));
  }
  const answers = Object.entries(details.responses ?? {}).map(([status, answer]) => [status, el("span", { lang: "en" }, answer.description ?? "")]);
  parts.push(el("h3", {}, t("api.answers")), table([t("api.name"), t("api.meaning")], answers));
  return el("section", {}, ...parts);
}

function draw() {
  byId("example").textContent = `curl -F picture=@party.jpg -F strength=0.8 -o bright.jpg ${location.origin}/v1/restore`;
  if (!description) return;
  const operations = Object.entries(description.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, details]) => operation(path, method, details)));
  byId("reference").replaceChildren(...operations);
}

await setUpLanguage();
onLanguage(draw);
draw();
try {
  const answer = await fetch("openapi.json");
  if (answer.ok) description = await answer.json();
} catch {
  // The example above stays; the server is gone.
}
draw();
document.body.dataset.ready = "true";
