// Opens every page of a folder in Chromium, takes screenshots beside them, and fails where one is not as it should be.
//
//   node check.mjs NODE_MODULES FOLDER PROGRAM [NAME…]
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
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
      execFileSync(program, ["report", path.join(folder, `${name}.json`), "--format", form, "--fail-on", "never"], { maxBuffer: 1 << 26 });
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
  zoomed += await zooms(file, name) ? 1 : 0;
  await photographed(file);
  console.log(`${name}: ${(bytes / 1000).toFixed(0)} kB, ${nodes} elements, first paint ${paint.toFixed(0)} ms`);
}
expect(only.length > 0 || zoomed > 0, "no page has call stacks");
await scores(["slower", "twelve", "stored", "index"].filter((it) => names.includes(it)));
const [page, judged] = names.includes("twelve") ? written("twelve") : [0, 0];
if (page > 0) console.log(`twelve scenarios: ${page.toFixed(0)} ms to read, judge and write the page, ${judged.toFixed(0)} ms for JSON`);
await browser.close();
console.log(`\n${names.length} pages, ${failures.length} failures`);
process.exitCode = failures.length > 0 ? 1 : 0;
