// Put an excerpt below each search result, from the texts in excerpts.js, with the words of the query marked.
(() => {
  const AROUND = 110; // letters before the first word found
  const LENGTH = 260;
  const words = (new URLSearchParams(location.search).get("q") || "").toLowerCase().match(/[\p{L}\p{N}_]{2,}/gu) || [];
  const escape = (word) => word.replace(/[.*+\-?^${}()|[\]\\]/g, "\\$&");
  const any = words.length ? new RegExp(`(${words.map(escape).join("|")})`, "giu") : null;

  const count = (text) => words.filter((word) => text.toLowerCase().includes(word)).length;

  const textOf = (link) => {
    const url = new URL(link.href);
    const root = new URL(".", location.href).pathname;
    const texts = EXCERPTS[decodeURIComponent(url.pathname.slice(root.length)).replace(/\.html$/, "")] || [];
    const anchor = decodeURIComponent(url.hash.slice(1));
    const own = texts.find(([ids]) => anchor && ids.includes(anchor));
    if (own) return own[1];
    return texts.map(([, text]) => text).reduce((best, text) => (count(text) > count(best) ? text : best), "");
  };

  const excerpt = (text) => {
    const phrase = text.toLowerCase().indexOf(words.join(" "));
    const first = phrase >= 0 ? phrase : text.search(any);
    let start = Math.max(0, first - AROUND);
    if (start) start = text.indexOf(" ", start) + 1;
    const end = start + LENGTH >= text.length ? text.length : text.lastIndexOf(" ", start + LENGTH);
    return `${start ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
  };

  const add = (item) => {
    const link = item.querySelector("a");
    const text = link && any && textOf(link);
    if (!text || item.querySelector(".context")) return;
    const paragraph = document.createElement("p");
    paragraph.className = "context";
    excerpt(text).split(any).forEach((part, place) => {
      paragraph.append(place % 2 ? Object.assign(document.createElement("mark"), { textContent: part }) : part);
    });
    item.append(paragraph);
  };

  document.addEventListener("DOMContentLoaded", () => {
    const results = document.getElementById("search-results");
    if (!results) return;
    new MutationObserver(() => results.querySelectorAll("li").forEach(add)).observe(results, { childList: true, subtree: true });
    results.querySelectorAll("li").forEach(add);
  });
})();
