// Comfort only: everything on this page works without it.
(() => {
  "use strict";
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];

  for (const block of all("pre.command")) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
    block.append(button);
  }

  const table = document.querySelector("table.tests");
  if (table && table.tBodies[0].rows.length > 8) {
    const box = make("input", { type: "search", className: "filter", placeholder: "Filter by name, outcome or cluster" });
    box.setAttribute("aria-label", "Filter the tests");
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.before(box);
  }

  const picture = document.querySelector("svg.picture");
  if (picture) {
    const steps = [0, 1, 2, 3, 4, 5, 6];
    let step = Number((picture.getAttribute("class").match(/w(\d)/) || [0, 0])[1]);
    const box = picture.closest(".scroll");
    const zoom = (by) => {
      const middle = (box.scrollLeft + box.clientWidth / 2) / box.scrollWidth;
      step = Math.max(0, Math.min(steps.length - 1, step + by));
      picture.setAttribute("class", `picture w${step}`);
      box.scrollLeft = middle * box.scrollWidth - box.clientWidth / 2;
    };
    const bar = make("div", { className: "zoom" });
    for (const [text, label, by] of [["−", "Narrower", -1], ["+", "Wider", 1]]) {
      const button = make("button", { type: "button", textContent: text });
      button.setAttribute("aria-label", `${label} timeline`);
      button.addEventListener("click", () => zoom(by));
      bar.append(button);
    }
    box.closest("section").querySelector("h2").append(bar);

    const tip = make("div", { className: "tip", hidden: true });
    tip.setAttribute("aria-hidden", "true");
    document.body.append(tip);
    picture.addEventListener("pointermove", (event) => {
      const found = event.target.closest("a, rect.state, rect.fold");
      const title = found && (found.querySelector("title") || found._title);
      if (!title) { tip.hidden = true; return; }
      if (title.parentNode) { found._title = { textContent: title.textContent }; title.remove(); }
      tip.textContent = found._title.textContent;
      tip.hidden = false;
      const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
      const y = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18;
      tip.style.transform = `translate(${Math.max(8, x)}px, ${y}px)`;
    });
    picture.addEventListener("pointerleave", () => { tip.hidden = true; });
  }

  const open = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = target && target.closest("details:not([open])");
    if (folded) { folded.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
})();
