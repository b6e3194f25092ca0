// Silences a rule, ends a silence, and has a rule fire on trial.

import { refresh } from "./live.js";

const form = document.getElementById("act");
const said = document.getElementById("said");

/** Sends, and says what came of it. */
async function send(path, options) {
  said.textContent = "…";
  try {
    const answer = await fetch(path, options);
    const text = await answer.text();
    said.textContent = answer.ok ? "✓" : text.slice(0, 300);
    if (answer.ok) refresh();
  } catch (error) {
    said.textContent = String(error);
  }
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const data = new FormData(form);
  const rule = String(data.get("rule"));
  if (event.submitter?.value === "fire") {
    send(`api/drills?rule=${encodeURIComponent(rule)}`, { method: "POST", headers: { "Latido-Confirm": "yes" } });
    return;
  }
  const now = Date.now();
  send("api/v2/silences", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      matchers: [{ name: "alertname", value: rule, isRegex: false, isEqual: true }],
      startsAt: new Date(now).toISOString(),
      endsAt: new Date(now + Number(data.get("for")) * 60000).toISOString(),
      createdBy: String(data.get("who")),
      comment: String(data.get("why")),
    }),
  });
});

document.addEventListener("click", (event) => {
  const id = event.target.closest?.("[data-end]")?.dataset.end;
  if (id) send(`api/v2/silence/${encodeURIComponent(id)}`, { method: "DELETE" });
});
