"use strict";
// Zoom and search of call stacks. The page says all of it without: this only brings frames nearer.
(() => {
  const WIDTH = 1000, LETTER = 6.6, LETTERS_MIN = 4;
  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const read = (group) => {
    const rect = group.querySelector("rect"), title = rect.querySelector("title").textContent;
    const [x, y, width] = ["x", "y", "width"].map((it) => Number(rect.getAttribute(it)));
    return { group, rect, title, y, left: x - 0.5, width: width + 1, room: Number(group.dataset.w),
      name: title.slice(0, title.lastIndexOf(": ")) };
  };
  const label = (frame, left, width) => {
    let text = frame.group.querySelector("text");
    const letters = Math.floor(width / LETTER - 1);
    if (!text && letters >= LETTERS_MIN) {
      text = document.createElementNS(frame.rect.namespaceURI, "text");
      text.setAttribute("class", "f-label");
      text.setAttribute("y", frame.y + 12.5);
      frame.group.append(text);
    }
    if (!text) return;
    const { name } = frame;
    text.textContent = letters < LETTERS_MIN ? ""
      : name.length <= letters ? name : "…" + name.slice(name.length + 1 - letters);
    text.setAttribute("x", left + 4);
  };
  const place = (frame, from, scale) => {
    const left = Math.max((frame.left - from) * scale, 0);
    const width = Math.min((frame.left + frame.width - from) * scale, WIDTH) - left;
    frame.group.setAttribute("display", width < 1.5 ? "none" : "inline");
    if (width < 1.5) return;
    frame.rect.setAttribute("x", left + 0.5);
    frame.rect.setAttribute("width", width - 1);
    label(frame, left, width);
  };
  const equip = (figure, frames) => {
    const input = make("input", { type: "search", autocomplete: "off", spellcheck: false });
    const whole = make("button", { type: "button", textContent: "Show all", disabled: true });
    const said = make("output");
    let hits = [], next = 0;
    const zoom = (frame) => {
      const [from, room] = frame ? [frame.left, frame.room] : [0, WIDTH];
      frames.forEach((it) => place(it, from, WIDTH / room));
      whole.disabled = !frame;
      said.textContent = frame ? frame.title : "";
    };
    const search = () => {
      const word = input.value.trim().toLowerCase();
      hits = word ? frames.filter((it) => it.name.toLowerCase().includes(word)) : [];
      hits.sort((a, b) => b.width - a.width);
      next = 0;
      frames.forEach((it) => {
        it.group.classList.toggle("hit", hits.includes(it));
        it.group.classList.toggle("dim", word !== "" && !hits.includes(it));
      });
      said.textContent = word ? `${hits.length} of ${frames.length} frames` : "";
    };
    input.addEventListener("input", search);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && hits.length) zoom(hits[next++ % hits.length]);
      if (event.key === "Escape") { input.value = ""; search(); zoom(null); }
    });
    whole.addEventListener("click", () => { zoom(null); input.focus(); });
    frames.forEach((it) => it.group.addEventListener("click", () => zoom(it)));
    figure.classList.add("zooms");
    figure.querySelector("figcaption").after(
      make("div", { className: "tools" }, make("label", {}, "Find a function ", input), whole, said));
    return input;
  };
  const inputs = [];
  for (const figure of document.querySelectorAll("figure")) {
    const frames = [...figure.querySelectorAll("g[data-w]")].map(read);
    if (frames.length) inputs.push(equip(figure, frames));
  }
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey;
    if (event.key !== "/" || isTyping || !inputs.length) return;
    event.preventDefault();
    const below = inputs.find((it) => it.getBoundingClientRect().top > 0);
    const input = below || inputs[0];
    input.focus({ preventScroll: true });
    input.closest("figure").scrollIntoView();
  });
})();
