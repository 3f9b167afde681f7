// What pages do beyond being read: sheets, keys, times, and saying aloud what changed. All of it can be missing.
(() => {
  "use strict";

  // Sheets: the link leads to the same page with its sheet open; here it opens in place.
  const openSheet = (name) => {
    const sheet = document.getElementById(`sheet-${name}`);
    if (!sheet) return false;
    if (sheet.open) sheet.close();
    sheet.showModal();
    return true;
  };
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-sheet]");
    if (opener && openSheet(opener.dataset.sheet)) event.preventDefault();
    const closer = event.target.closest("[data-close]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
  });
  for (const sheet of document.querySelectorAll("dialog[open]")) openSheet(sheet.id.replace("sheet-", ""));

  // One press, one request: a button that has been pressed does not send its form again.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 4000);
  });
  const automatic = document.querySelector("form[data-autosubmit]");
  if (automatic) automatic.requestSubmit();

  // Times: relative text that keeps itself true.
  const units = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  const inWords = (seconds) => {
    const [unit, size] = units.find(([, s]) => seconds >= s) || units[3];
    const rest = unit === "h" || unit === "d" ? units[units.findIndex(([u]) => u === unit) + 1] : null;
    const more = rest ? Math.floor((seconds % size) / rest[1]) : 0;
    return `${Math.floor(seconds / size)} ${unit}${more ? ` ${more} ${rest[0]}` : ""}`;
  };
  const tick = () => {
    for (const time of document.querySelectorAll("time[data-relative]")) {
      const seconds = Math.round((Date.now() - Date.parse(time.dateTime)) / 1000);
      const words = inWords(Math.abs(seconds));
      const text = Math.abs(seconds) < 5 ? "now" : seconds > 0 ? `${words} ago` : `in ${words}`;
      if (time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tick, 1000);

  // Keys: ? help, / search, g + letter, j k Enter in lists.
  const typing = (element) => element.closest("input, textarea, select, dialog, [contenteditable]");
  let going = false;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (going) {
      going = false;
      const link = document.querySelector(`.rail a[data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      return;
    }
    const rows = [...document.querySelectorAll("[data-row]")];
    const at = rows.indexOf(document.activeElement);
    const keys = {
      "?": () => openSheet("keys"),
      "/": () => document.getElementById("search")?.focus(),
      g: () => (going = true),
      j: () => rows[Math.min(at + 1, rows.length - 1)]?.focus(),
      k: () => rows[Math.max(at - 1, 0)]?.focus(),
    };
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  // A live part is replaced as a whole. What was open, had focus or was scrolled is found again: by its id, or by the
  // nearest id around it and its number among its kind there.
  const placeOf = (element) => {
    const home = element.closest("[id]");
    return [home.id, element.tagName, [...home.querySelectorAll(element.tagName)].indexOf(element)];
  };
  const placed = ([id, tag, number]) => {
    const home = document.getElementById(id);
    return number < 0 ? home : home?.querySelectorAll(tag)[number];
  };
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr } = event.detail;
    const selection = getSelection();
    const leadsAway = new URL(xhr.responseURL).pathname !== location.pathname; // signed out meanwhile
    if (leadsAway) location.reload();
    // What somebody is selecting, to copy it, is not taken from under them: the next answer comes soon.
    const isRead = !selection.isCollapsed && target.contains(selection.anchorNode);
    if (leadsAway || isRead) event.detail.shouldSwap = false;
    kept = {
      open: [...target.querySelectorAll("details[open]")].map(placeOf),
      scrolled: [...target.querySelectorAll(".graph, .card, pre")]
        .filter((element) => element.scrollLeft || element.scrollTop)
        .map((element) => [placeOf(element), element.scrollLeft, element.scrollTop]),
      focus: target.contains(document.activeElement) ? placeOf(document.activeElement) : null,
    };
  });
  const keep = () => {
    for (const place of kept.open) placed(place)?.setAttribute("open", "");
    for (const [place, left, top] of kept.scrolled) placed(place)?.scrollTo(left, top);
    if (kept.focus) placed(kept.focus)?.focus({ preventScroll: true });
  };

  // Say aloud what a live part says about itself, when it changes.
  const said = document.getElementById("said");
  let last = document.querySelector("[data-say]")?.dataset.say || "";
  document.addEventListener("htmx:afterSwap", () => {
    keep();
    tick();
    const news = document.querySelector("[data-say]")?.dataset.say || "";
    if (said && news !== last) said.textContent = last = news;
  });
})();
