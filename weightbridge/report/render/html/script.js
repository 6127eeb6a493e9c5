"use strict";
// The page is complete without this: it adds a search field, sorting by a click on a column's title, and the
// ribbons of the box under the mouse, and lets names break behind their separators.
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
for (const picture of document.querySelectorAll("svg.match")) {
  const ribbons = Array.from(picture.querySelectorAll(".ribbon"));
  for (const box of picture.querySelectorAll("g")) {
    const side = "source" in box.dataset ? "source" : "target";
    const mine = ribbons.filter((ribbon) => ribbon.dataset[side] === box.dataset[side]);
    box.addEventListener("mouseenter", () => {
      picture.classList.add("traced");
      mine.forEach((ribbon) => ribbon.classList.add("lit"));
    });
    box.addEventListener("mouseleave", () => {
      picture.classList.remove("traced");
      mine.forEach((ribbon) => ribbon.classList.remove("lit"));
    });
  }
}
for (const cell of Array.from(document.querySelectorAll("td.name, td.name small, td.name span")).slice(0, 20000)) {
  for (const text of Array.from(cell.childNodes).filter((node) => node.nodeType === Node.TEXT_NODE)) {
    const parts = text.data.split(/(?<=[/._])(?=\w)/);
    text.replaceWith(...parts.flatMap((part, i) => (i ? [document.createElement("wbr"), part] : [part])));
  }
}
function openTarget() {
  const found = location.hash && document.getElementById(location.hash.slice(1));
  if (found && found.tagName === "DETAILS") found.open = true;
}
addEventListener("hashchange", openTarget);
openTarget();
