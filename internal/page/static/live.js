// Keeps a view up to date: it asks for the same page again and puts what has
// changed in place. A tab that nobody sees asks nothing; a service that is gone
// is said to be, and found again when it is back.

const every = 5000; // ms
const contact = document.getElementById("contact");
let asking = false;

/** Puts the new content of one element in place, and the focus back. */
function replace(old, fresh) {
  if (old.dataset.chart !== undefined) { // drawn by chart.js
    old.dataset.chart = fresh.dataset.chart;
    return;
  }
  if (old.innerHTML === fresh.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  if (focused?.matches("input, select, textarea")) return; // somebody is writing
  const [id, href] = [focused?.id, focused?.getAttribute("href")];
  const open = [...old.querySelectorAll("details")].map((d) => d.open);
  old.replaceChildren(...fresh.childNodes);
  old.querySelectorAll("details").forEach((d, i) => { d.open = open[i] ?? d.open; });
  const again = id ? document.getElementById(id) : href && old.querySelector(`[href="${CSS.escape(href)}"]`);
  again?.focus({ preventScroll: true });
}

export async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      if (fresh) replace(old, fresh);
    }
    contact.hidden = true;
    document.dispatchEvent(new Event("live"));
  } catch {
    contact.hidden = false;
  } finally {
    asking = false;
  }
}

document.addEventListener("visibilitychange", refresh);
if (document.querySelector("[data-live]")) setInterval(refresh, every);
