/** Below each text of a message: how it reads at its longest, what it costs, what is wrong with it. The server counts. */
"use strict";
(() => {
  const PAUSE_MS = 250;

  function watch(area) {
    const shown = document.createElement("output");
    shown.className = "sms-preview";
    const [text, cost, problems] = ["p", "p", "ul"].map((tag) => shown.appendChild(document.createElement(tag)));
    area.after(shown);
    let timer, asked;

    async function ask() {
      asked?.abort();
      asked = new AbortController();
      const { language, kind, preview } = area.dataset;
      const csrf = area.form.elements.csrfmiddlewaretoken.value;
      try {
        const answer = await fetch(preview, {
          method: "POST",
          signal: asked.signal,
          headers: { "X-CSRFToken": csrf },
          body: new URLSearchParams({ language, kind, body: area.value }),
        });
        show(await answer.json());
      } catch (error) {
        // Overtaken by the next letter; or the server is away, and says what is wrong when the form is saved.
        if (error.name !== "AbortError") show({});
      }
    }

    function show(found) {
      shown.dataset.segments = found.segments ?? "";
      text.textContent = found.text ?? "";
      cost.textContent = found.cost ?? found.detail ?? "";
      problems.replaceChildren(
        ...(found.problems ?? []).map((said) => {
          const item = document.createElement("li");
          item.textContent = said;
          return item;
        }),
      );
    }

    area.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE_MS);
    });
    ask();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-preview]").forEach(watch));
})();
