/** Below each text of a message: how it reads at its longest, what it costs, what is wrong with it. The server counts. */
import { csrfToken } from "../web/api.js";
import { debounce, element, findAll } from "../web/page.js";

const PAUSE_MS = 250;

/** @param {HTMLTextAreaElement} area */
function watch(area) {
  const shown = document.createElement("output");
  shown.className = "sms-preview";
  const [text, cost, problems] = [element("p", ""), element("p", ""), document.createElement("ul")];
  shown.append(text, cost, problems);
  area.after(shown);
  /** @type {AbortController | undefined} */
  let asked;

  async function ask() {
    asked?.abort();
    asked = new AbortController();
    const { language = "", kind = "", preview = "" } = area.dataset;
    try {
      const answer = await fetch(preview, {
        method: "POST",
        signal: asked.signal,
        headers: { "X-CSRFToken": csrfToken() },
        body: new URLSearchParams({ language, kind, body: area.value }),
      });
      show(await answer.json());
    } catch (error) {
      // Overtaken by the next letter; or the server is away, and says what is wrong when the form is saved.
      if (!(error instanceof DOMException && error.name === "AbortError")) show({});
    }
  }

  /** @param {{ text?: string, cost?: string, detail?: string, segments?: number, problems?: string[] }} found */
  function show(found) {
    shown.dataset.segments = String(found.segments ?? "");
    text.textContent = found.text ?? "";
    cost.textContent = found.cost ?? found.detail ?? "";
    problems.replaceChildren(...(found.problems ?? []).map((problem) => element("li", problem)));
  }

  area.addEventListener("input", debounce(PAUSE_MS, ask));
  ask();
}

for (const area of findAll("textarea")) if (area.dataset.preview) watch(area);
