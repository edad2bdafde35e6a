import { check, sleep } from 'k6';
import http from 'k6/http';
import exec from 'k6/execution';
import encoding from 'k6/encoding';
import { randomBytes, sha1, sha256 } from 'k6/crypto';
import { SharedArray } from 'k6/data';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

// ── the scenario ────────────────────────────────────────────────────────────────────────────────────────────

//{{scenario}}

// ── how it is sent ──────────────────────────────────────────────────────────────────────────────────────────

const target = (__ENV.URL || defaultUrl).replace(/\/+$/, '');

// What a percentile of several instances is made of: k6's own cannot be added up. Bucket `n` holds times of at
// most 0.01 ms · 2^(n/8); every bucket is 9 % wide.
const bucketCount = 208;
const times = new Trend('xmlperf_time', true);
const timeTotal = new Counter('xmlperf_time_total_ms');
const buckets = Array.from({ length: bucketCount }, (_, n) => new Counter(`xmlperf_bucket_${n}`));
const requestCount = new Counter('xmlperf_total_requests');
const failureCount = new Counter('xmlperf_failures');
const failureRate = new Rate('xmlperf_failed');
const unitCount = new Counter(unitMetric);
const setupCount = new Counter('xmlperf_setup_requests');
const droppedCount = new Counter('xmlperf_dropped');
const flowTimes = new Trend('xmlperf_flow_time', true);
const instance = new Gauge('xmlperf_instance');
const sentCounts = requests.map((_, place) => new Counter(`xmlperf_sent_${place}`));
const operationTimes = operations.map((it) => new Trend(`xmlperf_time_${it.metric}`, true));
const operationFailures = operations.map((it) => new Rate(`xmlperf_failed_${it.metric}`));

// This virtual user: each has its own copy of these.
const user = { isReady: false, turn: 0, flowMs: 0, captured: {}, sequence: 0 };

export default function () {
  const due = dueMs(exec.scenario.iterationInTest);
  if (due !== null && waits) {
    const wait = exec.scenario.startTime + due - Date.now();
    if (wait > 0) sleep(wait / 1000);
    if (-wait > lateMaxMs) {
      droppedCount.add(1);
      return;
    }
  }
  if (!user.isReady) begin();
  const lateMs = due === null ? 0 : late(exec.scenario.startTime + due);
  const place = next();
  const { isRight, ms } = send(requests[place], true, lateMs, place);
  step(isRight, ms);
  if (thinkMs > 0) sleep(thinkMs / 1000);
}

// Sends what each virtual user sends once. It is not measured.
function begin() {
  user.isReady = true;
  instance.add(Number(exec.vu.metrics.tags.instance_id || 0));
  user.turn = order.flow > 0 ? ((exec.vu.idInTest - 1) * order.flow) % order.places.length : 0;
  for (const place of setup) {
    setupCount.add(1);
    if (!send(requests[place], false, 0, place).isRight) {
      exec.test.abort(`the setup failed: ${operations[requests[place].operation].name}`);
    }
  }
}

// When request number `iteration` is due, in milliseconds from the beginning; null where each waits for the
// answer to the one before.
function dueMs(iteration) {
  if (dueTimes) return dueTimes[iteration];
  let before = 0;
  let beganS = 0;
  for (const { from, to, lasts } of stages) {
    const expected = ((from + to) / 2) * lasts;
    const count = iteration - before;
    if (count < expected - 1e-9) {
      const root = Math.sqrt(Math.max(0, from * from + (2 * (to - from) * count) / lasts));
      return (beganS + (count === 0 ? 0 : (2 * count) / (from + root))) * 1000;
    }
    before += expected;
    beganS += lasts;
  }
  return stages.length > 0 ? beganS * 1000 : null;
}

// The clock has whole milliseconds: what is late by less than two may be on time.
function late(dueAt) {
  const ms = Date.now() - dueAt;
  return ms < 2 ? 0 : ms;
}

// The place of the next request: of all virtual users together, or of this one.
function next() {
  const turn = order.flow > 0 ? user.turn++ : exec.scenario.iterationInTest;
  return order.places[turn % order.places.length];
}

// A flow that failed begins anew: what follows would rest on what failed.
function step(isRight, ms) {
  if (order.flow === 0) return;
  user.flowMs += ms;
  const isLast = user.turn % order.flow === 0;
  if (!isRight) user.turn = Math.ceil(user.turn / order.flow) * order.flow;
  if (isRight && isLast) flowTimes.add(user.flowMs);
  if (!isRight || isLast) user.flowMs = 0;
}

function send(request, isMeasured, lateMs, place) {
  const values = request.isLive ? Object.assign({}, user.captured, moment()) : {};
  const text = (part) => (typeof part === 'function' ? part(values) : part);
  const headers = {};
  for (const name of Object.keys(request.headers)) headers[name] = text(request.headers[name]);
  const operation = operations[request.operation];
  /** @type {import('k6/http').RefinedParams<'text'>} */
  const params = {
    headers,
    redirects: 0,
    timeout: timeoutMs,
    responseType: 'text',
    tags: { operation: operation.name, measured: String(isMeasured) },
  };
  // k6 keeps cookies unless it is given a jar to forget.
  if (!keepsCookies) params.jar = new http.CookieJar();
  const response = http.request(request.method, target + text(request.path), text(request.body), params);
  let isRight = check(response, judge(request, values), { operation: operation.name });
  if (isRight && request.captures.length > 0) {
    isRight = check(response, { 'values are captured': (answer) => capture(request, answer) });
  }
  const ms = lateMs + response.timings.duration;
  if (isMeasured) record(request, isRight, ms, place);
  return { isRight, ms };
}

function record(request, isRight, ms, place) {
  requestCount.add(1);
  sentCounts[place].add(1);
  failureRate.add(!isRight);
  failureCount.add(isRight ? 0 : 1);
  operationFailures[request.operation].add(!isRight);
  if (!isRight) return;
  unitCount.add(unitsOfRequest);
  times.add(ms);
  timeTotal.add(ms);
  operationTimes[request.operation].add(ms);
  buckets[bucketOf(ms)].add(1);
}

function bucketOf(ms) {
  const bucket = Math.ceil(8 * Math.log2(Math.max(ms, 0.01) / 0.01) - 1e-9);
  return Math.min(bucket, bucketCount - 1);
}

// ── what makes an answer right ──────────────────────────────────────────────────────────────────────────────

// Each check apart, so that k6 counts what was wrong: the status, how many results there are, what they say.
function judge(request, values) {
  const rule = request.answer;
  const isSuccess = (answer) => answer.status >= 200 && answer.status < 300;
  switch (rule.kind) {
    case 'success':
      return { status: isSuccess };
    case 'survival':
      return { status: (answer) => answer.status > 0 && answer.status < 500 };
    case 'soap':
      return { status: isSuccess, 'answer is no fault': (answer) => isSoapAnswer(answer.body) };
    case 'verdict':
      return {
        status: (answer) => answer.status === 200,
        'answer is true': (answer) => (parsed(answer.body) || {}).matched === rule.matched,
      };
    case 'verdicts':
      return verdictChecks(rule);
    default:
      return valueChecks(rule, values, isSuccess);
  }
}

function verdictChecks({ count, digest }) {
  let results;
  return {
    status: (answer) => answer.status === 200,
    'count of results': (answer) => {
      const body = parsed(answer.body) || {};
      results = Array.isArray(body.results) ? body.results : [];
      return results.length === count && body.total_comparisons === count && body.failed_comparisons === 0;
    },
    'answers are true': () => {
      const bit = (result) => (result.matched === true ? '1' : result.matched === false ? '0' : '?');
      return sha256((results || []).map(bit).join(''), 'hex') === digest;
    },
  };
}

function valueChecks(rule, values, isSuccess) {
  const text = (part) => (typeof part === 'function' ? part(values) : part);
  const wanted = rule.values.map((it) => ({ ...it, equals: it.equals.map(text) }));
  const status = wanted.find((it) => it.place === 'status');
  const checks = {
    status: status ? (answer) => String(answer.status) === status.equals[0] : isSuccess,
  };
  for (const it of wanted.filter((it) => it.place !== 'status')) {
    checks[`answer at ${it.path}`] = (answer) => {
      const found = it.place === 'json' ? jsonValues(answer.body, it.path) : xmlTexts(answer.body, it.path);
      const isCounted = it.equals.length === 1 || found.length === it.equals.length;
      return isCounted && it.equals.every((expected, index) => isSame(expected, found[index]));
    };
  }
  return checks;
}

// A string's characters, or anything else as JSON.
function isSame(expected, found) {
  if (typeof found === 'string' || found === undefined) return expected === found;
  const value = parsed(expected);
  return value !== undefined && JSON.stringify(sorted(value)) === JSON.stringify(sorted(found));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.keys(value).sort().map((name) => [name, sorted(value[name])]);
  return Object.fromEntries(members);
}

function parsed(text) {
  try {
    return JSON.parse(String(text).replace(/^\ufeff/, ''));
  } catch (_) {
    return undefined;
  }
}

// What stands at a JSON pointer, in which a part `*` stands for every item.
function jsonValues(text, pointer) {
  const root = parsed(text);
  if (root === undefined) return [];
  let found = [root];
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replace(/~1/g, '/').replace(/~0/g, '~');
    found = found.flatMap((value) => {
      if (value === null || typeof value !== 'object') return [];
      if (part === '*') return Object.values(value);
      return Object.prototype.hasOwnProperty.call(value, name) ? [value[name]] : [];
    });
  }
  return found;
}

function isSoapAnswer(text) {
  if (xmlTexts(text, '/Envelope/Body').length === 0) return false;
  return xmlTexts(text, '/Envelope/Body/Fault').length === 0;
}

// What stands at a path such as `/Envelope/Body/Item[2]/@id`; nothing, if the text is not an XML document. A
// name without a prefix matches any prefix.
function xmlTexts(text, path) {
  const steps = path.split('/').slice(1);
  const last = steps[steps.length - 1];
  const attribute = last.startsWith('@') ? steps.pop().slice(1) : null;
  const wanted = steps.map((step) => {
    const [, name, number] = /^([^[]+)(?:\[(\*|\d+)\])?$/.exec(step);
    return { name, number: number === '*' ? 0 : Number(number || 1) };
  });
  const search = { wanted, attribute, seen: wanted.map(() => 0), reached: 0, content: '', found: [] };
  return walk(String(text).replace(/^\ufeff/, ''), search) ? search.found : [];
}

const xmlToken =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^[>]*(?:\[[\s\S]*?\]\s*)?>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s\/>!?]+)((?:[^>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)/g;

// Reads a document, and returns whether it is one.
function walk(text, search) {
  const open = [];
  let hasRoot = false;
  let end = 0;
  for (const token of text.matchAll(xmlToken)) {
    const [all, characterData, closed, opened, attributes, isEmpty, written] = token;
    if (token.index !== end) return false;
    end += all.length;
    if (opened !== undefined) {
      if (open.length === 0 && hasRoot) return false;
      hasRoot = true;
      enter(search, open.length, opened, attributes);
      if (isEmpty) leave(search, open.length);
      else open.push(opened);
    } else if (closed !== undefined) {
      if (open.pop() !== closed) return false;
      leave(search, open.length);
    } else if (characterData !== undefined || written !== undefined) {
      const part = written === undefined ? characterData : unescaped(written);
      if (part === null || (open.length === 0 && part.trim() !== '')) return false;
      const isWanted = open.length === search.reached && search.reached === search.wanted.length;
      if (isWanted) search.content += part;
    }
  }
  return hasRoot && open.length === 0 && end === text.length;
}

function isCalled(written, name) {
  return written === name || written.slice(written.indexOf(':') + 1) === name;
}

function enter(search, depth, name, attributes) {
  const step = search.wanted[depth];
  if (depth !== search.reached || step === undefined || !isCalled(name, step.name)) return;
  search.seen[depth] += 1;
  if (step.number !== 0 && step.number !== search.seen[depth]) return;
  search.reached += 1;
  if (search.reached < search.wanted.length) {
    search.seen[search.reached] = 0;
  } else if (search.attribute !== null) {
    for (const [, key, double, single] of attributes.matchAll(/([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
      if (!isCalled(key, search.attribute)) continue;
      const value = unescaped(double === undefined ? single : double);
      if (value !== null) search.found.push(value);
      break;
    }
  }
}

function leave(search, depth) {
  if (depth + 1 !== search.reached) return;
  if (search.reached === search.wanted.length && search.attribute === null) {
    search.found.push(search.content.trim());
    search.content = '';
  }
  search.reached -= 1;
}

// A text with its references resolved; null where one is unknown.
function unescaped(text) {
  const names = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
  let isKnown = true;
  const plain = text.replace(/&([^;&]*);?/g, (all, name) => {
    if (!all.endsWith(';')) isKnown = false;
    if (names[name] !== undefined) return names[name];
    const number = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
    if (!number) {
      isKnown = false;
      return '';
    }
    return String.fromCodePoint(number[1] ? parseInt(number[1], 16) : Number(number[2]));
  });
  return isKnown ? plain : null;
}

// ── what is known only when a request is sent ───────────────────────────────────────────────────────────────

function moment() {
  const bytes = new Uint8Array(randomBytes(16));
  // Version 4 and the variant of RFC 9562.
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)];
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const nonce = Array.from(new Uint8Array(randomBytes(22)), (byte) => letters[byte % 62]).join('');
  // The time, the virtual user and a count: no other request has it, of whichever run or instance.
  const count = String(user.sequence++ % 100).padStart(2, '0');
  const unique = `${Date.now()}${String(exec.vu.idInTest % 10000).padStart(4, '0')}${count}`;
  return { unique, uuid: parts.join('-'), now: new Date().toISOString(), nonce };
}

// Keeps what later requests of this virtual user need. Returns whether all of it is there.
function capture(request, answer) {
  const taken = {};
  for (const { name, place, at, pattern } of request.captures) {
    const texts = captureTexts(answer, place, at);
    const parts = texts.map((text) => (pattern ? part(text, pattern) : text));
    const value = parts.find((text) => text !== undefined);
    if (value === undefined || value === '') return false;
    taken[name] = value;
  }
  Object.assign(user.captured, taken);
  return true;
}

function captureTexts(answer, place, at) {
  switch (place) {
    case 'json':
      return jsonValues(answer.body, at).map((it) => (typeof it === 'string' ? it : JSON.stringify(it)));
    case 'xml':
      return xmlTexts(answer.body, at);
    case 'header': {
      const same = Object.keys(answer.headers).filter((name) => name.toLowerCase() === at.toLowerCase());
      return same.map((name) => answer.headers[name]);
    }
    case 'cookie':
      return (answer.cookies[at] || []).map((cookie) => cookie.value);
    default:
      return [String(answer.body)];
  }
}

function part(text, pattern) {
  const found = pattern.exec(text);
  if (found === null) return undefined;
  return found[1] === undefined ? found[0] : found[1];
}

const base64 = (bytes) => encoding.b64encode(bytes, 'std');

function json(text) {
  const escape = (character) => `\\u00${character.charCodeAt(0).toString(16)}`;
  return JSON.stringify(text).replace(/[<>&']/g, escape);
}

function xml(text) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
  return text.replace(/[&<>\r]/g, (character) => names[character]);
}

// ── what it came to ─────────────────────────────────────────────────────────────────────────────────────────

// One line that `xmlperf import --from k6-operator` adds up over all instances, below a summary to read. Both
// forms of k6's summary are understood: metrics by name, and a list of them.
export function handleSummary(data) {
  const listed = {};
  for (const metric of (data.results && data.results.metrics) || []) listed[metric.name] = metric;
  const metrics = data.metrics || listed;
  const value = (name, key) => {
    const metric = metrics[name];
    const found = metric && metric.values && metric.values[key];
    return typeof found === 'number' ? found : null;
  };
  const count = (name) => value(name, 'count') || 0;
  const thresholds = [];
  for (const name of Object.keys(metrics)) {
    const results = metrics[name].thresholds || {};
    for (const condition of Object.keys(results)) {
      thresholds.push({ metric: name, condition, ok: results[condition].ok !== false });
    }
  }
  const summary = {
    schema: 1,
    scenario: scenarioName,
    payload: payloadDigest,
    instances,
    instance: value('xmlperf_instance', 'value') || 0,
    requests: count('xmlperf_total_requests'),
    failures: count('xmlperf_failures'),
    setup_requests: count('xmlperf_setup_requests'),
    dropped: count('xmlperf_dropped') + count('dropped_iterations'),
    unit: unitMetric.replace('xmlperf_', ''),
    units: count(unitMetric),
    wall_ms: (data.state && data.state.testRunDurationMs) || 1000 * ((data.config || {}).duration || 0),
    time: { total: count('xmlperf_time_total_ms'), min: value('xmlperf_time', 'min'), max: value('xmlperf_time', 'max') },
    buckets: buckets.map((_, n) => count(`xmlperf_bucket_${n}`)),
    sent: sentCounts.map((_, place) => count(`xmlperf_sent_${place}`)),
    thresholds,
  };
  const rate = summary.wall_ms > 0 ? (1000 * summary.units) / summary.wall_ms : 0;
  const lines = [
    `${scenarioName}: ${summary.requests} requests, ${summary.failures} failed, ${summary.dropped} dropped`,
    `${rate.toFixed(1)} ${summary.unit}/s`,
    ...thresholds.map((it) => `${it.ok ? 'kept' : 'broken'}: ${it.metric} ${it.condition}`),
    `xmlperf-summary ${JSON.stringify(summary)}`,
  ];
  return { stdout: `${lines.join('\n')}\n` };
}
