/* Search, filters and order of the table of items: rows that do not match are hidden. */
{
  const section = document.getElementById("items");
  if (section && ROWS.length) {
    const form = section.querySelector("form");
    const note = section.querySelector("[role=status]");
    const box = section.querySelector(".looked-through");
    const asked = form.elements;
    const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    const number = cell => Number(cell.textContent.replaceAll(",", ""));
    const items = ROWS.map((row, place) => {
      const [, name, category, count, kind, times] = row.cells;
      return {
        row, place, words: plain(name.textContent), category: category.textContent,
        count: number(count), kind: kind.textContent, times: number(times),
      };
    });
    const orders = {
      id: (a, b) => a.place - b.place,
      popular: (a, b) => b.count - a.count || a.place - b.place,
      listed: (a, b) => b.times - a.times || a.place - b.place,
    };
    let order = "id";

    const look = () => {
      const words = plain(asked.words.value).split(/\s+/).filter(Boolean);
      const category = asked.category ? asked.category.value : "";
      const least = Number(asked.least.value || 0);
      const most = asked.most.value === "" ? Infinity : Number(asked.most.value);
      let found = 0;
      for (const item of items) {
        const matches = words.every(word => item.words.includes(word))
          && (!category || item.category === category)
          && (!asked.kind.value || item.kind === asked.kind.value)
          && item.count >= least && item.count <= most;
        item.row.hidden = !matches;
        found += matches;
      }
      if (order !== asked.order.value) {
        order = asked.order.value;
        const sorted = [...items].sort(orders[order]);
        ROWS[0].parentElement.append(...sorted.map(item => item.row));
      }
      note.textContent = `${told(found)} of ${told(items.length)} items`;
      box.scrollTop = 0;
    };
    form.addEventListener("input", look);
    form.addEventListener("submit", event => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(look));

    // A picture is decoded when its row comes near.
    const near = new IntersectionObserver(entries => {
      for (const {isIntersecting, target} of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        target.cells[0].append(pictureOf(DATA.items[ROWS.indexOf(target)], ""));
      }
    }, {root: box, rootMargin: "400px"});
    ROWS.forEach(row => near.observe(row));
    section.classList.add("alive");
    form.hidden = false;
    look();
  }
}
