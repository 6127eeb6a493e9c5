"use strict";
// The page is complete without this: it adds a search field, and sorting by a click on a column's title.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const tools = document.getElementById(table.dataset.tools);
  if (tools) {
    const field = document.createElement("input");
    const count = document.createElement("span");
    field.type = "search";
    field.placeholder = "Search names";
    field.setAttribute("aria-label", "Search the table");
    count.className = "muted";
    field.addEventListener("input", () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of body.rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += !row.hidden;
      }
      count.textContent = words.length ? shown + " of " + body.rows.length : "";
    });
    tools.append(field, count);
  }
  Array.from(table.tHead.rows[0].cells).forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = new Intl.Collator(undefined, { numeric: true });
      const rows = Array.from(body.rows).sort((a, b) =>
        order.compare(a.cells[place].textContent, b.cells[place].textContent));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
function openTarget() {
  const found = location.hash && document.getElementById(location.hash.slice(1));
  if (found && found.tagName === "DETAILS") found.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
