import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";

import { get, type Job, type LogLine, type Prices, type Session, type Trade } from "../api/client";
import { Actions } from "../parts/actions";
import { Chart } from "../parts/chart";
import { Fact, Loading, Nobody, Problems, Realm, Status } from "../parts/common";
import { amount, full, gain, near, percent, price, tone, usd } from "../parts/format";
import { useRead } from "../parts/hooks";
import { TradeTable } from "../parts/trades";

type Whole = { job: Job; prices: Prices; trades: Trade[]; logs: LogLine[] };
const RANGES = ["1h", "1d", "7d", "30d", "365d"];
/** Marks in the chart at most. */
const TRADES = 500;
const LOGS = 60;
const LISTED = 20;

async function read(job: number, over: string): Promise<Whole> {
  const [status, prices, trades, logs] = await Promise.all([
    get<Job>(`/jobs/job:${job}`),
    get<Prices>(`/jobs/job:${job}/prices?over=${over}`),
    get<Trade[]>(`/trades?job=${job}&limit=${TRADES}`),
    get<LogLine[]>(`/logs?job=%23${job}&since=30d&limit=${LOGS}`),
  ]);
  return { job: status, prices, trades, logs: logs.reverse() };
}

export function JobView({ job: number, session }: { job: number; session: Session }) {
  const [over, setOver] = useState("1d");
  const concerns = (job: number | null) => job === null || job === number;
  const { data, error, again } = useRead(() => read(number, over), concerns, `${number} ${over}`);
  const [last, setLast] = useState<Whole | null>(null);
  if (data && data !== last) setLast(data);
  const shown = data ?? last;
  if (!shown) {
    return (
      <>
        <h1 tabIndex={-1}>Job {number}</h1>
        {error ? <Problems error={error} /> : <Loading />}
      </>
    );
  }
  const { job, prices, trades, logs } = shown;
  return (
    <>
      <div class={`heading ${job.realm}`}>
        <h1 tabIndex={-1}>
          {job.symbol} <Realm realm={job.realm} /> <Status status={job.status} />
        </h1>
        <p class="faint">
          job {job.job} on {job.chain}, {job.mode.toLowerCase()}, <code>{job.token}</code>
          {job.archived_at && ", removed"}
        </p>
      </div>
      <Nobody dead={job.dead} now={job.now} />
      <Problems error={error} />
      <Actions job={job} session={session} done={again} />
      <section class="card" aria-labelledby="price">
        <div class="bar">
          <h2 id="price">
            {price(job.price_usd)} <small>USD{job.price_sources[0] === "generated" ? ", generated" : ""}</small>
          </h2>
          <div class="ranges" role="group" aria-label="How far back">
            {RANGES.map((range) => (
              <button type="button" key={range} aria-pressed={range === over} onClick={() => setOver(range)}>
                {range}
              </button>
            ))}
          </div>
        </div>
        {prices.points.length > 1 ? (
          <Chart job={job} prices={prices} trades={trades} />
        ) : (
          <p class="faint">Fewer than two prices are kept of this time.</p>
        )}
      </section>
      <div class="columns">
        <Answer job={job} />
        <Figures job={job} />
      </div>
      <section aria-labelledby="trades">
        <h2 id="trades">Trades</h2>
        <TradeTable trades={trades.slice(0, LISTED)} job />
      </section>
      <section aria-labelledby="logs">
        <h2 id="logs">What happened</h2>
        <Logs logs={logs} zone={job.timezone} />
      </section>
    </>
  );
}

/** Why it does not buy, when it looks again, and at which prices. */
function Answer({ job }: { job: Job }) {
  const { next, timezone: zone, now } = job;
  const at = (time: string | null | undefined) => near(time, zone, now);
  const facts: [string, ComponentChildren][] = [];
  if (job.next_slot) facts.push(["next slot", at(job.next_slot)]);
  if (next.slice) facts.push(["next slice", at(next.slice)]);
  if (next.dca) facts.push(["next DCA", at(next.dca)]);
  if (next.dip_buy) {
    const { at_or_below_usd: below, high_usd: high, seen_once: once } = next.dip_buy;
    facts.push(["dip buy", `at ${price(below)} or below, in ${once ? "the next slot too" : "two slots in a row"}; the high is ${price(high)}`]);
  }
  for (const stop of next.stops) {
    facts.push(["stop", `${stop.armed ? "sells" : "buys nothing"} at ${price(stop.at_or_below_usd)} or below`]);
  }
  if (next.trailing_arms_at_usd) facts.push(["trailing stop", `armed at ${price(next.trailing_arms_at_usd)} or above`]);
  if (next.take_profit) {
    const { trails, at_or_above_usd: above } = next.take_profit;
    facts.push(["take profit", trails ? `at ${price(trails.at_or_below_usd)} or below` : `at ${price(above)} or above`]);
  }
  if (next.spread) facts.push(["spread", `buys below ${price(next.spread.buys_below_usd)}, sells above ${price(next.spread.sells_above_usd)}`]);
  if (next.order?.at_usd) facts.push(["order", `${next.order.side} at ${price(next.order.at_usd)}`]);
  if (next.coverage) facts.push(["average", `its samples cover ${percent(next.coverage.covered_pct)} of ${percent(next.coverage.needed_pct)}`]);
  if (job.open_trade) facts.push(["open trade", `${job.open_trade.trade} ${job.open_trade.reason} ${job.open_trade.status}`]);
  const troubles: [string, string][] = [];
  if (job.signer_halted) troubles.push(["SIGNER HALTED", job.signer_halted]);
  if (job.unsellable) troubles.push(["UNSELLABLE", job.unsellable.detail]);
  if (job.warning) troubles.push(["WARNING", job.warning]);
  if (job.failures_in_row > 0) troubles.push(["FAILURES", `${job.failures_in_row} in a row: ${job.last_error ?? "no error was kept"}`]);
  return (
    <section class="card" aria-labelledby="why">
      <h2 id="why">Why not buying</h2>
      <p class="why">{job.why}</p>
      <dl>
        {troubles.map(([name, text]) => (
          <Fact name={name} key={name}>
            <span class="bad">{text}</span>
          </Fact>
        ))}
        {facts.map(([name, text], index) => (
          <Fact name={name} key={`${name}${index}`}>
            {text}
          </Fact>
        ))}
      </dl>
    </section>
  );
}

function Figures({ job }: { job: Job }) {
  const returned = job.return_pct ? `, return ${percent(job.return_pct)}` : "";
  return (
    <section class="card" aria-labelledby="figures">
      <h2 id="figures">Position</h2>
      <p class={`figure ${tone(job.net_usd)}`}>
        {gain(job.net_usd)} <small>USD net of gas</small>
      </p>
      <dl>
        <Fact name="made of">
          realised {usd(job.realized_usd)} + unrealised {usd(job.unrealized_usd)} - gas {usd(job.gas_usd)}
        </Fact>
        <Fact name="position">
          {amount(job.position)} {job.symbol}, cost {usd(job.cost_basis_usd)} USD, average {price(job.average_cost_usd)}
        </Fact>
        {job.mode === "LIQUIDITY" && (
          <Fact name="owned quote">
            {amount(job.quote_balance)} {job.quote}
          </Fact>
        )}
        <Fact name="spent">{usd(job.spent_usd)} USD in this cycle</Fact>
        <Fact name="money in">
          {usd(job.money_in_usd)} USD{returned}
        </Fact>
        {job.next.daily_limits.map((limit) => (
          <Fact name="daily limit" key={limit.key}>
            <Budget used={limit.used_usd} most={limit.most_usd} name={limit.key} />
          </Fact>
        ))}
        <Fact name="wallet">
          <code>{job.wallet}</code> pays with {job.quote}
        </Fact>
        <Fact name="cycle">
          {job.cycle}, started {full(job.started_at, job.timezone)}
        </Fact>
        <Fact name="slots">
          {job.slots_claimed} claimed, {job.slots_recorded} decided, {job.slots_missed} missed
        </Fact>
      </dl>
    </section>
  );
}

function Budget({ used, most, name }: { used: string; most: string; name: string }) {
  return (
    <>
      {usd(used)} of {usd(most)} USD used (<code>{name}</code>)
      <meter min={0} max={Number(most)} high={Number(most) * 0.9} optimum={0} value={Number(used)} aria-label={`${name}: used today`} />
    </>
  );
}

/** The first figures of a line, without what only a program wants. */
function words(line: LogLine): string {
  const fields = line.fields as Record<string, unknown>;
  const text = (name: string) => (typeof fields[name] === "string" || typeof fields[name] === "number" ? String(fields[name]) : null);
  const said: (string | null | false)[] = [line.detail];
  if (line.kind === "end") {
    said.push(`trade ${text("trade")} ${text("reason")} ${text("side")}`, text("quote_usd") && `${usd(text("quote_usd"))} USD`);
  }
  said.push(text("price_usd") && `at ${price(text("price_usd"))}`, !line.detail && text("actor") && `by ${text("actor")}`, text("error"));
  const slots = Number(text("slots") ?? 1);
  if (slots > 1) said.push(`${slots} slots`);
  return said.filter(Boolean).join(", ");
}

function Logs({ logs, zone }: { logs: LogLine[]; zone: string }) {
  const lines = useMemo(() => logs.map((line) => ({ line, text: words(line) })), [logs]);
  if (logs.length === 0) return <p class="faint">Nothing in the last 30 days.</p>;
  return (
    <ol class="logs" tabIndex={0} aria-label="What happened, newest first">
      {lines.map(({ line, text }) => (
        <li key={`${line.kind}${line.id}`}>
          <time dateTime={line.at}>{full(line.at, zone)}</time>
          <span class={`kind ${line.kind}`}>{line.kind}</span>
          <span>
            <strong>{line.name}</strong> <span class="faint">{text}</span>
          </span>
        </li>
      ))}
    </ol>
  );
}
