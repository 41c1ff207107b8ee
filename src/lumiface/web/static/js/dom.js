// Small helpers for elements and for what is said to the visitor.

/** An element: el("p", { class: "note", onclick: f, "aria-label": "…" }, "text", child, …). */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (["checked", "disabled", "value", "hidden"].includes(name)) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Say something to those who listen to the page. */
export function say(text) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text; // the same is not read out again
}

/** Show an error until it is closed or the next one comes; empty text takes it away. */
export function complain(text, detail = "", close = "×") {
  const box = byId("alert");
  box.hidden = !text;
  box.replaceChildren();
  if (!text) return;
  const line = el("div", {}, text);
  if (detail) line.append(el("small", { lang: "en" }, detail));
  box.append(line, el("button", { type: "button", class: "link", onclick: () => complain("") }, close));
}
