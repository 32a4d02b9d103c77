// Walks through the console in Chromium, against a daemon that trades on paper: sign in, look, pause and resume, two tabs,
// a server that goes away, hostile text, and axe in both schemes and widths. tests/api/browser.rs runs it; what only that
// can do, such as to stop the server, is asked for by a line on standard output and answered by one on standard input.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";

import { accessible, connected, enter, server, status, tab, to, walk } from "./kit.mjs";
import { backtest, begin, cancel, edit, files, health, settings, wallets } from "./views.mjs";

const { LINK } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the test that runs this for something, and waits until it is done. */
async function please(what) {
  console.log(what);
  const { value } = await answers.next();
  assert.equal(value, "done", what);
}

async function signIn(page) {
  await enter(page);
  assert.ok(!page.url().includes("ticket"), "the address keeps the ticket");
  await page.locator("td a:text-is('CALM')").waitFor();
  const readable = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.ok(!readable.includes("lgimm_"), "a script can read the session");
  await accessible(page, "overview");
}

async function orders(page, other) {
  await page.locator("td a:text-is('CALM')").click();
  await status(page, "RUNNING");
  await other.goto(page.url());
  await status(other, "RUNNING");
  await page.locator(".chart canvas").first().waitFor();
  await page.locator("section[aria-labelledby=trades] td:text-is('EXECUTED')").first().waitFor();
  await accessible(page, "job");
  // By keyboard.
  await page.getByRole("button", { name: "Pause" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".notice.good", { hasText: "RUNNING -> PAUSED" }).waitFor();
  await status(page, "PAUSED");
  await status(other, "PAUSED");
  await other.getByRole("button", { name: "Resume" }).click();
  await status(other, "RUNNING");
  await status(page, "RUNNING");
  await page.getByRole("button", { name: "Tick" }).click();
  await page.locator(".notice", { hasText: "job 1" }).waitFor();
}

async function restart(page, other) {
  server.away = true;
  await please("stop the server");
  for (const each of [page, other]) await each.locator(".away .notice", { hasText: "does not answer" }).waitFor();
  assert.equal(await page.locator("h1", { hasText: "CALM" }).count(), 1, "what was read stays");
  await please("start the server");
  for (const each of [page, other]) await connected(each);
  server.away = false;
  await please("pause job 1");
  await status(page, "PAUSED");
  await status(other, "PAUSED");
}

async function hostile(page) {
  await please("put hostile text into job 2");
  await to(page, "#/", ".needs");
  await page.locator(".needs", { hasText: "LOUD" }).waitFor();
  await accessible(page, "needs");
  await to(page, "#/jobs/2", "h1 .status.error");
  const text = await page.locator("dd .bad", { hasText: "<img" }).innerText();
  assert.ok(text.includes("<img src=x onerror="), text);
  assert.equal(await page.locator("main img").count(), 0);
  await page.getByRole("button", { name: "Resume" }).click();
  await status(page, "RUNNING");
}

async function sale(page) {
  await page.getByRole("button", { name: "Liquidate…" }).click();
  await page.locator("dialog[open]").waitFor();
  await accessible(page, "dialog");
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "detached" });
  await status(page, "RUNNING");
  await page.getByRole("button", { name: "Liquidate…" }).click();
  await page.locator("dialog").getByRole("button", { name: "Liquidate" }).click();
  await status(page, "IDLE");
  await to(page, "#/trades", "td:text-is('LIQUIDATE')");
  await accessible(page, "trades");
}

async function leave(page, other) {
  server.away = true;
  await page.getByRole("button", { name: "Sign out" }).click();
  for (const each of [page, other]) await each.locator(".signin").waitFor();
  await accessible(page, "signin");
  await page.goto("about:blank");
  await page.goto(LINK);
  await page.locator(".signin .notice", { hasText: "was opened before" }).waitFor();
}

const [page, other] = [await tab(), await tab()];
await walk(page, async () => {
  await signIn(page);
  await orders(page, other);
  await edit(page, other);
  await health(page);
  await wallets(page);
  await begin(page);
  await backtest(page);
  await cancel(page);
  await settings(page);
  await files(page);
  for (const each of [page, other]) await to(each, "#/jobs/1", "h1 .status");
  await restart(page, other);
  await hostile(page);
  await sale(page);
  await leave(page, other);
});
