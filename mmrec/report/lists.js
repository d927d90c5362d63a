/* Lists of two runs beside each other for the users that are shown. */
{
  const form = document.getElementById("pair");
  if (form && DATA.lists) {
    const {runs, cards, users} = DATA.lists;
    const boxes = [...document.querySelectorAll(".sides")];

    const card = (place, rank, marks) => {
      const [id, title, picture] = cards[place];
      const made = element("li", undefined, ["card", ...marks.map(([name]) => name)].join(" "));
      const frame = element("div", undefined, "picture"), fine = element("div", undefined, "fine");
      frame.append(pictureOf(picture, title || id), element("span", rank, "rank"));
      const name = element("div", title || "no title", title ? "title" : "title soft");
      name.dir = "auto";
      fine.append(element("code", id));
      made.append(frame, name, fine, ...marks.map(([, words]) => element("div", words, "badge")));
      return made;
    };

    const side = (run, own, other) => {
      const column = element("div"), name = element("p", undefined, "side-name");
      name.append(element("bdi", runs[run]));
      column.append(name);
      if (!own) {
        column.append(element("p", "This user is not evaluated.", "empty"));
        return column;
      }
      const [rank, target, items] = own;
      name.append(`: held-out item at rank ${told(rank)}`);
      const list = element("ol", undefined, "cards");
      items.forEach((item, place) => {
        const marks = [];
        if (other && other[2].includes(item)) marks.push(["shared", "on both"]);
        if (item === target) marks.push(["target", "held out"]);
        list.append(card(item, place + 1, marks));
      });
      column.append(list);
      return column;
    };

    const draw = () => {
      const [a, b] = [form.elements.first, form.elements.second].map(one => Number(one.value));
      boxes.forEach((box, user) => {
        const [left, right] = [users[user][a], users[user][b]];
        const sides = element("div", undefined, "two");
        sides.append(side(a, left, right), side(b, right, left));
        const parts = [element("h4", "Two runs side by side"), sides];
        if (left && right) {
          const shared = left[2].filter(item => right[2].includes(item)).length;
          const most = Math.max(left[2].length, right[2].length);
          parts.splice(1, 0, element("p", `${shared} of ${most} items are on both lists.`, "soft"));
        }
        box.replaceChildren(...parts);
      });
    };
    form.addEventListener("input", draw);
    form.addEventListener("submit", event => event.preventDefault());
    form.hidden = false;
    boxes.forEach(box => { box.hidden = false; });
    draw();
  }
}
