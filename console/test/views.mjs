// The views besides jobs and trades, each with what it can do on paper. walk.mjs walks through them.
import assert from "node:assert/strict";

import { accessible, server, status, to } from "./kit.mjs";

/** Does something that the server refuses: the browser reports such an answer as an error. */
async function refused(steps) {
  server.refuses = true;
  await steps();
  server.refuses = false;
}

const apply = (page) => page.getByRole("button", { name: "Apply" });

/** A value that cannot be used is said as it is typed; a difference is shown before it is made; no edit of another is lost. */
export async function edit(page, other) {
  await to(page, "#/jobs/1", "h1 .status");
  await page.getByRole("link", { name: "Edit…" }).click();
  await page.locator("#accumulate-dca_amount_usd").waitFor();
  await to(other, "#/jobs/1/edit", "#accumulate-dca_amount_usd");
  await refused(async () => {
    await page.locator("#accumulate-take_profit_pct").fill("-3");
    await page.locator(".key .bad", { hasText: "accumulate.take_profit_pct = -3 is not allowed" }).waitFor();
    assert.ok(await apply(page).isDisabled(), "an edit that cannot be made");
    await accessible(page, "edit");
  });
  await page.locator("#accumulate-take_profit_pct").fill("25");
  await page.locator(".changes li", { hasText: "accumulate.take_profit_pct" }).waitFor();
  assert.match(await page.locator(".changes li").innerText(), /0.*25/s);
  await other.locator("#accumulate-dca_amount_usd").fill("11");
  await other.locator(".changes li", { hasText: "accumulate.dca_amount_usd" }).waitFor();
  await apply(page).focus();
  await page.keyboard.press("Enter");
  await page.locator(".notice.good", { hasText: "1 changed, from the next slot on" }).waitFor();
  await refused(async () => {
    await other.locator(".notice.warn", { hasText: "This job was edited since you opened it" }).waitFor();
    await apply(other).click();
    await other.locator(".notice.bad", { hasText: "was edited since" }).waitFor();
  });
  await other.getByRole("button", { name: "Read it again, keep what I typed" }).click();
  await other.locator(".heading", { hasText: "version 2" }).waitFor();
  await apply(other).click();
  await other.locator(".notice.good", { hasText: "1 changed" }).waitFor();
  await page.locator(".notice.warn", { hasText: "This job was edited since you opened it" }).waitFor();
}

export async function health(page) {
  await to(page, "#/health", ".checks li");
  await page.locator(".figure", { hasText: "1 worker" }).waitFor();
  await page.locator(".checks li.ok", { hasText: "database" }).first().waitFor();
  await accessible(page, "health");
}

export async function wallets(page) {
  await to(page, "#/wallets", ".wallet.paper");
  await page.locator("td:text-is('USDC')").waitFor();
  await page.locator(".fact", { hasText: "next " }).first().waitFor();
  await page.locator("main", { hasText: "No live trade is signed by this machine" }).waitFor();
  await accessible(page, "wallets");
}

/** A job is looked up, checked as it is described, and started on paper. */
export async function begin(page) {
  await to(page, "#/new", "#token");
  await page.getByLabel("Address, or the ticker").fill("0x0000000000000000000000000000000000000003");
  await page.getByRole("button", { name: "Look it up" }).click();
  await page.getByLabel("Ticker", { exact: true }).fill("FRESH");
  await refused(async () => {
    await page.locator("#accumulate-dca_amount_usd").fill("nothing");
    await page.locator(".key .bad", { hasText: "a number such as 25" }).waitFor();
  });
  await page.locator("#accumulate-dca_amount_usd").fill("12");
  await page.getByLabel("Find a key").fill("price.sources");
  await page.locator("#price-sources").fill('["generated"]');
  await page.locator(".difference p", { hasText: "FRESH on base, paid with USDC: buys 12 USD every 4h" }).waitFor();
  await accessible(page, "new");
  await page.getByRole("button", { name: "Start on paper" }).click();
  await page.locator(".notice.good", { hasText: "job 3 (FRESH, paper on base): started" }).waitFor();
  await page.getByRole("link", { name: "Open job 3" }).click();
  await status(page, "RUNNING");
}

/** Prices that swing, one each so many minutes. */
function prices(length, minutes) {
  const rows = Array.from({ length }, (_, row) => {
    const time = new Date(Date.UTC(2026, 0, 1, 0, row * minutes)).toISOString();
    return `${time},${(1 + Math.sin(row / 40) / 4).toFixed(6)}`;
  });
  const buffer = Buffer.from(`time,price\n${rows.join("\n")}\n`);
  return { name: "swings.csv", mimeType: "text/csv", buffer };
}

/** One run with its report inside, then a sweep; both are compared. */
export async function backtest(page) {
  await to(page, "#/backtest", "form");
  await page.getByLabel("CSV file of prices").setInputFiles(prices(960, 60));
  const run = page.getByRole("button", { name: "Run", exact: true });
  await refused(async () => {
    await page.getByLabel("Keys, KEY=VALUE").fill("accumulate.dca_interval=never");
    await run.click();
    await page.locator(".notice.bad", { hasText: "accumulate.dca_interval" }).waitFor();
  });
  await page.getByLabel("Keys, KEY=VALUE").fill("accumulate.dca_interval=1d");
  await run.click();
  await page.getByRole("button", { name: "Show the report" }).click();
  const report = page.frameLocator("iframe");
  await report.locator("h1", { hasText: "Accumulating over swings.csv" }).waitFor();
  await report.locator("canvas, svg").first().waitFor();
  await page.getByRole("button", { name: "Hide the report" }).click();
  await page.getByLabel("Ranges to try").fill("accumulate.take_profit_pct=10..30:10");
  await run.click();
  await page.locator("section[aria-label^=Backtest] tbody tr").nth(2).waitFor();
  await page.locator("section[aria-labelledby=runs] tr", { hasText: "done" }).nth(1).waitFor();
  await accessible(page, "backtest");
}

/** A long one is cancelled while another waits behind it, which then runs. */
export async function cancel(page) {
  const [run, card] = [page.getByRole("button", { name: "Run", exact: true }), page.locator("section[aria-label^=Backtest]")];
  const row = (place) => page.locator("section[aria-labelledby=runs] tbody tr").nth(place);
  await page.getByLabel("CSV file of prices").setInputFiles(prices(40_000, 1));
  await page.getByLabel("Keys, KEY=VALUE").fill("schedule.cron=* * * * *");
  await page.getByLabel("Ranges to try").fill("accumulate.dca_amount_usd=1..40:1\naccumulate.dip_buy_threshold_pct=1..40:1");
  await run.click();
  await card.locator("progress").waitFor();
  await row(0).locator("td", { hasText: /^(waiting|running)/ }).waitFor();
  await page.getByLabel("CSV file of prices").setInputFiles(prices(960, 60));
  await page.getByLabel("Keys, KEY=VALUE").fill("accumulate.dca_interval=2d");
  await page.getByLabel("Ranges to try").fill("");
  await run.click();
  await card.getByText("Another backtest runs; this one waits.").waitFor();
  // The list follows a moment later.
  await row(0).locator("td", { hasText: /^waiting/ }).waitFor();
  await row(1).locator("td", { hasText: /^running/ }).waitFor();
  await row(1).getByRole("button").click();
  await card.locator("progress").waitFor();
  await card.getByRole("button", { name: "Cancel" }).focus();
  await page.keyboard.press("Enter");
  await card.locator(".notice.good", { hasText: "The backtest is cancelled." }).waitFor();
  await card.getByText("This backtest was cancelled.").waitFor();
  await row(1).locator("td:text-is('cancelled')").waitFor();
  assert.equal(await card.getByRole("button", { name: "Cancel" }).count(), 0, "it is over");
  await accessible(page, "backtest-cancelled");
  await row(0).getByRole("button").click();
  await card.getByRole("button", { name: "Show the report" }).waitFor();
  await row(0).locator("td:text-is('done')").waitFor();
}

/** A token is created once it is confirmed, shown once, and revoked. */
export async function settings(page) {
  await to(page, "#/settings", "td");
  await page.getByLabel("Name").fill("phone");
  await refused(async () => {
    await page.getByRole("button", { name: "Create…" }).click();
    await page.locator("dialog[open]", { hasText: "create a token called phone" }).waitFor();
  });
  await page.locator("dialog").getByRole("button", { name: "Create" }).click();
  const secret = await page.locator(".secret").innerText();
  assert.match(secret, /^lgimm_/);
  await accessible(page, "settings");
  await to(page, "#/health", ".figure");
  await to(page, "#/settings", "td:text-is('phone')");
  assert.ok(!(await page.content()).includes(secret), "a token is shown again");
  await page.getByRole("button", { name: "Revoke phone" }).click();
  await page.locator("dialog").getByRole("button", { name: "Revoke" }).click();
  await page.locator(".notice.good", { hasText: "phone is revoked" }).waitFor();
  await page.locator("td:text-is('phone')").waitFor({ state: "detached" });
}

/** All trades as a file. */
export async function files(page) {
  await to(page, "#/trades", ".files");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.equal(file.suggestedFilename(), "lgi-mm.csv");
}
