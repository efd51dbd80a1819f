// Knobs: a text of the scenario as a number with its unit, and back.
'use strict';
const PARTS = /(\d+(?:\.\d+)?)(d|h|ms|us|ns|m|s)/g;
const SECONDS = { d: 86400, h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 };

// 14h30m as minutes, and whatever has one number as that number.
function amount(text) {
  const one = /^(\$?)(\d+(?:\.\d+)?)([^0-9]*)$/.exec(text);
  if (one) return { prefix: one[1], value: Number(one[2]), unit: one[3] };
  const parts = [...text.matchAll(PARTS)];
  if (parts.length < 2 || parts.map((part) => part[0]).join('') !== text) return null;
  const unit = parts[parts.length - 1][2];
  const seconds = parts.reduce((sum, part) => sum + Number(part[1]) * SECONDS[part[2]], 0);
  return { prefix: '', value: Number((seconds / SECONDS[unit]).toPrecision(12)), unit };
}

function textOf(knob, value) {
  const text = knob.amount.prefix + String(Number(value.toPrecision(12))) + knob.amount.unit;
  return knob.is_text ? JSON.stringify(text) : text;
}

// From nothing to three times what is written, in steps that one would say.
function rangeOf(knob) {
  const { value, unit } = knob.amount;
  if (value === 0 && unit === '%') return { max: 100, step: 1 };
  if (value === 0) return /second|period|interval/i.test(knob.label) ? { max: 600, step: 10 } : { max: 20, step: 1 };
  const isShare = unit === '%' && /objective|share|percentile|amplitude/i.test(knob.path) && value <= 100;
  const max = isShare ? 100 : Math.max(value * 3, Number.isInteger(value) && value < 10 && !unit ? 20 : 0);
  const rough = max / 200, ten = 10 ** Math.floor(Math.log10(rough));
  const nice = [1, 2, 5, 10].map((times) => times * ten).find((step) => step >= rough);
  const whole = Number.isInteger(value) && (unit === '' || value >= 10);
  // What is written must be one of the steps: else they are as fine as it is.
  const decimals = (String(value).split('.')[1] || '').length;
  let step = whole ? Math.max(1, nice) : nice;
  if (Math.abs(value / step - Math.round(value / step)) > 1e-9) step = 10 ** -decimals;
  return { max: Number(max.toPrecision(12)), step: Number(step.toPrecision(6)) };
}

function prepared(knobs) {
  return knobs.map((knob) => ({ ...knob, amount: amount(knob.text) })).filter((knob) => knob.amount);
}
