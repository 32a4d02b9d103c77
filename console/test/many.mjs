// The overview of an installation with many jobs, in Chromium: the first page and the totals of all, the pages behind it,
// and a job found by its number and by its address. JOBS: how many there are, TOKEN: the address of the last. Prints how
// long after the link was opened the first view was drawn: tests/api/browser.rs and benches/fleet/faces.rs run this.
import assert from "node:assert/strict";

import { accessible, enter, tab, walk } from "./kit.mjs";

const { JOBS, TOKEN } = process.env;
const PAGE = 100;
const rows = "section[aria-labelledby=jobs] tbody tr";

/** Notes when totals and a page of jobs are first drawn, ms after the address was asked for. */
function watch(rows) {
  const note = () => (globalThis.drawn ??= Math.round(performance.now()));
  new MutationObserver(() => {
    const there = document.querySelector(rows) && document.querySelector(".total");
    if (there && !globalThis.drawn) requestAnimationFrame(note);
  }).observe(document, { childList: true, subtree: true });
}

/** Numbers of the jobs that are shown, when the first of them is this one. */
async function numbers(page, first) {
  await page.locator(`${rows}:first-child td:text-is("${first}")`).first().waitFor();
  return page.locator(rows).evaluateAll((shown) => shown.map((row) => Number(row.cells[0].innerText)));
}

async function look(page) {
  await enter(page);
  await page.waitForFunction(() => globalThis.drawn);
  console.log(`first view ${await page.evaluate(() => globalThis.drawn)} ms`);
  await page.locator(".total", { hasText: `${JOBS} jobs` }).waitFor();
}

async function pages(page) {
  const expected = (from) => Array.from({ length: PAGE }, (_, place) => from + place);
  assert.deepEqual(await numbers(page, 1), expected(1));
  const previous = page.getByRole("button", { name: "Previous page" });
  const next = page.getByRole("button", { name: "Next page" });
  assert.ok(await previous.isDisabled(), "there is nothing before the first page");
  await next.click();
  assert.deepEqual(await numbers(page, PAGE + 1), expected(PAGE + 1));
  await next.click();
  assert.deepEqual(await numbers(page, 2 * PAGE + 1), expected(2 * PAGE + 1));
  await previous.click();
  assert.deepEqual(await numbers(page, PAGE + 1), expected(PAGE + 1));
  await accessible(page, "many");
}

async function search(page) {
  const field = page.getByRole("searchbox", { name: "Token" });
  const look = async (text) => {
    await field.fill(text);
    await field.press("Enter");
  };
  for (const text of [JOBS, TOKEN]) {
    await look(text);
    await page.waitForFunction(([rows]) => document.querySelectorAll(rows).length === 1, [rows]);
    assert.deepEqual(await numbers(page, Number(JOBS)), [Number(JOBS)], text);
    await look("");
    assert.equal((await numbers(page, 1)).length, PAGE);
  }
}

const page = await tab();
await page.addInitScript(watch, rows);
await walk(page, async () => {
  await look(page);
  // A measurement ends here: the rest is a test.
  if (!TOKEN) return;
  await pages(page);
  await search(page);
});
