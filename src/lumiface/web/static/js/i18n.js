// The words of the page: one table for each language, chosen by the browser's, kept when it is switched.

const TAGS = { en: "en", zh: "zh-CN" };
const KEY = "lumiface.language";
let table = {};
let current = "en";
const listeners = [];

/** A sentence of the table; {name} in it is replaced by values.name. */
export function t(key, values = {}) {
  const text = table[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Whether the table has a sentence. */
export const has = (key) => key in table;

/** The language in use: en or zh. */
export const language = () => current;

/** A number in the manner of the language. */
export const number = (value, digits = 0) =>
  new Intl.NumberFormat(TAGS[current], { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** Put the words into every element below `root` that names one: data-t="key", data-t-aria-label="key". */
export function translate(root, values = {}) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t, values);
  for (const element of root.querySelectorAll("[data-t-aria-label]"))
    element.setAttribute("aria-label", t(element.getAttribute("data-t-aria-label"), values));
}

/** Called after the language has changed. */
export const onLanguage = (listener) => listeners.push(listener);

async function use(name, values) {
  const answer = await fetch(`strings/${name}.json`);
  table = await answer.json();
  current = name;
  document.documentElement.lang = TAGS[name];
  document.title = t(document.body.dataset.title ?? "title");
  translate(document, values());
  listeners.forEach((listener) => listener());
}

/** Load the words and set up the switch; `values` gives what stands in the page's own sentences. */
export async function setUpLanguage(values = () => ({})) {
  const wished = localStorage.getItem(KEY) ?? (navigator.languages ?? [navigator.language]).map((tag) => tag.slice(0, 2)).find((tag) => tag in TAGS);
  const first = wished in TAGS ? wished : "en";
  const select = document.getElementById("language");
  select.value = first;
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    use(select.value, values);
  });
  await use(first, values);
}
