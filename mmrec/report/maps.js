/* What a point of a map is, on all maps at once; and one colouring at a time. */
{
  const section = document.getElementById("maps");
  if (section && DATA.maps && ROWS.length) {
    const {items, places, times} = DATA.maps;
    const SIDE = 1000, REACH = 20;  // of a drawing; pixels around a point
    const tip = section.querySelector(".tip");
    const maps = [...section.querySelectorAll("figure[data-run] svg")].map(svg => {
      const ring = document.createElementNS(svg.namespaceURI, "circle");
      ring.setAttribute("class", "ring");
      ring.setAttribute("r", "22");
      svg.append(ring);
      return {svg, ring, run: svg.closest("figure").dataset.run};
    });
    let shown = -1;

    const hide = () => {
      shown = -1;
      tip.hidden = true;
      maps.forEach(({ring}) => { ring.style.visibility = "hidden"; });
    };

    const show = (place, map) => {
      if (place < 0) return hide();
      for (const {ring, run} of maps) {
        const [x, y] = places[run][place];
        ring.setAttribute("cx", x);
        ring.setAttribute("cy", y);
        ring.style.visibility = "visible";
      }
      if (place !== shown || tip.dataset.run !== map.run) {
        const row = items[place];
        const [, name, category, count, kind] = ROWS[row].cells;
        const facts = [category.textContent, `${count.textContent} training interactions`, kind.textContent];
        if (times[map.run].length) facts.push(`on ${told(times[map.run][place])} lists of ${map.run}`);
        const text = element("div");
        text.append(...[...name.childNodes].map(node => node.cloneNode(true)));
        text.append(element("div", facts.filter(fact => fact !== "–").join(" · "), "facts-line"));
        tip.replaceChildren(pictureOf(DATA.items[row], ""), text);
        tip.dataset.run = map.run;
      }
      shown = place;
      tip.hidden = false;
      const frame = map.svg.getBoundingClientRect(), own = tip.getBoundingClientRect();
      const [x, y] = places[map.run][place].map(value => value * frame.width / SIDE);
      const left = Math.min(Math.max(8, frame.left + x - own.width / 2), innerWidth - own.width - 8);
      const above = frame.top + y - own.height - 18;
      tip.style.left = `${left}px`;
      tip.style.top = `${above > 8 ? above : frame.top + y + 18}px`;
    };

    const nearest = (map, x, y, counts) => {
      let best = -1, least = Infinity;
      places[map.run].forEach(([otherX, otherY], place) => {
        const far = Math.hypot(otherX - x, otherY - y);
        if (far < least && counts(otherX - x, otherY - y, far)) [best, least] = [place, far];
      });
      return best;
    };

    const directions = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    for (const map of maps) {
      if (!places[map.run].length) continue;
      const point = event => {
        const frame = map.svg.getBoundingClientRect(), scale = SIDE / frame.width;
        const [x, y] = [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
        show(nearest(map, x, y, (_x, _y, far) => far < REACH * scale), map);
      };
      map.svg.tabIndex = 0;
      map.svg.addEventListener("pointermove", point);
      map.svg.addEventListener("pointerdown", point);
      map.svg.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") hide(); });
      map.svg.addEventListener("blur", hide);
      map.svg.addEventListener("keydown", event => {
        const direction = directions[event.key];
        if (event.key === "Escape") hide();
        if (!direction) return;
        event.preventDefault();
        const [x, y] = shown < 0 ? [SIDE / 2, SIDE / 2] : places[map.run][shown];
        const [right, down] = direction;
        const next = nearest(map, x, y, (dx, dy, far) => shown < 0
          || (far > 0 && dx * right + dy * down >= far * Math.SQRT1_2));
        if (next >= 0) show(next, map);
      });
    }
    addEventListener("scroll", hide, {passive: true});

    const choice = section.querySelector("form");
    const pictures = [...section.querySelectorAll(".of-items")];
    const colour = () => {
      hide();
      pictures.forEach((picture, place) => { picture.hidden = Number(choice.elements.colour.value) !== place; });
    };
    choice.addEventListener("input", colour);
    section.querySelector(".how").hidden = choice.hidden = false;
    hide();
    colour();
  }
}
