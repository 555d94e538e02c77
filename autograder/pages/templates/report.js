"use strict";
const body = document.querySelector("#table tbody");
const headers = Array.from(document.querySelectorAll("#table thead th"));
for (const [column, header] of headers.entries()) {
  const button = header.querySelector("button");
  if (!button) continue;
  button.addEventListener("click", () => {
    const numeric = button.hasAttribute("data-numeric");
    const now = header.getAttribute("aria-sort");
    const sign = (now ? now === "ascending" : numeric) ? -1 : 1;
    const key = (row) => numeric ? Number(row.cells[column].dataset.value) : row.cells[column].textContent.trim().toLowerCase();
    const rows = Array.from(body.rows, (row) => [key(row), row]);
    rows.sort(([a], [b]) => sign * (numeric ? a - b : a.localeCompare(b)));
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...rows.map(([, row]) => row));
  });
}
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details.exercise, details.more")) part.open = true;
});
