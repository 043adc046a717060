"use strict";
(() => {
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const dark = () =>
    (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  const remembered = (action) => { try { return action(); } catch { return null; } };
  const kept = remembered(() => localStorage.getItem("reconcile-theme"));
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    remembered(() => localStorage.setItem("reconcile-theme", root.dataset.theme));
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();

  const tools = document.getElementById("tools");
  if (!tools) return;
  tools.hidden = false;
  const items = [...document.querySelectorAll("ul.changes > li")];
  const nodes = new Map([...document.querySelectorAll("svg a[data-change]")].map((a) => [a.dataset.change, a]));
  const texts = items.map((item) => item.textContent.toLowerCase());
  const search = document.getElementById("search");
  const picks = [...document.querySelectorAll(".pick input")];
  const status = document.getElementById("status");
  const open = document.getElementById("open");

  const show = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(picks.filter((pick) => pick.checked).map((pick) => pick.value));
    let count = 0;
    items.forEach((item, index) => {
      const fits = wanted.has(item.dataset.state) && words.every((word) => texts[index].includes(word));
      item.hidden = !fits;
      count += fits;
      const node = nodes.get(item.id);
      if (node) node.classList.toggle("faded", !fits);
    });
    status.textContent = `${count} of ${items.length} changes shown.`;
  };
  search.addEventListener("input", show);
  picks.forEach((pick) => pick.addEventListener("change", show));
  open.addEventListener("click", () => {
    const opening = open.dataset.open !== "yes";
    open.dataset.open = opening ? "yes" : "no";
    open.textContent = opening ? "Close all" : "Open all";
    items.forEach((item) => { item.firstElementChild.open = opening; });
  });
  const follow = () => {
    const item = items.find((one) => `#${one.id}` === location.hash);
    if (!item) return;
    if (item.hidden) {
      search.value = "";
      picks.forEach((pick) => { pick.checked = true; });
      show();
    }
    item.firstElementChild.open = true;
    item.scrollIntoView();
  };
  addEventListener("hashchange", follow);
  show();
  follow();
})();
