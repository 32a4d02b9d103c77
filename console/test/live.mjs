// Liquidates a LIVE job through the console: the ticker is typed back after the page has shown what would be sold.
import assert from "node:assert/strict";

import { accessible, enter, server, status, tab, to, walk } from "./kit.mjs";

const page = await tab();
await walk(page, async () => {
  await enter(page);
  await page.locator("td .realm.live:text-is('LIVE')").waitFor();
  await accessible(page, "live-overview");
  await to(page, "#/jobs/1", "h1 .realm.live");
  await status(page, "RUNNING");
  // The browser reports the answer that asks for a confirmation as an error.
  server.away = true;
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
