"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const make = (tag, text, parent) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  };

  // Policies on and off in every plot, and one timeline at a time.
  const shown = data.policies.map(() => true);
  const chip = (parent, index, pressed) => {
    const button = make("button", undefined, parent);
    button.type = "button";
    make("i", undefined, button).style.background = data.policies[index].color;
    button.append(data.policies[index].name);
    button.setAttribute("aria-pressed", String(pressed));
    return button;
  };
  const toggles = document.getElementById("toggles");
  data.policies.forEach((policy, index) => {
    const button = chip(toggles, index, true);
    button.addEventListener("click", () => {
      shown[index] = !shown[index];
      button.setAttribute("aria-pressed", String(shown[index]));
      document.querySelectorAll(`.series[data-policy="${index}"]`).forEach((series) => {
        series.classList.toggle("off", !shown[index]);
      });
    });
  });
  const tabs = document.getElementById("tabs");
  const singles = [...document.querySelectorAll("figure.single")];
  const buttons = singles.map((figure, position) => {
    const button = chip(tabs, Number(figure.dataset.policy), position === 0);
    button.addEventListener("click", () => choose(position));
    return button;
  });
  const choose = (position) => {
    singles.forEach((figure, other) => { figure.hidden = other !== position; });
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === position)));
  };
  if (singles.length > 0) choose(0);

  // Values under the pointer.
  const tip = document.getElementById("tip");
  const number = (value, digits) => value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const time = (value) => {
    if (value === null) return "-";
    return value < 1000 ? `${number(value, value < 10 ? 2 : 0)} ms` : `${number(value / 1000, 2)} s`;
  };
  const clock = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    if (data.start !== null) {
      return new Date((data.start + whole) * 1000).toUTCString().slice(0, 22).replace(",", "");
    }
    const two = (part) => String(part).padStart(2, "0");
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  };
  const rowAt = (policy, seconds) => {
    let [low, high] = [0, policy.end.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (policy.end[middle] < seconds) low = middle + 1; else high = middle;
    }
    return low;
  };
  const columns = [
    ["req/s", (policy, row) => number(policy.rate[row], 1)],
    ["desired", (policy, row) => policy.desired[row]],
    ["ready", (policy, row) => policy.ready[row]],
    ["starting", (policy, row) => policy.starting[row]],
    ["queue", (policy, row) => number(policy.queue[row], 0)],
    ["p50", (policy, row) => time(policy.p50[row])],
    ["p99", (policy, row) => time(policy.p99[row])],
    ["missed", (policy, row) => number(policy.missed[row], 0)],
    ["cost", (policy, row) => `$${number(policy.cost[row], 2)}`],
  ];
  const fill = (seconds, policies) => {
    tip.textContent = "";
    make("strong", clock(seconds), tip);
    const table = make("table", undefined, tip);
    const head = make("tr", undefined, table);
    make("th", "", head);
    columns.forEach(([name]) => make("th", name, head));
    policies.filter((policy) => policy.end.length > 0).forEach((policy) => {
      const line = make("tr", undefined, table);
      const row = rowAt(policy, seconds);
      const name = make("th", policy.name, line);
      name.className = "text";
      name.style.color = policy.color;
      columns.forEach(([, value]) => make("td", value(policy, row), line));
    });
  };
  document.querySelectorAll("figure").forEach((figure) => {
    const axis = figure.querySelector(".time-axis");
    if (!axis) return;
    const svg = figure.querySelector("svg");
    const place = (name) => Number(axis.dataset[name]);
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    line.setAttribute("class", "cursor");
    line.setAttribute("y1", place("top"));
    line.setAttribute("y2", place("bottom"));
    line.style.display = "none";
    svg.append(line);
    const leave = () => { tip.hidden = true; line.style.display = "none"; };
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      const share = (x - place("left")) / (place("right") - place("left"));
      if (share < 0 || share > 1) return leave();
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      line.style.display = "";
      const one = figure.dataset.policy;
      const policies = one === "all" ? data.policies.filter((_, index) => shown[index]) : [data.policies[Number(one)]];
      fill(place("first") + share * (place("last") - place("first")), policies);
      tip.hidden = false;
      const right = event.clientX + 18 + tip.offsetWidth > window.innerWidth;
      tip.style.left = `${Math.max(4, right ? event.clientX - 18 - tip.offsetWidth : event.clientX + 18)}px`;
      tip.style.top = `${Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8)}px`;
    });
  });
})();
