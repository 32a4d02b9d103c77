import { useEffect, useState } from "preact/hooks";

import { type Found, get, type KeyLine, question, type Run, type Session, type Started, type WouldStart } from "../api/client";
import { Problems, Realm } from "../parts/common";
import { assignments, flat, Keys, type Values } from "../parts/config";
import { CostsLine } from "../parts/costs";
import { amount, price, usd } from "../parts/format";
import { useChecked } from "../parts/hooks";
import { may, type Order, Outcome, Question, useOrders } from "../parts/order";
import { RunCard } from "../parts/runs";

/** Wait after a key stroke before the server is asked, ms. */
const PAUSE = 500;

export function NewView({ session }: { session: Session }) {
  const [found, setFound] = useState<Found | null>(null);
  if (!may(session.role, "owner")) {
    return (
      <>
        <h1 tabIndex={-1}>New job</h1>
        <p class="notice warn">Only an owner starts jobs.</p>
      </>
    );
  }
  return (
    <>
      <h1 tabIndex={-1}>New job</h1>
      <Token found={setFound} />
      {found && <Rules found={found} session={session} key={`${found.chain} ${found.token}`} />}
    </>
  );
}

/** The token: by address or name. */
function Token({ found: use }: { found: (found: Found | null) => void }) {
  const [token, setToken] = useState("");
  const [chain, setChain] = useState("base");
  const [error, setError] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<Found | null>(null);
  const look = async () => {
    setBusy(true);
    setError(null);
    try {
      const answer = await question<Found>("/look", { token: token.trim(), chain: chain.trim() });
      setFound(answer);
      use(answer);
    } catch (problem) {
      setFound(null);
      use(null);
      setError(problem instanceof Error ? problem.message : String(problem));
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="token">
      <h2 id="token">1. Token</h2>
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          void look();
        }}
      >
        <label class="wide">
          Address, or the ticker of a token you have traded
          <input value={token} autocomplete="off" spellcheck={false} placeholder="0x…" onInput={(event) => setToken(event.currentTarget.value)} />
        </label>
        <label>
          Chain
          <input value={chain} autocomplete="off" spellcheck={false} onInput={(event) => setChain(event.currentTarget.value)} />
        </label>
        <button type="submit" class="main" disabled={busy || !token.trim()}>
          Look it up
        </button>
      </form>
      <div role="status">{busy && <p class="faint">Looking…</p>}</div>
      <Problems error={error} />
      {found && <Known found={found} />}
    </section>
  );
}

function Known({ found }: { found: Found }) {
  return (
    <>
      <p>
        <strong>{found.symbol ?? "No ticker"}</strong>
        {found.name && `, ${found.name}`}: <code>{found.token}</code> on {found.chain}, {found.decimals} decimals
        {found.price_usd && `, ${price(found.price_usd)} USD`}
      </p>
      {found.pools.length > 0 && (
        <ul class="plain">
          {found.pools.map((pool) => (
            <li key={pool.id}>
              {amount(pool.depth_usd)} USD deep: {pool.name} on {pool.dex} <code>{pool.id}</code>
            </li>
          ))}
        </ul>
      )}
      <CostsLine costs={found.costs} />
      {found.remarks.map((line) => (
        <p class="faint" key={line}>
          {line}
        </p>
      ))}
    </>
  );
}

function Rules({ found, session }: { found: Found; session: Session }) {
  const [mode, setMode] = useState("ACCUMULATE");
  const [live, setLive] = useState(false);
  const [symbol, setSymbol] = useState(found.symbol ?? "");
  const [keys, setKeys] = useState<KeyLine[]>([]);
  const [edits, setEdits] = useState<Values>({});
  useEffect(() => void get<KeyLine[]>("/config/keys").then(setKeys, () => undefined), []);
  const set = assignments(edits, {});
  // A live token is named by its contract.
  const named = live ? {} : { decimals: found.decimals, ...(symbol.trim() && { symbol: symbol.trim() }) };
  const body = { token: found.token, chain: found.chain, mode, live, set, ...named };
  const check = (asked: string) => question<WouldStart>("/jobs/check", JSON.parse(asked) as object);
  const { answer: would, error, current } = useChecked(JSON.stringify(body), check, PAUSE);
  // What is not typed is the server's own default.
  const defaults: Values = { ...flat(would?.config) };
  for (const key of Object.keys(edits)) delete defaults[key];
  const values = { ...defaults, ...edits };
  const typed = (next: Values) => {
    const changed = Object.entries(next).filter(([key, value]) => key in edits || value !== (defaults[key] ?? ""));
    setEdits(Object.fromEntries(changed));
  };
  return (
    <>
      <section class={`card ${live ? "wallet live" : ""}`} aria-labelledby="rules">
        <h2 id="rules">2. Rules and money</h2>
        <div class="bar">
          <label>
            Mode
            <select value={mode} onChange={(event) => (setMode(event.currentTarget.value), setEdits({}))}>
              <option value="ACCUMULATE">accumulate</option>
              <option value="LIQUIDITY">liquidity</option>
            </select>
          </label>
          <label>
            Money
            <select value={live ? "live" : "paper"} onChange={(event) => setLive(event.currentTarget.value === "live")}>
              <option value="paper">paper</option>
              <option value="live">LIVE</option>
            </select>
          </label>
          {!live && (
            <label>
              Ticker
              <input value={symbol} autocomplete="off" spellcheck={false} onInput={(event) => setSymbol(event.currentTarget.value)} />
            </label>
          )}
          <Realm realm={live ? "live" : "paper"} />
        </div>
        {live && <p class="notice bad">This job would trade with real money. Nothing is started before you confirm what the server proposes.</p>}
      </section>
      <Keys keys={keys} mode={mode} base={defaults} values={values} set={typed} error={error} />
      <Begin body={body} would={would} error={error} current={current} found={found} live={live} session={session} />
    </>
  );
}

type Beginning = { body: { set: string[]; mode: string }; would: WouldStart | null; error: string | null; current: boolean; found: Found; live: boolean; session: Session };

/** What it would do; a backtest of it; its start. */
function Begin({ body, would, error, current, found, live, session }: Beginning) {
  // Nothing is started before it is shown what that would do.
  const checked = current && error === null && would !== null;
  const orders = useOrders(() => undefined);
  const tried = useOrders(() => undefined);
  const [job, setJob] = useState<Started | null>(null);
  const [run, setRun] = useState<Run | null>(null);
  const start = () => {
    const order: Order = {
      label: live ? "Start LIVE" : "Start on paper",
      path: "/jobs",
      body,
      key: crypto.randomUUID(),
      tell: (started: Started) => `job ${started.job} (${started.symbol}, ${started.realm === "live" ? "LIVE" : "paper"} on ${started.chain}): ${started.what}`,
      then: setJob,
    };
    void orders.act(order);
  };
  const backtest = () => {
    const { set, mode } = body;
    const symbol = would?.symbol ?? found.symbol;
    const order: Order = {
      label: "Backtest",
      path: "/backtests",
      body: { token: found.token, chain: found.chain, mode, set, decimals: found.decimals, ...(symbol && { symbol }) },
      key: crypto.randomUUID(),
      tell: () => "The backtest is started.",
      then: setRun,
    };
    void tried.act(order);
  };
  return (
    <section class={`card difference ${live ? "wallet live" : ""}`} aria-labelledby="begin">
      <h2 id="begin">3. Try it, then start it</h2>
      <div aria-live="polite">
        {error ? (
          <p class="notice bad lines">{error}</p>
        ) : would ? (
          <>
            <p>
              <Realm realm={would.realm} /> <strong>{would.symbol}</strong> on {would.chain}, paid with {would.quote}: {would.spends}.
              {would.job !== null && would.job !== undefined && ` It is job ${would.job}: ${would.does ?? "its status does not allow it"}.`}
            </p>
            {would.costs && (
              <p class="faint">
                A buy of {usd(would.costs.amount_usd)} USD and a sale right after it cost {usd(would.costs.round_trip_usd)} USD.
              </p>
            )}
            <details>
              <summary class="faint">What is assumed ({would.assumed.length})</summary>
              <ul class="plain faint">
                {would.assumed.map((line) => (
                  <li key={line}>{line}</li>
                ))}
              </ul>
            </details>
          </>
        ) : (
          <p class="faint">Checking…</p>
        )}
      </div>
      {run && <RunCard first={run} session={session} key={run.run} />}
      <Outcome orders={tried} />
      <Outcome orders={orders} />
      <div class="bar">
        <button type="button" disabled={!checked || tried.busy !== null} onClick={backtest}>
          Backtest these rules
        </button>
        <button type="button" class={live ? "danger" : "main"} disabled={!checked || orders.busy !== null} onClick={start}>
          {live ? "Start LIVE…" : "Start on paper"}
        </button>
        {job && <a href={`#/jobs/${job.job}`}>Open job {job.job}</a>}
      </div>
      <Question orders={orders} live={live} word={would?.symbol ?? "LIVE"} title="Start the job?" />
    </section>
  );
}
