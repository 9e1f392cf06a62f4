// Let the keyboard reach what can be scrolled sideways: code, outputs and tables that are wider than the page.
(() => {
  const mark = () => {
    for (const part of document.querySelectorAll("article :is(pre, .output, .table-wrapper)")) {
      if (part.scrollWidth > part.clientWidth + 1) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  };
  mark();
  addEventListener("resize", mark);
  document.addEventListener("toggle", mark, true); // an answer was opened
})();
