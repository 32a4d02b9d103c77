import { useState } from "preact/hooks";

import { get, type Run, type Session } from "../api/client";
import { Loading, Problems } from "../parts/common";
import { full, gain, percent, tone } from "../parts/format";
import { useRead } from "../parts/hooks";
import { may, type Order, Outcome, useOrders } from "../parts/order";
import { isOver, RunCard } from "../parts/runs";
import { type Column, Table } from "../parts/table";

const never = () => false;

export function BacktestView({ session }: { session: Session }) {
  const { data, error, again } = useRead(() => get<Run[]>("/backtests"), never, "backtests");
  const [chosen, choose] = useState<Run | null>(null);
  return (
    <>
      <h1 tabIndex={-1}>Backtest</h1>
      <Problems error={error} />
      {may(session.role, "operator") ? (
        <Form started={(run) => (choose(run), again())} />
      ) : (
        <p class="notice warn">An operator or owner starts backtests.</p>
      )}
      {chosen && <RunCard first={chosen} session={session} ended={again} key={chosen.run} />}
      {!data && !error && <Loading />}
      {data && <Runs runs={data} chosen={chosen?.run ?? null} choose={choose} />}
    </>
  );
}

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

type Given = { csv: string | null; file: string; token: string; chain: string; from: string; to: string; step: string };
type Rules = { mode: string; set: string; sweep: string; walk: string };

function Form({ started }: { started: (run: Run) => void }) {
  const [given, setGiven] = useState<Given>({ csv: null, file: "", token: "", chain: "base", from: "", to: "", step: "1h" });
  const [rules, setRules] = useState<Rules>({ mode: "ACCUMULATE", set: "", sweep: "", walk: "" });
  const orders = useOrders(() => undefined);
  const change = (field: keyof Given) => (event: Event) => setGiven({ ...given, [field]: (event.currentTarget as HTMLInputElement).value });
  const rule = (field: keyof Rules) => (event: Event) => setRules({ ...rules, [field]: (event.currentTarget as HTMLInputElement).value });
  const read = async (event: Event) => {
    const file = (event.currentTarget as HTMLInputElement).files?.[0];
    setGiven({ ...given, csv: file ? await file.text() : null, file: file?.name ?? "" });
  };
  const start = () => {
    const { csv, token, chain, from, to, step } = given;
    const history = { token: token.trim(), chain, step, ...(from && { from }), ...(to && { to }) };
    const body = {
      ...(csv === null ? history : { csv, name: given.file }),
      mode: rules.mode,
      set: lines(rules.set),
      sweep: lines(rules.sweep),
      ...(rules.walk && { walk_forward: Number(rules.walk) }),
    };
    const order: Order = {
      label: "Run",
      path: "/backtests",
      body,
      key: crypto.randomUUID(),
      tell: () => "The backtest is started.",
      then: (run: Run) => started(run),
    };
    void orders.act(order);
  };
  return (
    <form
      class="card"
      aria-label="A backtest to run"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      <h2>Prices</h2>
      <div class="bar">
        <label>
          CSV file of prices
          <input type="file" accept=".csv,text/csv" onChange={(event) => void read(event)} />
        </label>
        {given.csv === null && (
          <>
            <label class="wide">
              or a token's address
              <input value={given.token} onInput={change("token")} placeholder="0x…" autocomplete="off" spellcheck={false} />
            </label>
            <label>
              Chain
              <input value={given.chain} onInput={change("chain")} autocomplete="off" spellcheck={false} />
            </label>
            <label>
              From
              <input type="date" value={given.from} onInput={change("from")} />
            </label>
            <label>
              To
              <input type="date" value={given.to} onInput={change("to")} />
            </label>
            <label>
              Candles of
              <select value={given.step} onChange={change("step")}>
                {["1m", "5m", "15m", "1h", "4h", "12h", "1d"].map((step) => (
                  <option key={step}>{step}</option>
                ))}
              </select>
            </label>
          </>
        )}
      </div>
      <h2>Rules</h2>
      <div class="bar">
        <label>
          Mode
          <select value={rules.mode} onChange={rule("mode")}>
            <option value="ACCUMULATE">accumulate</option>
            <option value="LIQUIDITY">liquidity</option>
          </select>
        </label>
        <label class="wide">
          Keys, KEY=VALUE, one on each line
          <textarea rows={3} value={rules.set} onInput={rule("set")} placeholder="accumulate.dca_amount_usd=25" spellcheck={false} />
        </label>
        <label class="wide">
          Ranges to try, KEY=FROM..TO:STEP
          <textarea rows={3} value={rules.sweep} onInput={rule("sweep")} placeholder="accumulate.dip_buy_threshold_pct=5..20:5" spellcheck={false} />
        </label>
        <label>
          Walk-forward parts
          <input type="number" min={2} max={100} value={rules.walk} onInput={rule("walk")} placeholder="none" />
        </label>
      </div>
      <Outcome orders={orders} />
      <div class="bar">
        <button type="submit" class="main" disabled={orders.busy !== null || (given.csv === null && !given.token.trim())}>
          Run
        </button>
        <span class="faint">One runs at a time, on one core, and five of yours may wait. Backtests end with the server; the last 20 are kept until then.</span>
      </div>
    </form>
  );
}

function Runs({ runs, chosen, choose }: { runs: Run[]; chosen: number | null; choose: (run: Run) => void }) {
  const columns: Column<Run>[] = [
    {
      name: "started",
      cell: (run) => (
        <button type="button" class="quiet" aria-pressed={run.run === chosen} onClick={() => choose(run)}>
          {full(run.started_at)}
        </button>
      ),
    },
    {
      name: "state",
      cell: (run) => `${run.state}${!isOver(run) && run.total > 1 ? ` ${run.done} of ${run.total}` : ""}`,
      tone: (run) => (run.state === "failed" ? "bad" : ""),
    },
    { name: "net", number: true, cell: (run) => gain(run.summary?.net_usd), tone: (run) => tone(run.summary?.net_usd) },
    { name: "return", number: true, cell: (run) => percent(run.summary?.return_pct) },
    { name: "largest fall", room: 1, number: true, cell: (run) => percent(run.summary?.drawdown.pct) },
    { name: "trades", room: 1, number: true, cell: (run) => (run.summary ? run.summary.buys + run.summary.sells : "-") },
    { name: "keys", room: 1, cell: (run) => run.set.join(" ") || "defaults", tone: () => "wrap" },
  ];
  return (
    <section aria-labelledby="runs">
      <h2 id="runs">Compare</h2>
      <Table
        caption="Table of backtests"
        columns={columns}
        rows={runs}
        id={(run) => run.run}
        kind={(run) => (run.run === chosen ? "chosen" : "")}
        empty="None was run since the server began."
      />
    </section>
  );
}
