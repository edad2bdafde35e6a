// Runs an exported script as k6 does, as far as such scripts go: k6's modules stand in node_modules/k6 beside
// the script. One virtual user after the other; `--segment PART/PARTS` takes its iterations of the whole.
//
//   node run.mjs SCRIPT [--url URL] [--segment 1/4] [--record FILE] [--form list]

import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [script, ...words] = process.argv.slice(2);
const given = {};
for (let at = 0; at < words.length; at += 2) given[words[at].replace(/^--/, '')] = words[at + 1];
const folder = path.dirname(path.resolve(script));
const [part, parts] = (given.segment || '1/1').split('/').map(Number);

const load = (name) => import(pathToFileURL(path.join(folder, 'node_modules/k6', name)));
const { state } = await load('state.mjs');
const { CookieJar } = await load('http.mjs');

let isInit = true;
globalThis.__ENV = given.url ? { URL: given.url } : {};
globalThis.open = (name, mode) => {
  if (!isInit) throw new Error('open() belongs to the init context');
  const bytes = fs.readFileSync(path.join(folder, name));
  return mode === 'b' ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) : bytes.toString();
};
if (given.record) {
  const out = fs.openSync(given.record, 'w');
  state.hear = (request) => fs.writeSync(out, `${JSON.stringify(request)}\n`);
}
if (given.segment) state.tags = { instance_id: String(part) };

const url = pathToFileURL(path.resolve(script)).href;
const module = async (name) => import(`${url}?${name}`);
const { options } = await module('init');
const [[, scenario]] = Object.entries(options.scenarios);

function milliseconds(text) {
  const found = /^([0-9.]+)(ms|s|m|h)$/.exec(text);
  if (!found) throw new Error(`${text} is no duration`);
  return Number(found[1]) * { ms: 1, s: 1e3, m: 6e4, h: 36e5 }[found[2]];
}

// The instants, in milliseconds from the beginning, at which iterations begin; none of a closed load.
function arrivals() {
  if (!scenario.timeUnit) return null;
  const unit = milliseconds(scenario.timeUnit);
  const stages = scenario.stages || [{ duration: scenario.duration, target: scenario.rate }];
  let rate = (scenario.stages ? scenario.startRate : scenario.rate) / unit;
  const due = [];
  let [began, count] = [0, 0];
  for (const { duration, target } of stages) {
    for (const value of [target, rate * unit]) {
      if (!Number.isInteger(Math.round(value * 1e9) / 1e9)) throw new Error('rates are whole numbers');
    }
    const [lasts, from, to] = [milliseconds(duration), rate, target / unit];
    const expected = ((from + to) / 2) * lasts;
    while (lasts > 0 && due.length < count + expected - 1e-9) {
      const n = due.length - count;
      due.push(began + (n === 0 ? 0 : (2 * n) / (from + Math.sqrt(from * from + (2 * (to - from) * n) / lasts))));
    }
    [began, count, rate] = [began + lasts, count + expected, to];
  }
  return due;
}

const users = [];
const total = scenario.maxVUs || scenario.vus;
if (scenario.executor === 'shared-iterations' && scenario.iterations < scenario.vus) {
  throw new Error("the number of iterations can't be less than the number of VUs");
}
for (let number = 1; number <= total; number += 1) {
  if ((number - 1) % parts !== part - 1) continue;
  const { default: iterate } = await module(`user=${number}`);
  users.push({ number, iterate, jar: new CookieJar(), iteration: 0 });
}
if (users.length === 0) throw new Error('fewer virtual users than instances');
for (const metric of Object.keys(options.thresholds)) {
  if (!state.metrics.has(metric) && metric !== 'dropped_iterations') throw new Error(`no metric ${metric}`);
}
isInit = false;

const due = arrivals();
const began = Date.now();
state.startTime = began;
const iterations = due ? due.length : scenario.iterations;
const isOver = (iteration) =>
  iterations === undefined ? Date.now() - began >= milliseconds(scenario.duration) : iteration >= iterations;
for (let iteration = part - 1, turn = 0; !isOver(iteration); iteration += parts, turn += 1) {
  const user = users[turn % users.length];
  user.iteration = iteration;
  state.user = user;
  const wait = due ? began + due[iteration] - Date.now() : 0;
  if (wait > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, wait);
  user.iterate();
  if (!options.noCookiesReset) user.jar = new CookieJar();
}
state.user = null;
const seconds = (Date.now() - began) / 1000;

function values({ type, samples }) {
  const sum = samples.reduce((all, sample) => all + sample, 0);
  const sorted = [...samples].sort((a, b) => a - b);
  const percentile = (rank) => sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)];
  switch (type) {
    case 'counter':
      return { count: sum, rate: sum / seconds };
    case 'gauge':
      return { value: samples[samples.length - 1], min: sorted[0], max: sorted[sorted.length - 1] };
    case 'rate':
      return { rate: samples.length ? sum / samples.length : 0, passes: sum, fails: samples.length - sum };
    default:
      return {
        avg: sum / samples.length, min: sorted[0], med: percentile(50), max: sorted[sorted.length - 1],
        'p(50)': percentile(50), 'p(90)': percentile(90), 'p(95)': percentile(95), 'p(99)': percentile(99),
      };
  }
}

let isBroken = false;
const metrics = {};
for (const metric of state.metrics.values()) {
  // k6 shows no metric that got nothing, unless a threshold is on it.
  const conditions = options.thresholds[metric.name] || [];
  if (metric.samples.length === 0 && conditions.length === 0) continue;
  const found = { type: metric.type, contains: metric.contains, values: values(metric) };
  for (const condition of conditions) {
    const [, key, sign, bound] = /^(p\(\d+\)|rate|count)(<=|>=)([0-9.]+)$/.exec(condition);
    const value = found.values[key];
    const ok = value === undefined || (sign === '<=' ? value <= Number(bound) : value >= Number(bound));
    isBroken = isBroken || !ok;
    found.thresholds = { ...found.thresholds, [condition]: { ok } };
  }
  metrics[metric.name] = found;
}
// Where the summary is made, k6 runs the init context once more.
isInit = true;
const { handleSummary } = await module('summary');
const data =
  given.form === 'list'
    ? { config: { duration: seconds }, results: { metrics: Object.entries(metrics).map(([name, it]) => ({ name, ...it })) } }
    : { metrics, state: { testRunDurationMs: seconds * 1000 } };
process.stdout.write(handleSummary(data).stdout);
for (const [name, { passes, fails }] of state.checks) process.stdout.write(`check ${name}: ${passes} of ${passes + fails}\n`);
process.exit(isBroken ? 99 : 0);
