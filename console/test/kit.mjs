// What the walks share: Chromium with a clean context, axe, and the sign-in.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const { LINK, PICTURES } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = 20_000;

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await clean();

async function clean() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(PATIENCE);
  return context;
}

/** Errors of the page. While the server is `away`, or the session over, the browser reports its own; while it `refuses`,
 * answers of 4xx. */
export const troubles = [];
export const server = { away: false, refuses: false };
const refusal = (text) => server.refuses && /status of 4\d\d/.test(text);

export async function tab(within = context) {
  const page = await within.newPage();
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !server.away && !refusal(message.text())) troubles.push(message.text());
  });
  return page;
}

/** A tab of another person, who shares nothing with the others and has opened this link. */
export async function visitor(link) {
  const page = await tab(await clean());
  await enter(page, link);
  return page;
}

export const status = (page, word) => page.locator(`h1 .status:text-is("${word}")`).waitFor();
export const connected = (page) => page.locator(".link.live").waitFor();

export async function to(page, hash, ready) {
  await page.evaluate((there) => void (location.hash = there), hash);
  await page.locator(ready).first().waitFor();
}

/** Opens the link. */
export async function enter(page, link = LINK) {
  await page.goto(link);
  await page.locator("h1:text-is('Overview')").waitFor();
  await connected(page);
}

/** No violation, in both schemes and widths, and nothing wider than the screen. */
export async function accessible(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 900 });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document));
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
      assert.deepEqual(found, [], `${name}, ${colorScheme}, ${width} px`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${name}, ${width} px: ${over} px too wide`);
      if (PICTURES) await page.screenshot({ path: `${PICTURES}/${name}-${colorScheme}-${width}.png`, fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

/** Walks, and says so at its end. */
export async function walk(page, steps) {
  try {
    await steps();
    assert.deepEqual(troubles, []);
    console.log("walked");
  } catch (error) {
    console.error(error, troubles, await page.locator("body").innerText());
    process.exitCode = 1;
  } finally {
    await browser.close();
    process.exit();
  }
}
