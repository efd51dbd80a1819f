// The lab: settings on one side, what comes of them on the other.
'use strict';
const $ = (id) => document.getElementById(id);
const FACTS = JSON.parse($('facts-data').textContent);
const PINS_MAX = 4, PREVIEW_MS = 200;
const PIN_COLORS = ['#e69f00', '#009e73', '#cc79a7', '#7a5b00'];

const lab = {
  head: null, knobs: [], set: new Map(), chosen: 0, baseline: [], wanted: [], asked: [],
  results: new Map(), chains: new Map(), pins: [], pool: null, clerk: null, yaml: '', error: '', said: '', turn: 0, plots: [],
};

// ---- Results of one policy with certain settings, by fingerprint.

function resultOf(print) {
  if (!lab.results.has(print)) lab.results.set(print, { rows: [], digests: [], head: null, columns: null, ready: [], preview: null, tookMs: 0 });
  return lab.results.get(print);
}

const isDone = (print) => resultOf(print).rows.length >= lab.head.replications;

class Chain {
  constructor(policy, print, set) { Object.assign(this, { policy, print, set, engine: null, broken: false }); }
  settled() { lab.chains.delete(this.print); schedule(); }
  async go(engine) {
    await engine.opened;
    const result = resultOf(this.print);
    const stretch = this.policy === lab.chosen && !result.rows.length && this.print !== lab.baseline[this.policy] ? stretchOf(this.policy) : null;
    if (stretch) {
      const { head, tookMs } = await engine.ask({ ask: 'preview', set: this.set, policy: this.policy, ...stretch });
      if (this.fails(head)) return;
      result.preview = { head, tookMs };
      show();
    }
    const rows = [], digests = [];
    for (let replication = 0; replication < lab.head.replications; replication++) {
      const { head, tookMs } = await engine.ask({ ask: 'run', set: this.set, policy: this.policy, replication });
      if (this.fails(head)) return;
      rows.push(head.row);
      digests.push(head.digest);
      if (replication === 0) Object.assign(result, { columns: head.columns, ready: head.readyOfServices, tookMs });
      // Begun anew, a run shows what it had until it has more.
      if (rows.length > result.rows.length) Object.assign(result, { rows: rows.slice(), digests: digests.slice(), head });
      show();
    }
  }
  fails(head) {
    if (!head.error) return false;
    this.broken = Boolean(head.broken);
    resultOf(this.print).error = head.error;
    resultOf(this.print).rows.length = 0;
    show();
    return true;
  }
}

// A stretch around the worst of the policy as it was, of as many requests as take about PREVIEW_MS; nothing where the whole run takes no longer.
// Before it come some minutes in which what was changed comes to be. Where even the shortest around the worst has too many requests it is the
// worst of those that have not.
const STRETCHES = [[240, 10], [120, 10], [60, 10], [45, 10], [30, 10], [20, 10], [15, 5], [10, 5], [5, 5], [5, 2], [3, 1]];

function stretchOf(policy) {
  const before = resultOf(lab.baseline[policy]);
  if (!before.columns) return { from_s: 0, length_s: 600, replicas: [] };
  if (before.tookMs < 1.5 * PREVIEW_MS) return null;
  const { arrivals, misses, start, step } = before.columns;
  const sum = (values) => values.reduce((all, value) => all + value, 0);
  const weight = sum(misses) > 0 ? misses : arrivals;
  const budget = sum(arrivals) / before.tookMs * PREVIEW_MS;
  let found = null, fewest = null;
  for (const [minutes, lead] of STRETCHES) {
    const [count, ahead] = [minutes, lead].map((length) => Math.max(1, Math.round(length * 60 / step[0])));
    if (count >= start.length) continue;
    let inside = 0, asked = 0, worst = null, affordable = null;
    for (let index = 0; index < start.length; index++) {
      const at = index - count + 1, first = at - ahead;
      inside += weight[index] - (at > 0 ? weight[at - 1] : 0);
      asked += arrivals[index] - (first > 0 ? arrivals[first - 1] : 0);
      if (at < 0) continue;
      const one = { inside, asked, first: Math.max(0, first), end: at + count };
      if (!worst || inside > worst.inside) worst = one;
      if (asked <= budget && (!affordable || inside > affordable.inside)) affordable = one;
    }
    if (worst.asked <= budget) { found = worst; break; }
    fewest = affordable && affordable.inside > 0 ? affordable : worst;
  }
  found ||= fewest;
  if (!found) return null;
  const from = Math.round(start[found.first]), to = Math.round(start[found.end - 1] + step[0]);
  return { from_s: from, length_s: to - from, replicas: before.ready.map((values) => values[Math.max(0, found.first - 1)]) };
}

function schedule() {
  if (!lab.wanted.length) return;
  const order = lab.wanted.map((_, policy) => policy).sort((a, b) => (b === lab.chosen) - (a === lab.chosen));
  // What is compared with comes first, then what is changed.
  const prints = [...order.map((policy) => [policy, lab.baseline[policy], []]), ...order.map((policy) => [policy, lab.wanted[policy], lab.asked])];
  prints.sort((a, b) => (b[0] === lab.chosen) - (a[0] === lab.chosen));
  const chains = [];
  for (const [policy, print, set] of prints) {
    if (isDone(print) || resultOf(print).error || chains.some((chain) => chain.print === print)) continue;
    if (!lab.chains.has(print)) lab.chains.set(print, new Chain(policy, print, set));
    chains.push(lab.chains.get(print));
  }
  for (const chain of [...lab.pool.running]) if (!chains.includes(chain)) { lab.chains.delete(chain.print); lab.pool.end(chain); }
  const urgent = chains.find((chain) => chain.policy === lab.chosen && chain.print === lab.wanted[lab.chosen]);
  if (urgent && !lab.pool.running.has(urgent)) {
    chains.unshift(...chains.splice(chains.indexOf(urgent), 1));
    if (lab.pool.running.size >= lab.pool.atOnce) {
      const last = [...lab.pool.running].reduce((late, chain) => (chains.indexOf(chain) > chains.indexOf(late) ? chain : late));
      lab.chains.delete(last.print);
      lab.pool.end(last);
      chains.splice(chains.indexOf(last), 1);
      const again = new Chain(last.policy, last.print, last.set);
      lab.chains.set(last.print, again);
      chains.push(again);
    }
  }
  lab.pool.fill(chains);
}

// ---- Settings.

const assignments = () => lab.knobs.filter((knob) => lab.set.has(knob.path)).map((knob) => [knob.path, lab.set.get(knob.path)]);

function turn(knob, value) {
  const text = textOf(knob, value);
  lab.yaml = null;
  if (text === textOf(knob, knob.amount.value)) lab.set.delete(knob.path); else lab.set.set(knob.path, text);
  mark(knob);
  clearTimeout(lab.timer);
  lab.timer = setTimeout(apply, 30);
}

function mark(knob) {
  knob.element.classList.toggle('changed', lab.set.has(knob.path));
}

// Ends when the settings of this moment, or later ones, are answered.
function apply() {
  lab.turn++;
  lab.yaml = null;
  lab.said = '';
  clearTimeout(lab.timer);
  lab.asking ||= answer().finally(() => { lab.asking = null; });
  return lab.asking;
}

// Only the latest question counts: while one is being answered, the next waits and takes the place of those before it.
async function answer() {
  let answered = 0, set, head;
  while (answered !== lab.turn) {
    answered = lab.turn;
    set = assignments();
    ({ head } = await lab.clerk.ask({ ask: 'scenario', set }));
  }
  lab.error = head.error || '';
  if (!head.error) {
    lab.asked = set;
    lab.yaml = head.yaml;
    lab.wanted = head.policies.map((policy) => policy.fingerprint);
    // The policy that was touched is the one to look at.
    const touched = lab.wanted.findIndex((print, policy) => print !== lab.baseline[policy]);
    if (touched >= 0 && lab.wanted[lab.chosen] === lab.baseline[lab.chosen]) choose(touched);
    schedule();
  }
  keepAddress();
  show();
}

function keepAddress() {
  const words = new URLSearchParams({ policy: lab.head.policies[lab.chosen].name });
  for (const [path, text] of assignments()) words.append('set', path + '=' + text);
  try { history.replaceState(null, '', '#' + words); } catch { /* a page that may not: nothing depends on it */ }
}

function buildKnobs() {
  const groups = new Map();
  for (const knob of lab.knobs) {
    if (!groups.has(knob.group)) groups.set(knob.group, []);
    groups.get(knob.group).push(knob);
  }
  for (const [name, knobs] of groups) {
    const details = document.createElement('details'), summary = document.createElement('summary');
    summary.textContent = name;
    details.append(summary, ...knobs.map(knobElement));
    details.dataset.group = name;
    $('knobs').append(details);
  }
}

function knobElement(knob) {
  const element = document.createElement('div'), label = document.createElement('label');
  const range = document.createElement('input'), number = document.createElement('input');
  const { max, step } = rangeOf(knob);
  element.className = 'knob';
  label.textContent = knob.label + (knob.amount.unit || knob.amount.prefix ? ` (${knob.amount.prefix}${knob.amount.unit})` : '');
  label.title = knob.path;
  label.dataset.was = knob.text + (knob.is_default ? ' by default' : '');
  label.htmlFor = 'knob ' + knob.path;
  Object.assign(range, { type: 'range', min: 0, max, step, value: knob.amount.value, id: 'knob ' + knob.path });
  Object.assign(number, { type: 'number', min: 0, step: 'any', value: knob.amount.value });
  number.setAttribute('aria-label', knob.label + ', as a number');
  range.oninput = () => { number.value = range.value; turn(knob, Number(range.value)); };
  number.oninput = () => {
    if (number.value === '' || !(Number(number.value) >= 0)) return;
    range.value = number.value;
    turn(knob, Number(number.value));
  };
  element.append(label, range, number);
  knob.element = element;
  knob.put = (value) => { range.value = value; number.value = value; };
  return element;
}

function choose(policy) {
  lab.chosen = policy;
  $('policy').value = String(policy);
}

// ---- What is shown.

const money = (value) => (value < 0 ? '−$' : '$') + Math.abs(value).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const signed = (value, text) => (value > 0 ? '+' : '') + text(value);
const share = (value) => (value * 100).toFixed(value > 0.999 ? 4 : 3) + ' %';
const points = (value) => (value * 100).toFixed(3).replace('-', '−');
const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
const perDay = () => 86400 / (lab.head.durationS - lab.head.warmUpS);
const clock = (seconds) => new Date((lab.head.startUnixS + lab.head.utcOffsetS + seconds) * 1000).toISOString().slice(11, 16);
const milliseconds = (value) => (isNumber(value) ? (value >= 10000 ? (value / 1000).toFixed(1) + ' s' : value.toFixed(value < 100 ? 1 : 0) + ' ms') : 'no answer');

let isShowing = false;
function show() {
  if (isShowing) return;
  isShowing = true;
  requestAnimationFrame(() => { isShowing = false; showNow(); });
}

function showNow() {
  if (!lab.wanted.length) return;
  showRows();
  showDifference();
  showPins();
  showPlots();
  showCommand();
}

function cell(row, text, small) {
  const made = document.createElement('td');
  made.textContent = text;
  if (small) made.append(Object.assign(document.createElement('small'), { textContent: small }));
  row.append(made);
  return made;
}

function bounds(interval, text) {
  return interval && isNumber(interval[1]) && isNumber(interval[2]) ? `${text(interval[1])} to ${text(interval[2])}` : '';
}

function showRows() {
  const rows = lab.wanted.map((print, policy) => {
    const row = document.createElement('tr'), result = resultOf(print), name = document.createElement('th');
    name.scope = 'row';
    name.className = 'text';
    name.textContent = lab.head.policies[policy].name + (print === lab.baseline[policy] ? '' : ' *');
    row.className = policy === lab.chosen ? 'chosen' : '';
    row.dataset.policy = lab.head.policies[policy].name;
    row.append(name);
    if (result.error || !result.head) {
      const whole = cell(row, result.error || (lab.pool.running.has(lab.chains.get(print)) ? 'running …' : 'waiting'));
      Object.assign(whole, { colSpan: 6, className: 'text' });
      return row;
    }
    const { summary, intervals } = result.head, day = perDay();
    cell(row, money(summary.cost_usd * day), bounds(intervals.cost_usd.map((usd) => usd === null ? null : Math.max(0, usd * day)), money)).dataset.cost = summary.cost_usd;
    const met = cell(row, share(intervals.slo_attainment[0]), bounds(intervals.slo_attainment, share));
    met.dataset.share = intervals.slo_attainment[0];
    for (const service of result.head.services) met.append(Object.assign(document.createElement('small'), { textContent: `${service.name} ${share(service.slo_attainment[0])}` }));
    cell(row, milliseconds(summary.latency_ms_p99_all));
    cell(row, summary.failed.toLocaleString('en'));
    cell(row, `${result.rows.length} of ${lab.head.replications}`);
    const digests = cell(row, '');
    digests.className = 'text';
    digests.append(...result.digests.map((digest) => Object.assign(document.createElement('code'), { textContent: digest })));
    return row;
  });
  $('rows').replaceChildren(...rows);
}

function sentence(cost, attainment, span) {
  const part = (value, text, isGood) => Object.assign(document.createElement('span'), { textContent: text, className: value === 0 ? '' : isGood ? 'better' : 'worse' });
  return [part(cost, `${signed(cost, money)} ${span}`, cost < 0), ', ', part(attainment, signed(attainment, points) + ' points', attainment > 0), ' within the objective'];
}

async function showDifference() {
  const policy = lab.chosen, print = lab.wanted[policy], now = resultOf(print), before = resultOf(lab.baseline[policy]);
  const place = $('difference'), state = $('state'), name = lab.head.policies[policy].name;
  const small = (text) => Object.assign(document.createElement('small'), { textContent: text });
  state.className = lab.error || now.error ? 'note error' : 'note';
  state.textContent = lab.error || now.error || lab.said || status(now, print);
  if (print === lab.baseline[policy]) {
    place.textContent = lab.set.size ? `Nothing that ${name} feels is changed.` : 'Nothing is changed.';
    return;
  }
  const both = Math.min(now.rows.length, before.rows.length);
  if (!both) {
    const stretch = now.preview && before.columns && comparedStretch(now.preview.head, before);
    if (!stretch) { place.textContent = `Running ${name} …`; return; }
    const hours = `from ${clock(stretch.from)} to ${clock(stretch.to)}`;
    place.replaceChildren(...sentence(stretch.cost, stretch.attainment, hours), small('preview: these minutes only, begun with the replicas that were there'));
    return;
  }
  const answer = await lab.clerk.ask({ ask: 'difference', now: now.rows.slice(0, both), before: before.rows.slice(0, both) });
  if (print !== lab.wanted[lab.chosen] || answer.head.error) return;
  const { costUsd, attainment } = answer.head, day = perDay();
  const known = (interval, text) => `${text(interval[1])} to ${text(interval[2])}`;
  const told = [
    isNumber(costUsd[1]) && `${known(costUsd.map((usd) => usd * day), (usd) => signed(usd, money))} a day`,
    isNumber(attainment[1]) && `${known(attainment, (value) => signed(value, points))} points`,
  ].filter(Boolean);
  const intervals = told.length > 0 ? `95 %: ${told.join(', ')}` : 'no interval yet';
  place.dataset.replications = both;
  place.replaceChildren(
    ...sentence(costUsd[0] * day, attainment[0], 'a day'),
    small(`${intervals}; ${both} of ${lab.head.replications} replications, each on the same requests`),
  );
}

function status(result, print) {
  const told = [];
  if (result.preview && print !== lab.baseline[lab.chosen]) told.push(`preview in ${Math.round(result.preview.tookMs)} ms`);
  if (result.tookMs) told.push(`one replication of the whole run in ${(result.tookMs / 1000).toFixed(1)} s`);
  const left = new Set(lab.wanted.concat(lab.baseline).filter((one) => !isDone(one) && !resultOf(one).error)).size;
  if (left) told.push(`${left} ${left === 1 ? 'run is' : 'runs are'} not done`);
  return told.join('; ');
}

// A preview against the same stretch of the run as it was.
function comparedStretch(head, before) {
  const columns = head.columns, from = head.fromS, to = head.fromS + head.lengthS;
  const inside = [...before.columns.start.keys()].filter((index) => before.columns.start[index] >= from && before.columns.start[index] < to);
  if (!inside.length) return null;
  const sum = (values) => values.reduce((all, value) => all + value, 0), of = (values) => inside.map((index) => values[index]);
  const first = inside[0], last = inside[inside.length - 1];
  const costBefore = before.columns.cost[last] - (first ? before.columns.cost[first - 1] : 0);
  const cost = columns.cost[columns.cost.length - 1] - costBefore;
  const met = (misses, ended) => 1 - sum(misses) / Math.max(1, sum(ended));
  const ended = (source) => source.completions.map((value, index) => value + source.failures[index]);
  return { from, to, cost, attainment: met(columns.misses, ended(columns)) - met(of(before.columns.misses), of(ended(before.columns))) };
}

// ---- Over time.

function showPlots() {
  const before = resultOf(lab.baseline[lab.chosen]), now = resultOf(lab.wanted[lab.chosen]);
  const isChanged = lab.wanted[lab.chosen] !== lab.baseline[lab.chosen];
  const shape = before.columns || now.columns || (now.preview && now.preview.head.columns);
  if (!shape) return;
  const x = Array.from(shape.start), place = new Map(x.map((seconds, index) => [Math.round(seconds), index]));
  const times = x.map((seconds) => lab.head.startUnixS + lab.head.utcOffsetS + seconds);
  const onto = (columns, values) => {
    const all = new Array(x.length).fill(null);
    columns.start.forEach((seconds, index) => {
      const at = place.get(Math.round(seconds));
      if (at !== undefined && Number.isFinite(values[index])) all[at] = values[index];
    });
    return all;
  };
  const perSecond = (columns, values) => onto(columns, values.map((value, index) => value / columns.step[index]));
  const spending = (columns) => onto(columns, columns.cost.map((usd, index) => (usd - (index ? columns.cost[index - 1] : 0)) * 3600 / columns.step[index]));
  const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(name).trim();
  const lines = [];
  if (before.columns) lines.push({ columns: before.columns, label: isChanged ? 'before' : 'as it is', stroke: isChanged ? color('--muted') : color('--accent'), dash: isChanged ? [6, 4] : undefined });
  for (const pin of lab.pins) {
    const result = resultOf(pin.prints[lab.chosen]);
    if (result.columns) lines.push({ columns: result.columns, label: pin.name, stroke: pin.color, dash: [2, 3] });
  }
  if (isChanged) {
    const columns = now.columns || (now.preview && now.preview.head.columns);
    if (columns) lines.push({ columns, label: now.columns ? 'now' : 'now (preview)', stroke: color('--accent') });
  }
  const each = (make) => lines.map((line) => ({ ...line, data: make(line.columns) }));
  const arrivals = lines.length ? [{ ...lines[lines.length - 1], label: 'arriving', stroke: color('--grid'), fill: color('--grid') + '55', dash: undefined, data: perSecond(shape, shape.arrivals) }] : [];
  draw(times, [
    ['requests per second: arriving, and missing the objective', [...arrivals, ...each((columns) => perSecond(columns, columns.misses))]],
    ['replicas ready', each((columns) => onto(columns, columns.ready))],
    ['p99 of the answers, ms', each((columns) => onto(columns, columns.p99)), true],
    ['dollars per hour', each(spending)],
  ], color);
}

function draw(times, panels, color) {
  const width = Math.max(260, $('plots').clientWidth), zone = (seconds) => uPlot.tzDate(new Date(seconds * 1e3), 'UTC');
  const zoom = lab.plots[0] && lab.plots[0].scales.x, isZoomed = zoom && lab.times && (zoom.min > lab.times[0] || zoom.max < lab.times[lab.times.length - 1]);
  const range = isZoomed ? { min: zoom.min, max: zoom.max } : null;
  const signature = JSON.stringify([width, panels.map(([, series]) => series.map(({ label, stroke }) => [label, stroke])), times.length]);
  const data = panels.map(([, series]) => [times, ...series.map((one) => one.data)]);
  if (signature === lab.signature) { lab.plots.forEach((plot, index) => plot.setData(data[index], !range)); lab.times = times; return; }
  lab.plots.forEach((plot) => plot.destroy());
  $('plots').replaceChildren();
  lab.plots = panels.map(([title, series, isLog], index) => {
    $('plots').append(Object.assign(document.createElement('p'), { textContent: title, className: 'plot-title' }));
    const axis = { stroke: color('--muted'), grid: { stroke: color('--grid'), width: 1 }, ticks: { stroke: color('--grid') } };
    const hours = { ...axis, values: (_, splits) => splits.map((seconds) => new Date(seconds * 1000).toISOString().slice(11, 16)) };
    const tens = (_, splits) => splits.map((value) => (Number.isInteger(Math.log10(value)) ? value : null));
    const values = isLog ? { ...axis, filter: tens, grid: { ...axis.grid, filter: tens }, ticks: { ...axis.ticks, filter: tens } } : axis;
    return new uPlot({
      width, height: 150, tzDate: zone, cursor: { sync: { key: 'lab' } },
      scales: { y: isLog ? { distr: 3 } : { range: (_, low, high) => [0, Math.max(high || 0, 1e-9) * 1.05] } },
      axes: [hours, { ...values, size: 70 }],
      series: [{}, ...series.map(({ label, stroke, dash, fill }) => ({ label, stroke, dash, fill, width: dash ? 1.2 : 1.8, points: { show: false } }))],
    }, data[index], $('plots'));
  });
  if (range) lab.plots.forEach((plot) => plot.setScale('x', range));
  lab.signature = signature;
  lab.times = times;
}

// ---- Pins, the command, and the start.

// What is pinned has been answered: the fingerprints are those of its settings, however fast the button follows them.
async function pin() {
  if (!assignments().length) { say('nothing is changed'); return; }
  await apply();
  const set = lab.asked;
  if (lab.error || !set.length) { say(lab.error ? 'settings that are refused cannot be pinned' : 'nothing is changed'); return; }
  if (lab.pins.length >= PINS_MAX) { say(`${PINS_MAX} variants are pinned; take one away first`); return; }
  const name = set.map(([path, text]) => path.split('.').slice(-1)[0] + '=' + text).join(', ');
  const color = PIN_COLORS.find((one) => !lab.pins.some((other) => other.color === one));
  lab.pins.push({ name, color, set, prints: lab.wanted.slice() });
  show();
}

// Stands in place of the state until a setting or a pin changes: what is shown next must not wipe it out.
function say(text) {
  $('copied').textContent = '';
  lab.said = text;
  show();
}

function showPins() {
  $('pins').replaceChildren(...lab.pins.map((one, index) => {
    const item = document.createElement('li'), square = document.createElement('i'), text = document.createElement('span');
    square.style.background = one.color;
    const result = resultOf(one.prints[lab.chosen]);
    const figures = result.head ? `${money(result.head.summary.cost_usd * perDay())} a day, ${share(result.head.intervals.slo_attainment[0])}` : 'not done';
    text.textContent = `${one.name}: ${lab.head.policies[lab.chosen].name} ${figures}`;
    const back = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Back to it', onclick: () => restore(one.set) });
    const away = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Take away', onclick: () => { lab.pins.splice(index, 1); lab.said = ''; show(); } });
    item.append(square, text, back, away);
    return item;
  }));
}

function restore(set) {
  lab.set = new Map(set);
  for (const knob of lab.knobs) {
    const text = lab.set.get(knob.path);
    const value = text === undefined ? knob.amount : amount(text.replace(/^"|"$/g, ''));
    if (value) knob.put(value.value);
    mark(knob);
  }
  apply();
}

const quoted = (word) => (/^[\w\-./=%:,+@]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
const settings = () => assignments().map(([path, text]) => `--set ${quoted(path + '=' + text)}`);

function showCommand() {
  $('command').textContent = [FACTS.command, ...settings()].join(' \\\n  ');
  $('yaml').textContent = lab.yaml || (lab.yaml === null ? 'The settings are not read yet, or refused.' : 'Nothing is changed.');
}

function copyYaml() {
  if (lab.yaml) copy(lab.yaml);
  else $('copied').textContent = $('yaml').textContent;
}

async function copy(text) {
  try { await navigator.clipboard.writeText(text); $('copied').textContent = 'copied'; } catch { $('copied').textContent = 'this browser does not let a page copy; select the text above'; }
}

function search() {
  const wanted = $('search').value.toLowerCase();
  for (const details of $('knobs').children) {
    let found = 0;
    for (const element of details.querySelectorAll('.knob')) {
      const label = element.querySelector('label');
      element.hidden = !(details.dataset.group + ' ' + label.textContent + ' ' + label.title).toLowerCase().includes(wanted);
      element.style.display = element.hidden ? 'none' : '';
      found += element.hidden ? 0 : 1;
    }
    details.hidden = !found;
    if (wanted) details.open = found > 0;
  }
}

async function begin() {
  const [module, pack] = await Promise.all([unpacked('module').then((bytes) => WebAssembly.compile(bytes)), unpacked('pack')]);
  const url = URL.createObjectURL(new Blob([JSON.parse($('worker').textContent)], { type: 'text/javascript' }));
  const start = () => new Engine(url, module, pack);
  lab.clerk = start();
  const { head } = await lab.clerk.opened;
  if (head.error) throw new Error(head.error);
  lab.head = head;
  lab.pool = new Pool(start, Math.max(1, Math.min(4, navigator.hardwareConcurrency || 2)));
  lab.knobs = prepared(head.knobs);
  lab.baseline = head.policies.map((policy) => policy.fingerprint);
  lab.wanted = lab.baseline.slice();
  $('facts').textContent = `${(head.durationS / 3600).toLocaleString('en')} h from ${new Date((head.startUnixS + head.utcOffsetS) * 1000).toISOString().slice(0, 16).replace('T', ' ')}, seed ${head.seed}, ${head.replications} replications`;
  $('policy').replaceChildren(...head.policies.map(({ name }, index) => new Option(name, String(index))));
  buildKnobs();
  const address = new URLSearchParams(location.hash.slice(1));
  choose(Math.max(0, head.policies.findIndex(({ name }) => name === address.get('policy'))));
  $('policy').onchange = () => { choose(Number($('policy').value)); schedule(); keepAddress(); show(); };
  $('reset').onclick = () => restore([]);
  $('pin').onclick = pin;
  $('copy').onclick = () => copy($('command').textContent);
  $('copy-sets').onclick = () => copy(settings().join('\n'));
  $('copy-yaml').onclick = copyYaml;
  $('search').oninput = search;
  addEventListener('resize', show);
  const known = new Set(lab.knobs.map((knob) => knob.path));
  const pairs = address.getAll('set').map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]);
  if (pairs.some(([path]) => known.has(path))) restore(pairs.filter(([path]) => known.has(path))); else schedule();
  show();
}

begin().catch((error) => {
  $('facts').textContent = String(error.message || error);
  $('facts').className = 'facts error';
});
