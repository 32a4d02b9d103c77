// Liquidates a LIVE job through the console: the ticker is typed back after the page has shown what would be sold.
import assert from "node:assert/strict";

import { accessible, enter, server, status, tab, to, walk } from "./kit.mjs";

const page = await tab();

/** A limit of a LIVE job is changed once the ticker is typed; its wallet is shown with what the policy allows. */
async function edited() {
  await to(page, "#/jobs/1/edit", "h1 .realm.live");
  await page.getByLabel("Find a key").fill("max_daily_spend");
  await page.locator("#limits-max_daily_spend_usd").fill("77");
  await page.locator(".changes li", { hasText: "limits.max_daily_spend_usd" }).waitFor();
  await page.getByRole("button", { name: "Apply" }).click();
  const asked = page.locator("dialog.live[open]");
  await asked.locator("strong", { hasText: "change job 1 (CLAWDIA, LIVE on local): limits.max_daily_spend_usd" }).waitFor();
  const yes = asked.getByRole("button", { name: "Apply" });
  assert.ok(await yes.isDisabled(), "nothing is typed");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Apply" }).click();
  await asked.getByRole("textbox").fill("CLAWDIA");
  await yes.click();
  await page.locator(".notice.good", { hasText: "LIVE on local): 1 changed" }).waitFor();
  await to(page, "#/wallets", ".wallet.live");
  await page.locator(".fact", { hasText: "policy" }).first().waitFor();
  await accessible(page, "live-wallets");
}
await walk(page, async () => {
  await enter(page);
  await page.locator("td .realm.live:text-is('LIVE')").waitFor();
  await accessible(page, "live-overview");
  await to(page, "#/jobs/1", "h1 .realm.live");
  await status(page, "RUNNING");
  // The browser reports the answer that asks for a confirmation as an error.
  server.away = true;
  await edited();
  await to(page, "#/jobs/1", "h1 .realm.live");
  await page.getByRole("button", { name: "Liquidate…" }).click();
  const dialog = page.locator("dialog.live[open]");
  await dialog.locator("strong", { hasText: "sell with real money: job 1 (CLAWDIA, LIVE on local)" }).waitFor();
  await accessible(page, "live-dialog");
  const sell = dialog.getByRole("button", { name: "Liquidate" });
  assert.ok(await sell.isDisabled(), "nothing is typed");
  await dialog.getByRole("textbox").fill("clawdia");
  assert.ok(await sell.isDisabled(), "something else is typed");
  await dialog.getByRole("textbox").fill("CLAWDIA");
  await sell.click();
  await page.locator(".notice.good", { hasText: "LIVE on local): RUNNING ->" }).waitFor();
});
