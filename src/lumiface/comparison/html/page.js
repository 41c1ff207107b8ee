"use strict";

// Tables: a heading's button sorts by its column; missing values stay last in both directions.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = heading.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const first = heading.dataset.first === "descending" ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const direction = heading.getAttribute("aria-sort") === first ? other : first;
      headings.forEach((each) => each.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column], heading) }));
      rows.sort((a, b) => {
        if (a.key === null || b.key === null) return (a.key === null) - (b.key === null);
        return sign * (typeof a.key === "string" ? a.key.localeCompare(b.key) : a.key - b.key);
      });
      body.append(...rows.map(({ row }) => row));
    });
  });
}

function keyOf(cell, heading) {
  if (heading.dataset.first === "text") return cell.textContent.trim();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}

// Faces: an image opens enlarged, between the input and the ground truth; the arrow keys move on.
const dialog = document.querySelector("dialog");
let opened = null;

function show(button) {
  opened = button;
  const row = button.closest("tr");
  const all = [...row.querySelectorAll("button")];
  const shown = [...new Set([all[0], button, all[all.length - 1]])];
  const figures = shown.map((each) => {
    const figure = document.createElement("figure");
    const image = each.querySelector("img").cloneNode();
    const caption = document.createElement("figcaption");
    const psnr = each.parentElement.querySelector(".under");
    caption.textContent = each.dataset.method + (psnr ? `, ${psnr.textContent} dB` : "");
    figure.append(image, caption);
    return figure;
  });
  dialog.querySelector(".large").replaceChildren(...figures);
  const name = row.querySelector("th").title;
  dialog.querySelector(".which").textContent = `${name}, ${all.indexOf(button) + 1} of ${all.length}.`;
  if (!dialog.open) dialog.showModal();
}

for (const button of document.querySelectorAll(".faces button")) {
  button.addEventListener("click", () => show(button));
}
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});
dialog.addEventListener("close", () => opened && opened.focus());
dialog.addEventListener("keydown", (event) => {
  if (move(event.key)) event.preventDefault();
});
for (const button of dialog.querySelectorAll("button")) {
  button.addEventListener("click", () => move(button.value));
}

function move(key) {
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const step = steps[key];
  if (!step) return false;
  const rows = [...opened.closest("tbody").rows];
  let y = rows.indexOf(opened.closest("tr"));
  let x = opened.closest("td").cellIndex - 1;
  let cell = null;
  do {
    y = (y + step[0] + rows.length) % rows.length;
    const cells = [...rows[y].cells].slice(1);
    x = (x + step[1] + cells.length) % cells.length;
    cell = cells[x];
  } while (!cell.querySelector("button"));
  show(cell.querySelector("button"));
  return true;
}
