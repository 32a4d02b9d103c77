// Opens each dashboard in headless Chromium and writes a picture of it. scripts/dashboards starts what it asks.
import { execFile } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { parseArgs, promisify } from "node:util";

import { chromium } from "playwright-core";

const text = { type: "string" };
const { values: given } = parseArgs({
  options: { prometheus: text, dashboards: text, seconds: text, out: text, port: text, chromium: text, scrape: text },
});
const here = import.meta.dirname;
const icons = path.join(here, "node_modules/@grafana/ui/dist/public");
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** Rows of a query as JSON, in a transaction that cannot write. */
async function rows(query) {
  const asked = `SELECT coalesce(json_agg(row_to_json(t)), '[]') FROM (${query}) t`;
  const psql = ["db", "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--command", asked];
  const env = { ...process.env, PGOPTIONS: "-c default_transaction_read_only=on" };
  const options = { cwd: process.env.LGI_MM_WORK, env, maxBuffer: 1 << 28 };
  const { stdout } = await promisify(execFile)(process.env.LGI_MM_PROGRAM, psql, options);
  return stdout;
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://page");
  if (pathname.startsWith("/prometheus/")) {
    const from = await fetch(given.prometheus + pathname.slice("/prometheus".length), {
      method: "POST",
      body: await body(request),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    response.writeHead(from.status).end(await from.text());
  } else if (pathname === "/sql") {
    response.end(await rows(await body(request)));
  } else {
    const [root, name] = pathname.startsWith("/dashboards/")
      ? [given.dashboards, pathname.slice("/dashboards/".length)]
      : pathname.startsWith("/public/")
        ? [icons, pathname.slice("/public/".length)]
        : [path.join(here, "dist"), pathname === "/" ? "index.html" : pathname];
    const file = path.join(root, path.normalize(`/${name}`));
    response.setHeader("content-type", types[path.extname(file)] ?? "application/octet-stream");
    response.end(await readFile(file));
  }
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    const missing = error.code === "ENOENT";
    response.writeHead(missing ? 404 : 500).end(String(error.stderr || error));
  });
});
await new Promise((resolve) => server.listen(Number(given.port), "127.0.0.1", resolve));
await mkdir(given.out, { recursive: true });
const browser = await chromium.launch({ executablePath: given.chromium, args: ["--no-sandbox"] });
let wrong = 0;

/** Draws one dashboard in one theme; reports once, for the first theme. */
async function draw(dashboard, job, theme, name) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 }, timezoneId: "UTC" });
  const thrown = [];
  page.on("pageerror", (error) => thrown.push(error.message));
  const to = Date.now();
  const from = to - Number(given.seconds) * 1000;
  const query = new URLSearchParams({ dashboard, job, theme, from, to, scrape: given.scrape ?? "5s" });
  await page.goto(`http://127.0.0.1:${given.port}/?${query}`);
  await page.waitForFunction(() => window.drawn !== undefined, undefined, { timeout: 120_000 });
  const file = path.join(given.out, `${name}-${theme}.png`);
  await page.screenshot({ path: file, fullPage: true });
  const { drawn, jobs } = await page.evaluate(() => ({ drawn: window.drawn, jobs: window.jobs }));
  await page.close();
  const refused = drawn.panels.filter((one) => one.error !== null).map((one) => `${one.title}: ${one.error}`);
  const failed = [...thrown, ...refused];
  wrong += failed.length;
  if (theme === "dark") {
    console.log(`${drawn.title} (${file})`);
    for (const { title, type, series, cut } of drawn.panels) {
      if (cut) console.log(`  ${title} [${type}]: longer than its panel, which scrolls`);
      if (type !== "text") console.log(`  ${title} [${type}]: ${series === 0 ? "no data" : series}`);
    }
  }
  for (const line of failed) console.error(`error: ${name}, ${theme}: ${line}`);
  return jobs;
}

try {
  for (const theme of ["dark", "light"]) {
    const jobs = await draw("fleet", "1", theme, "fleet");
    for (const job of jobs) await draw("job", job, theme, `job-${job}`);
    await draw("runbook", "1", theme, "runbook");
  }
} finally {
  await browser.close();
  server.close();
}
process.exitCode = wrong === 0 ? 0 : 1;
