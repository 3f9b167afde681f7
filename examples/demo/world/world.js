// Show the world as it is now, without losing the place on the page.
const again = async () => {
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { headers: { Accept: "text/html" } });
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("world");
      const world = document.getElementById("world");
      const places = [...world.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
      world.replaceChildren(...next.childNodes);
      world.querySelectorAll(".scroll").forEach((box, index) => { box.scrollLeft = places[index] ?? 0; });
    } catch { /* The world is down for a moment: what is shown stays. */ }
  }
  setTimeout(again, 2000);
};
setTimeout(again, 2000);
