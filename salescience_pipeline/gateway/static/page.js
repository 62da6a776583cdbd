// What needs no page of its own: the price under the pointer, and progress that moves while one looks. Without this script
// everything else works; the job page then has a link that asks again every five seconds.
"use strict";

function follow(chart) {
  const places = chart.dataset.places.split(";").map((text) => {
    const [x, y, day, price] = text.split(",");
    return { x: Number(x), y: Number(y), day, price };
  });
  const cross = chart.querySelector(".cross");
  const readout = chart.parentElement.querySelector(".readout");
  const first = readout.textContent;
  let at = places.length - 1;
  const show = () => {
    const place = places[at];
    cross.removeAttribute("hidden");
    cross.querySelector("line").setAttribute("transform", `translate(${place.x})`);
    cross.querySelector("circle").setAttribute("transform", `translate(${place.x} ${place.y})`);
    readout.textContent = `${place.price} on ${place.day}`;
  };
  const hide = () => {
    cross.setAttribute("hidden", "");
    readout.textContent = first;
  };
  chart.setAttribute("tabindex", "0");
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    at = places.reduce((best, place, index) => (Math.abs(place.x - x) < Math.abs(places[best].x - x) ? index : best), 0);
    show();
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -places.length, End: places.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    at = Math.min(Math.max(at + step, 0), places.length - 1);
    show();
  });
}

async function refresh() {
  const live = document.querySelector("#live[data-live]");
  if (!live) return;
  if (!document.hidden && !live.contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = answer.ok && page.querySelector("#live");
      if (next && next.innerHTML !== live.innerHTML) live.replaceWith(next);
      else if (next && !("live" in next.dataset)) delete live.dataset.live;
    } catch {
      // The gateway is away for a moment; the next look may find it back.
    }
  }
  setTimeout(refresh, 2000);
}

document.querySelectorAll("svg[data-places]").forEach(follow);
setTimeout(refresh, 2000);
