// Starts, edits and liquidates a LIVE job through the console: the ticker is typed back after the page has shown what would be
// bought or sold. Who is no owner starts none.
import assert from "node:assert/strict";

import { accessible, enter, server, status, tab, to, visitor, walk } from "./kit.mjs";

const { OPERATOR, TOKEN, VIEWER } = process.env;
const page = await tab();
const dialog = page.locator("dialog.live[open]");

/** A request with the page's own session, around its buttons. */
function asked(page, method, path, body) {
  return page.evaluate(
    async ([method, path, body]) => {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
      headers["X-Lgi-Mm-Console"] = localStorage.getItem("lgi-mm.key");
      const answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
      return { status: answer.status, said: await answer.json() };
    },
    [method, path, body],
  );
}

const jobs = async () => (await asked(page, "GET", "/jobs")).said;

/** Neither sees the choice of real money, nor is a request around the page carried out. */
async function others() {
  const live = { token: TOKEN, chain: "local", mode: "ACCUMULATE", live: true };
  for (const link of [VIEWER, OPERATOR]) {
    const theirs = await visitor(link);
    await to(theirs, "#/new", "main .notice");
    await theirs.locator(".notice", { hasText: "Only an owner starts jobs." }).waitFor();
    assert.equal(await theirs.locator("main form, main select, main button").count(), 0);
    await accessible(theirs, "live-no-owner");
    const { status, said } = await asked(theirs, "POST", "/jobs", live);
    assert.equal(status, 403);
    assert.match(said.detail, /has the role (viewer|operator), and this needs owner/);
    await theirs.context().close();
  }
  assert.deepEqual(await jobs(), []);
}

/** Rules of a LIVE job that is priced on its chain, in the form. */
async function described() {
  await to(page, "#/new", "#token");
  await page.getByLabel("Address, or the ticker").fill(TOKEN);
  await page.getByLabel("Chain", { exact: true }).fill("local");
  await page.getByRole("button", { name: "Look it up" }).click();
  await page.getByLabel("Ticker", { exact: true }).fill("OTHER");
  await page.getByRole("combobox", { name: "Money" }).selectOption("live");
  await page.locator("section.live .notice.bad", { hasText: "This job would trade with real money." }).waitFor();
  assert.equal(await page.getByLabel("Ticker", { exact: true }).count(), 0, "the contract names a live token");
  await page.locator("#accumulate-dca_amount_usd").fill("21");
  await page.getByLabel("Find a key").fill("price.s");
  await page.locator("#price-sources").fill('["onchain"]');
  await page.locator("#price-single_source").fill("true");
}

/** The page shows what may be spent; nothing happens without the right word, nor with a confirmation of something else. */
async function started() {
  await described();
  const spends = "buys 21 USD every 4h, more in a dip, until the position costs";
  await page.locator(".difference p", { hasText: `CLAWDIA on local, paid with` }).filter({ hasText: spends }).waitFor();
  await accessible(page, "live-new");
  const start = page.getByRole("button", { name: "Start LIVE…" });
  await start.click();
  const proposed = dialog.locator("strong", { hasText: "trade with real money: LIVE on local, wallet 0x9d8A62f6" });
  await proposed.waitFor();
  const would = await proposed.innerText();
  assert.ok(would.includes(`CLAWDIA (${TOKEN})`) && would.includes(spends) && / USD a day/.test(would), would);
  await accessible(page, "live-start");
  const yes = dialog.getByRole("button", { name: "Start LIVE" });
  assert.ok(await yes.isDisabled(), "nothing is typed");
  for (const wrong of ["clawdia", "OTHER", "LIVE"]) {
    await dialog.getByRole("textbox").fill(wrong);
    await page.keyboard.press("Enter");
    assert.ok(await yes.isDisabled(), `${wrong} is typed`);
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(await jobs(), [], "nothing was confirmed");

  await page.route("**/api/v1/jobs", (route) => {
    const body = route.request().postDataJSON();
    return route.continue(body?.confirm ? { postData: JSON.stringify({ ...body, confirm: "0".repeat(64) }) } : {});
  });
  await start.click();
  await dialog.getByRole("textbox").fill("CLAWDIA");
  const refused = page.waitForResponse((answer) => answer.request().postDataJSON()?.confirm !== undefined);
  await yes.click();
  assert.equal((await refused).status(), 428);
  await proposed.waitFor();
  assert.deepEqual(await jobs(), [], "something else was confirmed");
  await page.unroute("**/api/v1/jobs");

  assert.equal(await dialog.getByRole("textbox").inputValue(), "", "it is typed anew");
  await dialog.getByRole("textbox").fill("CLAWDIA");
  await yes.click();
  await page.locator(".notice.good", { hasText: "job 1 (CLAWDIA, LIVE on local): started" }).waitFor();
  await page.getByRole("link", { name: "Open job 1" }).click();
  await page.locator("h1 .realm.live").waitFor();
  await status(page, "RUNNING");
  assert.equal((await jobs()).length, 1);
}

/** A limit of a LIVE job is changed once the ticker is typed; its wallet is shown with what the policy allows. */
async function edited() {
  await to(page, "#/jobs/1/edit", "h1 .realm.live");
  await page.getByLabel("Find a key").fill("max_daily_spend");
  await page.locator("#limits-max_daily_spend_usd").fill("77");
  await page.locator(".changes li", { hasText: "limits.max_daily_spend_usd" }).waitFor();
  await page.getByRole("button", { name: "Apply" }).click();
  await dialog.locator("strong", { hasText: "change job 1 (CLAWDIA, LIVE on local): limits.max_daily_spend_usd" }).waitFor();
  const yes = dialog.getByRole("button", { name: "Apply" });
  assert.ok(await yes.isDisabled(), "nothing is typed");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Apply" }).click();
  await dialog.getByRole("textbox").fill("CLAWDIA");
  await yes.click();
  await page.locator(".notice.good", { hasText: "LIVE on local): 1 changed" }).waitFor();
  await to(page, "#/wallets", ".wallet.live");
  await page.locator(".fact", { hasText: "policy" }).first().waitFor();
  await accessible(page, "live-wallets");
}

await walk(page, async () => {
  await enter(page);
  // The browser reports a refusal, and the answer that asks for a confirmation, as an error.
  server.refuses = true;
  await others();
  await started();
  await to(page, "#/", "td .realm.live:text-is('LIVE')");
  await accessible(page, "live-overview");
  await to(page, "#/jobs/1", "h1 .realm.live");
  await edited();
  await to(page, "#/jobs/1", "h1 .realm.live");
  await page.getByRole("button", { name: "Liquidate…" }).click();
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
