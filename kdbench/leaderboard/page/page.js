"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const charts = [...document.querySelectorAll(".chart")];
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const paper = window.matchMedia("print");
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const PAPER_WIDTH = 660;

  function colours(printing) {
    const isDark = dark.matches && !printing;
    return isDark
      ? { text: "#e6e9ec", line: "#363d45", box: "#1d2126", ground: "rgba(20,23,26,0.8)" }
      : { text: "#1b1f24", line: "#d8dee4", box: "#ffffff", ground: "rgba(255,255,255,0.8)" };
  }

  function template(printing) {
    const { text, line, box, ground } = colours(printing);
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, tickcolor: line };
    return {
      layout: {
        font: { color: text, family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif", size: 13 },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: axis,
        yaxis: axis,
        annotationdefaults: { bgcolor: ground },
        hoverlabel: { bgcolor: box, bordercolor: line, font: { color: text } },
      },
    };
  }

  function draw(chart) {
    const { data, layout } = figures[chart.dataset.figure];
    const options = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", scrollZoom: false };
    // On a touch screen a finger on a chart scrolls the page.
    const own = { ...layout, template: template(paper.matches), autosize: true, ...(touch ? { dragmode: false } : {}) };
    return Plotly.newPlot(chart, data, own, options).then(() => { chart.dataset.drawn = "yes"; });
  }

  let onPaper = false;
  function forPaper(printing) {
    if (printing === onPaper) return;
    onPaper = printing;
    for (const chart of charts) {
      const size = printing ? { width: PAPER_WIDTH, autosize: false } : { width: null, autosize: true };
      Plotly.relayout(chart, { template: template(printing), ...size });
    }
  }

  function cellValue(row, column) {
    return JSON.parse(row.querySelector(`td[data-column="${column}"]`).dataset.sort);
  }

  function compare(a, b) {
    if (a === null || b === null) return 0;
    return typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b;
  }

  function sortBy(header) {
    const body = document.querySelector("#rows tbody");
    const column = header.dataset.column;
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.children) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...body.rows].map((row) => ({ row, value: cellValue(row, column) }));
    // What is unknown stays at the end, whichever way the rest is turned.
    rows.sort((a, b) => (a.value === null) - (b.value === null) || (down ? compare(b.value, a.value) : compare(a.value, b.value)));
    body.append(...rows.map(({ row }) => row));
  }

  function filter(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...document.querySelectorAll("#rows tbody tr")];
    for (const row of rows) {
      const own = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => own.includes(word));
    }
    document.getElementById("count").textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  }

  async function copy(button) {
    const text = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {  // a browser may refuse a page from disk: mark the text, so that the keyboard can copy it
      window.getSelection().selectAllChildren(text);
      button.textContent = "Marked: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }

  for (const header of document.querySelectorAll("#rows th")) {
    header.querySelector("button").addEventListener("click", () => sortBy(header));
  }
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  document.getElementById("filter")?.addEventListener("input", (event) => filter(event.target.value));
  dark.addEventListener("change", () => {
    for (const chart of charts) Plotly.relayout(chart, { template: template(onPaper) });
  });
  window.addEventListener("beforeprint", () => forPaper(true));
  window.addEventListener("afterprint", () => forPaper(false));
  paper.addEventListener("change", (event) => forPaper(event.matches));
  Promise.all(charts.map(draw)).then(() => { document.body.dataset.ready = "yes"; });
})();
