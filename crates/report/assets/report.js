"use strict";
/* The plots over time: one stack of uPlot panels with a common time axis, the decisions below it, and the state of both in the address. */
(() => {
  const by = (id) => document.getElementById(id);
  const make = (tag, parent, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    if (parent) parent.append(element);
    return element;
  };

  // What payload.rs packed.
  const unpacked = async () => {
    const text = atob(by("data").textContent.trim());
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const buffer = await new Response(stream).arrayBuffer();
    const length = new DataView(buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
    let from = 4 + length;
    const columns = data.lengths.map((rows) => {
      const planes = new Uint8Array(buffer, from, 4 * rows);
      from += 4 * rows;
      const plain = new Uint8Array(4 * rows);
      for (let row = 0; row < rows; row += 1) {
        for (let plane = 0; plane < 4; plane += 1) plain[4 * row + plane] = planes[plane * rows + row];
      }
      return Array.from(new Float32Array(plain.buffer), (value) => (Number.isNaN(value) ? null : value));
    });
    for (const subject of data.subjects) {
      for (const run of subject.runs) {
        for (const name of Object.keys(run.columns)) run.columns[name] = columns[run.columns[name]];
      }
    }
    return data;
  };

  // One meaning per color; light tells apart what hue does not.
  const LIGHT = { ink: "#1f242b", muted: "#5c6670", grid: "#dde1e6", paper: "#ffffff", main: "#0072b2", faint: "#6ea8c8", alarm: "#c04a00", bad: "#c04a0018",
    ready: "#0072b2", idle: "#8cc8ec", starting: "#e69f00", standby: "#008a64", draining: "#882255", nobody: "#c4c9ce", onDemand: "#5c6670", spot: "#f0e442", reserved: "#44aa99" };
  const DARK = { ...LIGHT, ink: "#e8ebee", muted: "#a3adb7", grid: "#39414a", paper: "#1a1f25", main: "#6fc3f5", faint: "#47809f", alarm: "#ff9d66", bad: "#ff9d6622",
    ready: "#2f8fd0", idle: "#a9d8f5", draining: "#c4588f", nobody: "#59626b", onDemand: "#a3adb7" };
  const darkness = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => (darkness.matches ? DARK : LIGHT);

  // Numbers as the tables print them.
  const plain = (value, digits) => value.toLocaleString("en-US", { maximumFractionDigits: digits });
  const digits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  const number = (value) => (value == null ? "-" : plain(value, digits(value)));
  const time = (value) => {
    if (value == null) return "-";
    return value < 1000 ? `${number(value)} ms` : `${number(value / 1000)} s`;
  };
  const money = (value) => (value == null ? "-" : `$${plain(value, 2)}`);

  const start = (data) => {
    const DAY = 86400;
    const offset = data.start === null ? 0 : data.start % DAY;
    const two = (part) => String(part).padStart(2, "0");
    const clock = (x, exact) => {
      // A change of the clocks in the run: from then on they show another time.
      const shift = data.shifts.findLast(([since]) => x - offset >= since);
      const second = Math.round(x) + (shift ? shift[1] : 0);
      const day = data.start === null ? 0 : Math.floor(second / DAY);
      const of_day = data.start === null ? second : second - day * DAY;
      const hour = Math.floor(of_day / 3600);
      const text = `${two(hour)}:${two(Math.floor(of_day / 60) % 60)}${exact || second % 60 ? `:${two(of_day % 60)}` : ""}`;
      if (day === 0) return text;
      const date = new Date((data.start - offset + day * DAY) * 1000).toUTCString().slice(0, 7).replace(",", "");
      return hour === 0 && second % 3600 === 0 && !exact ? date : exact ? `${date} ${text}` : text;
    };

    const state = { subject: 0, policy: data.chosen ?? 0, beside: data.beside, from: null, to: null, at: null };
    const subject = () => data.subjects[state.subject];
    const run = (policy = state.policy) => subject().runs[policy];
    // Nodes and the bill are the cluster's.
    const bill = (policy) => data.subjects[0].runs[policy];
    // The passes that are told: of several services each service has its own.
    const decisions = () => run().decisions;

    const edges = (columns) => {
      const starts = columns.start.map((value) => offset + value);
      const last = starts.length - 1;
      return last < 0 ? [] : [...starts, starts[last] + columns.step[last]];
    };
    const closed = (values) => [...values, values[values.length - 1]];
    const rate = (counts, columns) => counts.map((count, row) => count / columns.step[row]);
    const sums = (lists) => {
      const out = [];
      for (const list of lists) out.push(list.map((value, row) => (value || 0) + (out.length ? out[out.length - 1][row] : 0)));
      return out;
    };
    const largest = (lists) => lists.reduce((most, list) => list.reduce((m, v) => (v != null && v > m ? v : m), most), 0);
    const smallest = (lists) => lists.reduce((least, list) => list.reduce((m, v) => (v != null && v > 0 && v < m ? v : m), least), Infinity);

    // A panel: what it shows of a policy, and how high its axis goes over all policies, so that they can be compared.
    const layers = (names, values) => ({ names, values });
    const STATES = [["ready", "ready"], ["starting", "starting"], ["standby", "standby"], ["draining", "draining"]];
    const NODES = [["on demand", "on_demand", "onDemand"], ["spot", "spot", "spot"], ["reserved", "reserved", "reserved"]];
    const USES = ["ready", "idle", "starting", "standby", "draining", "nobody"];
    const latencies = (columns) => {
      const limits = subject().limits;
      const kinds = [];
      if (columns.ttft99) kinds.push(["Time to first token", "ttft99", "ttft50", limits.ttft], ["Time per output token", "tpot99", "tpot50", limits.tpot]);
      if (columns.p99 && (!columns.ttft99 || limits.latency != null)) kinds.push(["Latency", "p99", "p50", limits.latency]);
      return kinds;
    };
    const panels = (policy) => {
      const columns = subject().runs[policy].columns;
      const cluster = bill(policy).columns;
      const all = subject().runs.map((one) => one.columns);
      const list = [{
        title: "Traffic and misses, requests/s", print: number, high: largest(all.flatMap((one) => [rate(one.arrivals, one), rate(one.missed, one)])),
        series: [
          { label: "arrive", values: rate(columns.arrivals, columns), color: "muted", width: 1.5 },
          { label: "miss the SLO", values: rate(columns.missed, columns), color: "alarm", width: 1, fill: true },
        ],
        ghost: (other) => rate(other.missed, other), ghostOf: "misses",
      }, {
        title: "Replicas by state", print: number, isWhole: true, high: largest(all.flatMap((one) => [sums(STATES.map(([, key]) => one[key]))[3], one.desired])),
        stack: layers(STATES.map(([name, key]) => [name, key]), STATES.map(([, key]) => columns[key])),
        series: [{ label: "wanted", values: columns.desired, color: "ink", width: 1.2, dash: [4, 3] }],
        ghost: (other) => other.ready, ghostOf: "ready",
      }];
      for (const [title, high, middle, limit] of latencies(columns)) {
        const every = all.flatMap((one) => [one[high] || [], one[middle] || []]);
        // Nobody has more than one token where prompts are computed for others.
        if (largest(every) === 0) continue;
        list.push({
          title: `${title} (log scale)`, print: time, isLog: true, limit, hasSilence: true,
          low: Math.min(smallest(every), limit ?? Infinity), high: Math.max(largest(every), limit ?? 0),
          series: [
            { label: "p50 of answers", values: columns[middle], color: "faint", width: 1.2 },
            { label: "p99 of answers", values: columns[high], color: "main", width: 2 },
          ],
          ghost: (other) => other[high], ghostOf: "p99",
        });
      }
      if (columns.kv) {
        list.push({ title: "KV cache in use", print: (share) => (share == null ? "-" : `${number(share * 100)} %`), high: 1,
          series: [{ label: "mean over ready replicas", values: columns.kv, color: "main", width: 1.5 }], ghost: (other) => other.kv, ghostOf: "KV" });
      }
      const used = USES.map((_, use) => use).filter((use) => data.subjects[0].runs.some((one) => largest([one.columns[`use${use}`]]) > 0));
      const bills = data.subjects[0].runs.map((one) => one.columns);
      const suffix = data.subjects.length > 1 && state.subject > 0 ? " (whole cluster)" : "";
      list.push({
        title: `Dollars per hour by use${suffix}`, print: money, high: largest(bills.map((one) => sums(used.map((use) => one[`use${use}`])).pop() ?? [])),
        stack: layers(used.map((use) => [data.uses[use], USES[use]]), used.map((use) => cluster[`use${use}`])), series: [],
        ghost: (_, other) => sums(used.map((use) => other[`use${use}`])).pop(), ghostOf: "sum", of: cluster,
      });
      const bought = NODES.filter(([, key]) => bills.some((one) => largest([one[key]]) > 0));
      // Serverless replicas are on none.
      if (bought.length) list.push({
        title: `Nodes${suffix}`, print: number, isWhole: true, high: largest(bills.map((one) => sums(bought.map(([, key]) => one[key])).pop() ?? [])),
        stack: layers(bought.map(([name, , color]) => [name, color]), bought.map(([, key]) => cluster[key])), series: [],
        ghost: (_, other) => sums(bought.map(([, key]) => other[key])).pop(), ghostOf: "sum", of: cluster, marks: bill(policy).interruptions,
      });
      return list;
    };

    // Of what is counted there are no halves.
    const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7];
    const incrs = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 14400, 21600, 43200, DAY, 2 * DAY, 7 * DAY];
    const draw = (u, paint) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      paint(ctx, bbox, (x) => u.valToPos(x, "x", true), devicePixelRatio || 1);
      ctx.restore();
    };
    const stretches = (flags, xs, paint) => {
      let from = null;
      for (let row = 0; row <= flags.length; row += 1) {
        if (flags[row] && from === null) from = row;
        if (!flags[row] && from !== null) { paint(xs[from], xs[row]); from = null; }
      }
    };

    // Draws a policy's panels into a place and gives the plots.
    const stackOf = (place, policy, options) => {
      const { colors, width, height, isLive } = options;
      const columns = subject().runs[policy].columns;
      const xs = edges(columns);
      const plots = [];
      const span = [state.from ?? xs[0], state.to ?? xs[xs.length - 1]];
      const narrow = width < 520;
      const axes = (print, isLast, isLog, isWhole) => [
        { stroke: colors.muted, grid: { stroke: colors.grid, width: 1 }, ticks: { stroke: colors.grid, width: 1 }, incrs, space: narrow ? 64 : 80, size: isLast ? 30 : 4,
          values: (_, splits) => splits.map((x) => (isLast ? clock(x) : "")), font: "12px system-ui, sans-serif" },
        { stroke: colors.muted, grid: { stroke: colors.grid, width: 1 }, ticks: { show: false }, size: narrow ? 50 : 66, space: isLog ? 22 : 28, font: "12px system-ui, sans-serif",
          values: (_, splits) => splits.map((y) => (y == null ? "" : print(y))), ...(isWhole ? { incrs: WHOLE } : {}), ...(isLog ? { filter: (_, splits) => splits.map((y) => (Math.abs(Math.log10(y) % 1) < 1e-9 ? y : null)) } : {}) },
      ];
      const cursor = { drag: { x: true, y: false, setScale: true }, ...(isLive ? { sync: { key: "stack", setSeries: false, scales: ["x", null] } } : { show: false }) };
      const common = (figure) => ({
        width, cursor, focus: { alpha: 1 }, padding: [6, narrow ? 12 : 26, 0, 0], legend: { show: true, live: isLive, isolate: false },
        hooks: {
          setScale: [(u, key) => { if (isLive && key === "x" && !options.isBusy) options.zoomed(u.scales.x.min, u.scales.x.max); }],
          drawClear: [(u) => draw(u, (ctx, box, at) => {
            ctx.fillStyle = colors.bad;
            stretches(columns.bad, xs, (a, b) => ctx.fillRect(at(a), box.top, Math.max(1, at(b) - at(a)), box.height));
          })],
          draw: [],
        },
        figure,
      });
      const stepped = uPlot.paths.stepped({ align: 1 });
      const list = panels(policy);
      list.forEach((panel, index) => {
        const figure = make("figure", place, undefined, "panel");
        make("figcaption", figure, panel.title);
        const set = common(figure);
        const at = panel.of && panel.of !== columns ? edges(panel.of) : xs;
        const values = [at];
        const series = [{ label: "time", value: (_, x) => (x == null ? "-" : clock(x, true)) }];
        if (panel.stack) {
          const heights = sums(panel.stack.values);
          for (let layer = heights.length - 1; layer >= 0; layer -= 1) {
            const [label, key] = panel.stack.names[layer];
            const own = panel.stack.values[layer];
            values.push(closed(heights[layer]));
            series.push({ label, stroke: colors[key], fill: colors[key], width: 0, paths: stepped, points: { show: false }, value: (_, __, ___, row) => (row == null ? "-" : panel.print(own[Math.min(row, own.length - 1)])) });
          }
        }
        for (const one of panel.series) {
          values.push(closed(one.values));
          series.push({ label: one.label, stroke: colors[one.color], width: one.width, dash: one.dash, fill: one.fill ? `${colors[one.color]}66` : undefined, paths: stepped, points: { show: false }, value: (_, v) => panel.print(v) });
        }
        const other = options.beside;
        const theirs = other == null ? null : panel.ghost(subject().runs[other].columns, bill(other).columns);
        if (theirs && theirs.length + 1 === at.length) {
          values.push(closed(theirs));
          series.push({ label: `${data.policies[other]}: ${panel.ghostOf}`, stroke: colors.ink, width: 1.2, dash: [7, 4], paths: stepped, points: { show: false }, value: (_, v) => panel.print(v) });
        }
        if (panel.limit != null) {
          set.hooks.draw.push((u) => draw(u, (ctx, box, _, ratio) => {
            const y = u.valToPos(panel.limit, "y", true);
            ctx.strokeStyle = colors.alarm;
            ctx.fillStyle = colors.alarm;
            ctx.lineWidth = 1.5 * ratio;
            ctx.setLineDash([2 * ratio, 3 * ratio]);
            ctx.beginPath();
            ctx.moveTo(box.left, y);
            ctx.lineTo(box.left + box.width, y);
            ctx.stroke();
            ctx.font = `${12 * ratio}px system-ui, sans-serif`;
            ctx.textAlign = "right";
            ctx.fillText(`SLO ${time(panel.limit)}`, box.left + box.width - 4 * ratio, y - 4 * ratio);
          }));
        }
        if (panel.hasSilence) {
          set.hooks.draw.push((u) => draw(u, (ctx, box, at_x, ratio) => {
            ctx.strokeStyle = colors.alarm;
            ctx.fillStyle = colors.alarm;
            ctx.lineWidth = ratio;
            ctx.font = `${12 * ratio}px system-ui, sans-serif`;
            stretches(columns.silent, xs, (a, b) => {
              const [left, right] = [at_x(a), Math.max(at_x(b), at_x(a) + 2)];
              ctx.save();
              ctx.beginPath();
              ctx.rect(left, box.top, right - left, box.height);
              ctx.clip();
              ctx.beginPath();
              for (let x = left - box.height; x < right; x += 7 * ratio) { ctx.moveTo(x, box.top + box.height); ctx.lineTo(x + box.height, box.top); }
              ctx.stroke();
              ctx.restore();
              const words = "no answers";
              const room = ctx.measureText(words).width + 8 * ratio;
              const beside = right + room < box.left + box.width ? right + 4 * ratio : left - room;
              ctx.textAlign = "left";
              ctx.fillText(words, beside, box.top + 14 * ratio);
            });
          }));
        }
        if (panel.marks && panel.marks.length > 0) {
          set.hooks.draw.push((u) => draw(u, (ctx, box, at_x, ratio) => {
            ctx.fillStyle = colors.alarm;
            for (const [second] of panel.marks) {
              const x = at_x(offset + second);
              ctx.beginPath();
              ctx.moveTo(x - 5 * ratio, box.top);
              ctx.lineTo(x + 5 * ratio, box.top);
              ctx.lineTo(x, box.top + 10 * ratio);
              ctx.fill();
            }
          }));
        }
        const isLast = index === list.length - 1 && !isLive;
        const top = panel.high > 0 ? panel.high * 1.06 : 1;
        const low = panel.isLog ? 10 ** Math.floor(Math.log10(Math.min(panel.low, 1e6) || 1)) : 0;
        const high = panel.isLog ? Math.max(low * 10, 10 ** Math.ceil(Math.log10(top))) : top;
        const y = panel.isLog ? { distr: 3, log: 10, range: () => [low, high] } : { range: () => [0, high] };
        plots.push(new uPlot({ ...set, height, scales: { x: { time: false, min: span[0], max: span[1] }, y }, axes: axes(panel.print, isLast, panel.isLog, panel.isWhole), series }, values, figure));
        if (panel.marks && panel.marks.length > 0) make("p", figure, `▼ a spot node is taken back, or notice of it (${panel.marks.length})`, "note");
      });
      if (isLive) plots.push(ticks(place, xs, { ...options, span, axes: axes(number, true, false), set: common() }));
      return plots;
    };

    // The decisions as ticks.
    const ticks = (place, xs, options) => {
      const { colors, width, set } = options;
      const figure = make("figure", place, undefined, "panel decisions");
      const told = decisions();
      make("figcaption", figure, `Decisions: ▲ up ▼ down ◆ other write | held back; click one and read why`);
      const SIGN = { 1: [-7, 0], "-1": [7, 0], 0: [0, 0] };
      set.hooks.draw.push((u) => draw(u, (ctx, box, at_x, ratio) => {
        told.rows.forEach(([second, way], index) => {
          const x = at_x(offset + second);
          if (x < box.left - 9 || x > box.left + box.width + 9) return;
          const y = box.top + box.height / 2;
          ctx.fillStyle = state.at === index ? colors.alarm : way === "held" ? colors.muted : colors.ink;
          ctx.beginPath();
          if (way === "held") {
            ctx.rect(x - 0.75 * ratio, y + 6 * ratio, 1.5 * ratio, 10 * ratio);
          } else if (SIGN[way] && SIGN[way][0] !== 0) {
            const tip = SIGN[way][0] * ratio;
            ctx.moveTo(x - 5 * ratio, y - tip * 0.5);
            ctx.lineTo(x + 5 * ratio, y - tip * 0.5);
            ctx.lineTo(x, y + tip);
          } else {
            ctx.moveTo(x, y - 6 * ratio);
            ctx.lineTo(x + 5 * ratio, y);
            ctx.lineTo(x, y + 6 * ratio);
            ctx.lineTo(x - 5 * ratio, y);
          }
          ctx.fill();
          if (state.at === index) ctx.fillRect(x - ratio / 2, box.top, ratio, box.height);
        });
      }));
      const series = [{ label: "time", value: (_, x) => (x == null ? "-" : clock(x, true)) }, { label: "", show: false }];
      const plot = new uPlot({ ...set, width, height: 84, legend: { show: false }, scales: { x: { time: false, min: options.span[0], max: options.span[1] }, y: { range: () => [0, 1] } },
        axes: [options.axes[0], { ...options.axes[1], values: (_, splits) => splits.map(() => ""), grid: { show: false } }], series }, [xs, xs.map(() => null)], figure);
      plot.over.addEventListener("click", (event) => {
        const box = plot.over.getBoundingClientRect();
        const x = event.clientX - box.left;
        let best = null;
        told.rows.forEach(([second], index) => {
          const away = Math.abs(plot.valToPos(offset + second, "x") - x);
          if (away < 24 && (best === null || away < best[0])) best = [away, index];
        });
        if (best) tell(best[1]);
      });
      return plot;
    };

    // The explanation of a pass.
    const tell = (index) => {
      const { rows } = decisions();
      state.at = index !== null && rows[index] ? index : null;
      by("why").hidden = rows.length === 0;
      if (state.at === null) {
        by("why-head").textContent = rows.length ? "no decision chosen" : "";
        by("why-text").textContent = "";
      } else {
        by("why-head").textContent = rows[state.at][2];
        by("why-text").textContent = rows[state.at][3];
      }
      plots.forEach((plot) => plot.redraw(false));
      remember();
    };
    const stepDecision = (way) => {
      const { rows } = decisions();
      if (rows.length === 0) return;
      const [from, to] = view();
      const inView = (index) => rows[index][0] + offset >= from && rows[index][0] + offset <= to;
      if (state.at === null) {
        const first = rows.findIndex((_, index) => inView(index));
        return tell(first < 0 ? 0 : first);
      }
      tell(Math.min(rows.length - 1, Math.max(0, state.at + way)));
    };

    // The address: policy, what is beside it, service, zoom, decision.
    const remember = () => {
      const parts = new URLSearchParams();
      if (state.subject > 0) parts.set("service", subject().name);
      parts.set("policy", data.policies[state.policy]);
      if (state.beside != null) parts.set("beside", data.policies[state.beside]);
      if (state.from !== null) {
        parts.set("from", String(Math.round(state.from - offset)));
        parts.set("to", String(Math.round(state.to - offset)));
      }
      if (state.at !== null) parts.set("at", decisions().rows[state.at][0].toFixed(3));
      history.replaceState(null, "", `#${parts}`);
    };
    const recall = () => {
      const parts = new URLSearchParams(location.hash.slice(1));
      const named = (list, name) => { const found = list.indexOf(parts.get(name)); return found < 0 ? null : found; };
      const service = named(data.subjects.map((one) => one.name), "service");
      state.subject = service ?? (data.subjects.length > 1 ? state.subject : 0);
      if (parts.has("policy")) {
        state.policy = named(data.policies, "policy") ?? state.policy;
        state.beside = named(data.policies, "beside");
      }
      const [from, to] = [Number(parts.get("from")), Number(parts.get("to"))];
      const zoomed = parts.has("from") && Number.isFinite(from) && to > from;
      [state.from, state.to] = zoomed ? [offset + from, offset + to] : [null, null];
      const at = parts.has("at") ? decisions().rows.findIndex((row) => Math.abs(row[0] - Number(parts.get("at"))) < 0.01) : -1;
      state.at = at < 0 ? null : at;
    };

    let plots = [];
    const place = by("stack");
    const whole = () => { const xs = edges(run().columns); return [xs[0] ?? 0, xs[xs.length - 1] ?? 1]; };
    const view = () => (state.from === null ? whole() : [state.from, state.to]);
    const options = { isBusy: false };
    const show = (from, to) => {
      const [first, last] = whole();
      const least = Math.min(last - first, 120);
      let [a, b] = [Math.max(first, from), Math.min(last, to)];
      if (b - a < least) { const middle = (a + b) / 2; [a, b] = [middle - least / 2, middle + least / 2]; }
      [state.from, state.to] = a <= first && b >= last ? [null, null] : [a, b];
      const [min, max] = view();
      options.isBusy = true;
      plots.forEach((plot) => plot.batch(() => plot.setScale("x", { min, max })));
      options.isBusy = false;
      remember();
    };
    options.zoomed = (from, to) => {
      if (from == null || to == null) return;
      queueMicrotask(() => { const [a, b] = view(); if (Math.abs(a - from) > 0.5 || Math.abs(b - to) > 0.5) show(from, to); });
    };
    const build = () => {
      plots.forEach((plot) => plot.destroy());
      place.textContent = "";
      place.hidden = false;
      const beside = state.beside === state.policy ? null : state.beside;
      options.isBusy = true;
      plots = stackOf(place, state.policy, Object.assign(options, { colors: theme(), width: place.clientWidth, height: place.clientWidth < 520 ? 130 : 150, isLive: true, beside }));
      queueMicrotask(() => { options.isBusy = false; });
      const { all, rows, writes } = decisions();
      const one = run();
      const parts = [`Replication ${one.replication} of those behind the tables, counted from 0 as in plots and CSVs; axes are as high as all policies need.`];
      parts.push(one.is_condensed ? `Each point covers ${number(one.step / 60)} min: requests and misses are means, latencies the worst step; timeline.csv has every step.` : `A point per ${one.step >= 60 ? `${number(one.step / 60)} min` : `${number(one.step)} s`}.`);
      parts.push("Shaded: too many requests missed the SLO. Drag to zoom, double click for the whole run.");
      if (data.subjects.length > 1 && state.subject === 0) parts.push("Decisions and latencies are those of a service: choose one.");
      else parts.push(`${plain(rows.length, 0)} of ${plain(all, 0)} passes are told: ${rows.length < writes ? "the first of those that" : "all that"} wrote something, and where a limit began to hold one back; decisions.csv and scalelab explain have all.`);
      parts.push("Dollars per hour add up to the bill; their parts follow from the lives of pods and nodes.");
      by("stack-note").textContent = parts.join(" ");
      marks();
    };
    const marks = () => {
      [...by("policies").children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === state.policy)));
      [...by("services").children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === state.subject)));
      by("beside").value = state.beside == null ? "" : String(state.beside);
    };
    const change = (what) => { Object.assign(state, { at: null }, what); build(); tell(null); };

    data.policies.forEach((name, index) => {
      const button = make("button", by("policies"), name);
      button.type = "button";
      button.addEventListener("click", () => change({ policy: index }));
    });
    if (data.subjects.length > 1) {
      data.subjects.forEach((one, index) => {
        const button = make("button", by("services"), index === 0 ? "whole cluster" : one.name);
        button.type = "button";
        button.addEventListener("click", () => change({ subject: index }));
      });
    } else {
      by("services").hidden = true;
    }
    make("option", by("beside"), "nothing").value = "";
    data.policies.forEach((name, index) => { make("option", by("beside"), name).value = String(index); });
    by("beside").addEventListener("change", (event) => change({ beside: event.target.value === "" ? null : Number(event.target.value) }));
    const zoom = (factor) => { const [a, b] = view(); const middle = (a + b) / 2; const half = (b - a) / 2 * factor; show(middle - half, middle + half); };
    const shift = (way) => { const [a, b] = view(); const [first, last] = whole(); const by_ = Math.max(first - a, Math.min(last - b, (b - a) / 4 * way)); show(a + by_, b + by_); };
    const worst = () => {
      const { columns } = run();
      let best = [-1, 0];
      for (let row = 0; row < columns.missed.length; row += 1) {
        let [sum, next] = [0, row];
        while (next < columns.missed.length && columns.start[next] < columns.start[row] + 300) { sum += columns.missed[next]; next += 1; }
        if (sum > best[0]) best = [sum, columns.start[row]];
      }
      const [first, last] = whole();
      const around = Math.min(1800, (last - first) / 6);
      show(offset + best[1] - around, offset + best[1] + 300 + around);
    };
    by("worst").addEventListener("click", worst);
    by("zoom-in").addEventListener("click", () => zoom(0.5));
    by("zoom-out").addEventListener("click", () => zoom(2));
    by("earlier").addEventListener("click", () => shift(-1));
    by("later").addEventListener("click", () => shift(1));
    by("whole").addEventListener("click", () => show(...whole()));
    by("before").addEventListener("click", () => stepDecision(-1));
    by("after").addEventListener("click", () => stepDecision(1));
    const keys = { "+": () => zoom(0.5), "-": () => zoom(2), ArrowLeft: () => shift(-1), ArrowRight: () => shift(1), 0: () => show(...whole()), Escape: () => show(...whole()), ",": () => stepDecision(-1), ".": () => stepDecision(1) };
    place.addEventListener("keydown", (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
    let settled;
    addEventListener("resize", () => { clearTimeout(settled); settled = setTimeout(() => { if (plots[0] && plots[0].width !== place.clientWidth) build(); }, 120); });
    darkness.addEventListener("change", build);
    addEventListener("hashchange", () => { recall(); build(); tell(state.at); });

    // On paper: every policy, the whole run, light.
    const paper = by("paper");
    let printed = [];
    let opened = [];
    addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open])")];
      opened.forEach((one) => { one.open = true; });
      const kept = { ...state };
      Object.assign(state, { from: null, to: null });
      data.policies.forEach((name, policy) => {
        const sheet = make("section", paper);
        make("h2", sheet, `Over time: ${name}${state.subject > 0 ? `, ${subject().name}` : ""}`);
        printed.push(...stackOf(sheet, policy, { colors: LIGHT, width: 680, height: 96, isLive: false, beside: null }));
      });
      Object.assign(state, kept);
    });
    addEventListener("afterprint", () => {
      printed.forEach((plot) => plot.destroy());
      printed = [];
      paper.textContent = "";
      opened.forEach((one) => { one.open = false; });
    });

    by("controls").hidden = false;
    if (data.subjects.length > 1) state.subject = 1;
    recall();
    place.hidden = false;
    build();
    tell(state.at);
  };

  if (!data_is_there()) return;
  const status = by("stack-status");
  unpacked().then((data) => {
    if (data.subjects[0].runs.every((run) => run.rows === 0)) { status.textContent = "This run kept no timeline."; return; }
    start(data);
  }).catch((error) => {
    status.textContent = `The plots over time could not be drawn (${error.message}); timeline.csv and plots/ have the same.`;
    console.error(error);
  });
  function data_is_there() { return by("stack") && by("data") && by("data").textContent.trim().length > 0; }
})();
