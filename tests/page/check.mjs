// Opens every page of a folder in Chromium, takes screenshots beside them, and fails where one is not as it should be.
//
//   node check.mjs NODE_MODULES FOLDER PROGRAM [NAME…]
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, folder, program, ...only] = process.argv.slice(2);
const require = createRequire(path.join(modules, "page.cjs"));
const puppeteer = require("puppeteer-core");
const axe = readFileSync(path.join(modules, "axe-core/axe.min.js"), "utf8");

const BYTES_MAX = 600_000, BYTES_OF_ONE_MAX = 150_000, NODES_MAX = 6_000;
const WRITTEN_MS_MAX = 50, PAINT_MS_MAX = 200;
const WIDTHS = [320, 390, 768, 1280];

const failures = [];
const expect = (holds, what) => { if (!holds) { failures.push(what); console.log(`  FAILS: ${what}`); } };

const browser = await puppeteer.launch({
  executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--hide-scrollbars"],
});

/** A page that is open, with what it complains about. */
async function open(file, { width = 1280, scheme = "light", forced = "none", script = true } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("console", (message) => { if (["error", "warn"].includes(message.type())) complaints.push(message.text()); });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => { if (!/^(file|data):/.test(request.url())) complaints.push(`asks for ${request.url()}`); });
  await page.setJavaScriptEnabled(script);
  await page.setViewport({ width, height: 900, deviceScaleFactor: 1 });
  const session = await page.createCDPSession();
  await session.send("Emulation.setEmulatedMedia", { features: [
    { name: "prefers-color-scheme", value: scheme }, { name: "forced-colors", value: forced },
  ] });
  await page.goto(pathToFileURL(file).href, { waitUntil: "load" });
  return { page, session, complaints };
}

/** Violations of axe's rules, one line each. */
async function violations(page) {
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  })).violations);
  return found.map((it) => `${it.id}: ${it.nodes.slice(0, 2).map((node) => node.target.join(" ")).join(", ")}`);
}

async function accessible(file, name) {
  for (const [scheme, forced] of [["light", "none"], ["dark", "none"], ["light", "active"], ["dark", "active"]]) {
    const { page, complaints } = await open(file, { scheme, forced });
    // What is folded is read as well.
    await page.evaluate(() => document.querySelectorAll("details").forEach((it) => { it.open = true; }));
    const found = await violations(page);
    expect(found.length === 0, `${name}: axe, ${scheme}, forced colours ${forced}: ${found.join(" | ")}`);
    expect(complaints.length === 0, `${name}: ${complaints.join(" | ")}`);
    await page.close();
  }
}

async function narrow(file, name) {
  for (const width of WIDTHS) {
    const { page } = await open(file, { width });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(wide <= width, `${name}: ${wide} pixels wide on a screen of ${width}`);
    await page.close();
  }
}

/** What the program prints of a record; 3 is the code of one without numbers. */
function printed(name, form) {
  const words = ["report", path.join(folder, `${name}.json`), "--format", form, "--fail-on", "never"];
  const { status, stdout, stderr } = spawnSync(program, words, { maxBuffer: 1 << 26 });
  if (status !== 0 && status !== 3) throw new Error(`${name}: ${stderr}`);
  return stdout.toString();
}

/** Bytes and elements; of twenty-five scenarios there may be more. */
async function small(file, name) {
  const bytes = statSync(file).size;
  const { page } = await open(file);
  const nodes = await page.evaluate(() => document.getElementsByTagName("*").length);
  await page.close();
  const isLarge = name === "a-row-a-line";
  expect(bytes <= (isLarge || name === "twelve" ? BYTES_MAX : BYTES_OF_ONE_MAX), `${name}: ${bytes} bytes`);
  expect(isLarge || nodes <= NODES_MAX, `${name}: ${nodes} elements`);
  return { bytes, nodes };
}

const firstPaint = (page) => page.evaluate(() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) resolve(paint.startTime);
  }).observe({ type: "paint", buffered: true });
}));

/** Milliseconds until the first paint: the least of some loads, as a machine with other work is late at random. */
async function painted(file, name) {
  const times = [];
  for (let load = 0; load < 5; load += 1) {
    const { page } = await open(file);
    times.push(await firstPaint(page));
    await page.close();
  }
  const least = Math.min(...times);
  expect(name === "a-row-a-line" || least <= PAINT_MS_MAX, `${name}: first paint after ${least.toFixed(0)} ms`);
  return least;
}

/** The words of a page, as a reader meets them. */
const words = (page) => page.evaluate(() => {
  document.querySelectorAll("details").forEach((it) => { it.open = true; });
  document.querySelectorAll("style, script, .tools").forEach((it) => it.remove());
  return document.body.textContent.replace(/\s+/g, " ").trim();
});

async function naked(file, name) {
  const [full, bare] = [await open(file), await open(file, { script: false })];
  const [said, without] = [await words(full.page), await words(bare.page)];
  expect(said === without, `${name}: a page without script says something else`);
  await full.page.close();
  await bare.page.close();
}

const UNITS = {
  ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, min: 6e10, h: 3.6e12,
  B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, "%": 0.01,
};

/** Whether words such as `5.20 µs` say a value, by the digits that they have. */
function saysValue(said, value) {
  const [, sign, digits, unit] = /^([−+]?)([\d. ]*\d)\s*(\S*)/.exec(said.replace(/[\u00a0\u202f]/g, " ")) ?? [];
  if (digits === undefined) return false;
  const scale = UNITS[unit] ?? 1;
  const number = Number(digits.replaceAll(" ", "")) * (sign === "−" ? -1 : 1);
  const decimals = digits.split(".")[1]?.length ?? 0;
  // Numbers of many digits are rounded to three of them.
  const step = Math.max(10 ** -decimals, decimals > 0 ? 0 : Math.abs(number) * 1e-3);
  return Math.abs(number * scale - value) <= 0.51 * step * scale;
}

/** The place of a row among the news, from its verdict. */
function gravity({ verdict, policy }) {
  const place = { regressed: 0, suspected: 1, inconclusive: 2, improved: 3, unchanged: 4 }[verdict];
  return place ?? (policy === "gate" ? (verdict === "missing" ? 1 : 4) : 5);
}

const VERDICTS = {
  regressed: /^regressed/, improved: /^improved/, unchanged: /^unchanged/, inconclusive: /^(can't tell|suspected)/,
  suspected: /^suspected/, "not-found": /^none found/, reported: /^reported only/, missing: /^(missing|not shown)/,
  measured: /^/,
};
const OUTCOMES = {
  regressed: ["Slower", "Limit broken", "Fails"], improved: ["Faster"], inconclusive: ["Can't tell"],
  pass: ["Not slower", "Identical", "Measured"], error: ["Not measured"],
};

/** The rows of a page without style and script, in reading order: the scenario, numbers, and words of each. */
const rowsOf = (page) => page.$$eval(".forest tbody", (groups) => groups.flatMap((group) => {
  const scenario = group.querySelector("[scope=rowgroup]").firstChild.textContent.trim();
  return [...group.querySelectorAll("tr:has(th[scope=row])")].map((row) => ({
    scenario,
    quantities: [...row.querySelectorAll("data")].map((it) => [it.textContent, Number(it.value)]),
    interval: row.querySelector("td:nth-child(3) small").textContent,
    verdict: row.querySelector("td:last-child b").textContent,
  }));
}));

/** A report's rows in the order in which the page has them: the gravest scenario and row first. */
function expectedRows({ metrics }) {
  const rank = (row) => row.suspicion ? 1 : gravity(row);
  const scenarios = [...new Set(metrics.map((it) => it.scenario))];
  const of = (name) => metrics.filter((it) => it.scenario === name).sort((a, b) => rank(a) - rank(b));
  const worst = (name) => Math.min(...of(name).map(rank));
  return scenarios.sort((a, b) => worst(a) - worst(b)).flatMap(of);
}

/** Holds the text of a page without style and script to what `report.json` says, in reading order. */
async function saysTheReport(file, name) {
  const report = JSON.parse(printed(name, "json"));
  const { page } = await open(file, { script: false });
  await page.evaluate(() => document.querySelectorAll("style").forEach((it) => it.remove()));
  const [rows, word, text] = [await rowsOf(page), await page.$eval("nav b", (it) => it.textContent), await words(page)];
  await page.close();
  expect(OUTCOMES[report.outcome].includes(word), `${name}: ${word} of ${report.outcome}`);
  const spaced = (said) => said.replaceAll("`", "").replace(/\s+/g, " ");
  for (const note of report.notes) expect(text.includes(spaced(note.text)), `${name}: no note ${note.text}`);
  const limits = await countLimits(file);
  expect(limits.length === report.limits.length, `${name}: ${limits.length} of ${report.limits.length} limits`);
  const holds = (list) => list.filter(Boolean).length;
  expect(holds(limits) === holds(report.limits.map((it) => it.holds)), `${name}: limits that hold`);
  // A build alone has a table of values, without verdicts.
  if (report.base === null) return;
  const expected = expectedRows(report);
  expect(rows.length === expected.length, `${name}: ${rows.length} rows of ${expected.length}`);
  rows.forEach((row, place) => saysRow(`${name}: row ${place + 1}`, row, expected[place]));
}

const countLimits = async (file) => {
  const { page } = await open(file);
  const held = await page.$$eval("h3", (all) => {
    const table = all.find((it) => it.textContent === "Limits")?.nextElementSibling;
    return [...table?.querySelectorAll("tbody td:last-child") ?? []].map((it) => it.textContent === "holds");
  });
  await page.close();
  return held;
};

function saysRow(name, row, { scenario, metric, base, head, change, low, high, verdict }) {
  const bare = (it) => it.replace(/[\u202a-\u202e\u2066-\u2069]/g, "").replace(/\s+/g, " ").trim();
  expect(row.scenario === bare(scenario), `${name} is of ${row.scenario}, not ${scenario}`);
  const isOfCalls = ["queries", "round-trips"].includes(metric);
  const values = [base, head, isOfCalls ? null : change].filter((it) => it !== null);
  const found = row.quantities.map(([, value]) => value);
  expect(JSON.stringify(found) === JSON.stringify(values), `${name} has ${found}, not ${values}`);
  for (const [said, value] of row.quantities) expect(saysValue(said, value), `${name} says ${said} of ${value}`);
  expect(VERDICTS[verdict].test(row.verdict), `${name} says ${row.verdict} of ${verdict}`);
  const limits = /^\[(.*), (.*)\]$/.exec(row.interval);
  if (!limits || low === null || high === null) return;
  expect(saysValue(`${limits[1]} %`, low) && saysValue(`${limits[2]} %`, high),
    `${name} says ${row.interval} of ${low}, ${high}`);
}

async function zooms(file, name) {
  const { page, complaints } = await open(file);
  const shown = () => page.$$eval("g[data-w]", (all) => all.filter((it) => it.getAttribute("display") !== "none").length);
  const before = await shown();
  if (before === 0) { await page.close(); return false; }
  await page.keyboard.press("/");
  const focused = await page.evaluate(() => document.activeElement.type);
  expect(focused === "search", `${name}: / leads to ${focused}`);
  const rare = await page.$$eval("g[data-w] title", (all) => all.at(-1).textContent.split(": ")[0].replace(/^\W+/, ""));
  await page.keyboard.type(rare);
  const hits = await page.$$eval("g.hit", (all) => all.length);
  expect(hits > 0 && hits < before, `${name}: ${hits} of ${before} frames are called ${rare}`);
  await page.keyboard.press("Enter");
  const widest = await page.$eval("g.hit rect", (it) => Number(it.getAttribute("width")));
  expect(widest > 400, `${name}: a frame that was zoomed into is ${widest} wide`);
  await (await page.$("figure.zooms")).screenshot({ path: file.replace(".html", "-zoomed.png") });
  await page.keyboard.press("Escape");
  expect(await shown() === before, `${name}: not all frames are back`);
  expect(complaints.length === 0, `${name}: ${complaints.join(" | ")}`);
  await page.close();
  return true;
}

async function photographed(file) {
  const shots = [["desktop", { width: 1280 }], ["narrow", { width: 390 }], ["dark", { width: 1280, scheme: "dark" }],
    ["forced", { width: 1280, forced: "active" }]];
  for (const [suffix, how] of shots) {
    const { page } = await open(file, how);
    await page.screenshot({ path: file.replace(".html", `-${suffix}.png`), fullPage: true });
    await page.close();
  }
  const { page } = await open(file, { width: 794 });
  await page.pdf({ path: file.replace(".html", ".pdf"), format: "A4", margin: { top: 40, bottom: 40, left: 40, right: 40 } });
  await page.close();
}

/** Lighthouse's score of accessibility; it takes no files, so they are served. */
async function scores(files) {
  const server = createServer((request, response) => {
    const name = path.basename(request.url);
    // A browser asks for an icon as well.
    response.writeHead(name.endsWith(".html") ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    response.end(name.endsWith(".html") ? readFileSync(path.join(folder, name)) : "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { default: lighthouse } = await import(pathToFileURL(path.join(modules, "lighthouse/core/index.js")).href);
  const port = Number(new URL(browser.wsEndpoint()).port);
  for (const name of files) {
    const url = `http://127.0.0.1:${server.address().port}/${name}.html`;
    const { lhr } = await lighthouse(url, { port, onlyCategories: ["accessibility"], logLevel: "error" });
    const score = Math.round(lhr.categories.accessibility.score * 100);
    const lost = Object.values(lhr.audits).filter((it) => it.score !== null && it.score < 1).map((it) => it.id);
    expect(score === 100, `${name}: Lighthouse accessibility ${score}: ${lost.join(", ")}`);
    console.log(`${name}: Lighthouse accessibility ${score}`);
  }
  server.close();
}

/** Milliseconds that a page takes to be written beyond what judging takes: the least of some. */
function written(name) {
  const took = (form) => {
    const times = Array.from({ length: 7 }, () => {
      const begun = performance.now();
      printed(name, form);
      return performance.now() - begun;
    });
    return Math.min(...times);
  };
  const [page, judged] = [took("html"), took("json")];
  expect(page - judged <= WRITTEN_MS_MAX, `${name}: written in ${(page - judged).toFixed(0)} ms`);
  return [page, judged];
}

const names = readdirSync(folder).filter((it) => it.endsWith(".html")).map((it) => it.slice(0, -5)).sort()
  .filter((it) => only.length === 0 || only.includes(it));
let zoomed = 0;
for (const name of names) {
  const file = path.join(folder, `${name}.html`);
  const { bytes, nodes } = await small(file, name);
  const paint = await painted(file, name);
  await accessible(file, name);
  await narrow(file, name);
  await naked(file, name);
  if (existsSync(path.join(folder, `${name}.json`))) await saysTheReport(file, name);
  zoomed += await zooms(file, name) ? 1 : 0;
  await photographed(file);
  console.log(`${name}: ${(bytes / 1000).toFixed(0)} kB, ${nodes} elements, first paint ${paint.toFixed(0)} ms`);
}
expect(only.length > 0 || zoomed > 0, "no page has call stacks");
await scores(["slower", "twelve", "stored", "capacity", "index", "decision"].filter((it) => names.includes(it)));
const [page, judged] = names.includes("twelve") ? written("twelve") : [0, 0];
if (page > 0) console.log(`twelve scenarios: ${page.toFixed(0)} ms to read, judge and write the page, ${judged.toFixed(0)} ms for JSON`);
await browser.close();
console.log(`\n${names.length} pages, ${failures.length} failures`);
process.exitCode = failures.length > 0 ? 1 : 0;
