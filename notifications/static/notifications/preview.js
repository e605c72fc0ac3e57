/** Shows below each message text the longest possible SMS, its cost and its problems, as computed by the server. */
import { csrfToken } from "../web/api.js";
import { debounce, element, findAll } from "../web/page.js";

const PAUSE_MS = 250;

/** @param {HTMLTextAreaElement} area */
function watch(area) {
  const output = document.createElement("output");
  output.className = "sms-preview";
  const [text, cost, problems] = [element("p", ""), element("p", ""), document.createElement("ul")];
  output.append(text, cost, problems);
  area.after(output);
  /** @type {AbortController | undefined} */
  let request;

  async function load() {
    request?.abort();
    request = new AbortController();
    const { language = "", kind = "", preview = "" } = area.dataset;
    try {
      const answer = await fetch(preview, {
        method: "POST",
        signal: request.signal,
        headers: { "X-CSRFToken": csrfToken() },
        body: new URLSearchParams({ language, kind, body: area.value }),
      });
      show(await answer.json());
    } catch (error) {
      // After an abort a newer request is under way. After another error the preview is cleared, and the form shows
      // problems when it is saved.
      if (!(error instanceof DOMException && error.name === "AbortError")) show({});
    }
  }

  /** @param {{ text?: string, cost?: string, detail?: string, segments?: number, problems?: string[] }} found */
  function show(found) {
    output.dataset.segments = String(found.segments ?? "");
    text.textContent = found.text ?? "";
    cost.textContent = found.cost ?? found.detail ?? "";
    problems.replaceChildren(...(found.problems ?? []).map((problem) => element("li", problem)));
  }

  area.addEventListener("input", debounce(PAUSE_MS, load));
  load();
}

for (const area of findAll("textarea")) if (area.dataset.preview) watch(area);
