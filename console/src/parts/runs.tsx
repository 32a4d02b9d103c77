import { useEffect, useState } from "preact/hooks";

import { get, type Run, type Session, save, type Swept, text } from "../api/client";
import { Fact, Problems } from "./common";
import { full, gain, percent, tone, usd } from "./format";
import { may, Outcome, useOrders } from "./order";
import { type Column, Table } from "./table";

/** Between two looks at a run that is not over, ms. */
const EVERY = 700;
/** Configurations of a sweep that are listed. */
const LISTED = 25;

export const isOver = (run: Run) => ["done", "failed", "cancelled"].includes(run.state);

/** A run, looked at until it is over. */
export function useRun(first: Run | null): { run: Run | null; error: string | null } {
  const [seen, see] = useState<{ run: Run | null; error: string | null }>({ run: first, error: null });
  useEffect(() => {
    see({ run: first, error: null });
    if (!first || isOver(first)) return;
    let over = false;
    const look = async () => {
      while (!over) {
        await new Promise((done) => setTimeout(done, EVERY));
        try {
          const run = await get<Run>(`/backtests/${first.run}`);
          if (over) return;
          see({ run, error: null });
          if (isOver(run)) return;
        } catch (error) {
          if (!over) see((before) => ({ ...before, error: error instanceof Error ? error.message : String(error) }));
        }
      }
    };
    void look();
    return () => void (over = true);
  }, [first?.run]);
  return seen;
}

/** How far it is, what came of it, and for an operator the button that ends it. */
export function RunCard({ first, session, ended }: { first: Run; session: Session; ended?: () => void }) {
  const { run, error } = useRun(first);
  const orders = useOrders(() => undefined);
  const over = run !== null && isOver(run);
  useEffect(() => {
    if (over) ended?.();
  }, [over]);
  if (!run) return null;
  return (
    <section class="card" aria-label={`Backtest ${run.run}`}>
      <div role="status">
        <Progress run={run} />
      </div>
      {!over && may(session.role, "operator") && (
        <div class="bar">
          <button
            type="button"
            disabled={orders.busy !== null}
            onClick={() =>
              void orders.act({
                label: "Cancel",
                path: `/backtests/${run.run}`,
                body: {},
                key: crypto.randomUUID(),
                manner: { method: "DELETE" },
                tell: () => "The backtest is cancelled.",
              })
            }
          >
            Cancel
          </button>
        </div>
      )}
      <Outcome orders={orders} />
      {error && <p class="notice warn">{error}</p>}
      {run.error && <p class="notice bad lines">{run.error}</p>}
      {run.summary && <Result run={run} />}
    </section>
  );
}

function Progress({ run }: { run: Run }) {
  if (run.state === "waiting") return <p class="faint">Another backtest runs; this one waits.</p>;
  if (run.state === "fetching") {
    return <p class="faint">Prices are fetched{run.fetched_to && `, back to ${full(run.fetched_to)}`}. Pages come every few seconds.</p>;
  }
  if (run.state === "running") {
    return (
      <p class="faint">
        {run.total > 1 ? `${run.done} of ${run.total} configurations` : "It runs"}{" "}
        <progress max={run.total} value={run.total > 1 ? run.done : undefined} aria-label="Configurations that were run" />
      </p>
    );
  }
  if (run.state === "cancelled") return <p class="faint">This backtest was cancelled.</p>;
  return <p class="hidden">The backtest is {run.state}.</p>;
}

const PLANS: Record<string, string> = { lump_sum: "a lump sum", equal_dca: "equal buys", dca: "equal buys", hold: "held at the target" };

function Result({ run }: { run: Run }) {
  const summary = run.summary;
  if (!summary) return null;
  const rate = summary.money_weighted_pct;
  return (
    <>
      <p class={`figure ${tone(summary.net_usd)}`}>
        {gain(summary.net_usd)} <small>USD net of gas{run.swept ? ", the best configuration" : ""}</small>
      </p>
      <dl>
        <Fact name="return">
          {percent(summary.return_pct)} of {usd(summary.money_in_usd)} USD
          {rate !== null && `; ${rate.toFixed(1)} % a year, weighted by money`}
        </Fact>
        <Fact name="trades">
          {summary.buys} buys, {summary.sells} sells; gas {usd(summary.gas_usd)} USD, fees {usd(summary.fees_usd)} USD
        </Fact>
        <Fact name="largest fall">
          {usd(summary.drawdown.usd)} USD, {percent(summary.drawdown.pct)}
        </Fact>
        {run.comparisons.map((one) => (
          <Fact name={PLANS[String(one.plan)] ?? String(one.plan).replaceAll("_", " ")} key={String(one.plan)}>
            <span class={tone(one.summary.net_usd)}>{gain(one.summary.net_usd)}</span> USD, {percent(one.summary.return_pct)}
          </Fact>
        ))}
        {run.basket && (
          <Fact name="kept instead">
            <span class={tone(run.basket.kept.net_usd)}>{gain(run.basket.kept.net_usd)}</span> USD, {percent(run.basket.kept.return_pct)}
          </Fact>
        )}
        {run.series && (
          <Fact name="prices">
            {run.series.rows} from {full(run.series.first)} to {full(run.series.last)}
            {run.series.invented && <span class="bad">; INVENTED</span>}
          </Fact>
        )}
      </dl>
      {warnings(run).map((line) => (
        <p class="notice warn" key={line}>
          {line}
        </p>
      ))}
      {run.basket && <Members members={run.basket.members} />}
      {run.swept && <Sweep swept={run.swept as Swept} />}
      <Report run={run} />
    </>
  );
}

type Member = NonNullable<Run["basket"]>["members"][number];

const nameOf = (member: Member) => member.setup.symbol ?? member.series.name;

function warnings(run: Run): string[] {
  const members = run.basket?.members ?? [];
  const theirs = members.flatMap((member) => member.series.warnings.map((line) => `${nameOf(member)}: ${String(line)}`));
  return [...(run.series?.warnings.map(String) ?? []), ...theirs];
}

function Members({ members }: { members: Member[] }) {
  const columns: Column<Member>[] = [
    { name: "member", cell: nameOf },
    { name: "net", number: true, cell: ({ summary }) => gain(summary.net_usd), tone: ({ summary }) => tone(summary.net_usd) },
    { name: "return", number: true, cell: ({ summary }) => percent(summary.return_pct) },
    { name: "money in", room: 1, number: true, cell: ({ summary }) => usd(summary.money_in_usd) },
    { name: "trades", room: 1, number: true, cell: ({ summary }) => summary.buys + summary.sells },
  ];
  return (
    <>
      <h3>
        Members <small>what one gave to another counts for both</small>
      </h3>
      <Table caption="Table of members" columns={columns} rows={members} id={nameOf} empty="None." />
    </>
  );
}

type Configuration = Swept["configurations"][number];

function Sweep({ swept }: { swept: Swept }) {
  const ahead = swept.walk_forward;
  const columns: Column<Configuration>[] = [
    ...swept.keys.map((key, index) => ({ name: key.split(".").pop() ?? key, cell: (line: Configuration) => line.values[index] })),
    { name: "net", number: true, cell: (line) => gain(line.net_usd), tone: (line) => tone(line.net_usd) },
    { name: "return", number: true, cell: (line) => percent(line.return_pct) },
    { name: "largest fall", room: 1, number: true, cell: (line) => percent(line.drawdown_pct) },
    { name: "trades", room: 1, number: true, cell: (line) => line.buys + line.sells },
  ];
  return (
    <>
      {swept.warnings.map((line) => (
        <p class="notice warn" key={line}>
          {line}
        </p>
      ))}
      <h3>
        Configurations <small>best first{swept.configurations.length >= LISTED && `, the best ${LISTED}`}</small>
      </h3>
      <Table
        caption="Table of configurations"
        columns={columns}
        rows={swept.configurations.slice(0, LISTED)}
        id={(line) => line.values.join()}
        empty="None."
      />
      {ahead && (
        <ul class="plain">
          {ahead.steps.map((step, index) => (
            <li key={index}>
              The best of part {index + 1} ({step.chosen.values.join(", ")}) was number {step.rank} of {step.of} on part {index + 2}: {gain(step.out_of_sample.net_usd)} USD
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

/** The report, in a frame that has no part in the session: this page asks for it, and hands it over. */
function Report({ run }: { run: Run }) {
  const [report, setReport] = useState<string | null>(null);
  const [error, setError] = useState<string | null>(null);
  const path = `/backtests/${run.run}/report`;
  const attempt = (work: () => Promise<void>) => () => {
    setError(null);
    work().catch((failed: unknown) => setError(failed instanceof Error ? failed.message : String(failed)));
  };
  const toggle = attempt(async () => setReport(report === null ? await text(path) : null));
  const file = attempt(() => save(path, `lgi-mm-backtest-${run.run}.html`));
  return (
    <>
      <div class="bar">
        <button type="button" aria-expanded={report !== null} onClick={toggle}>
          {report === null ? "Show the report" : "Hide the report"}
        </button>
        <button type="button" onClick={file}>
          Save the report
        </button>
      </div>
      <Problems error={error} />
      {report !== null && (
        <iframe
          class="report"
          src="/console/report"
          title={`Report of backtest ${run.run}`}
          sandbox="allow-scripts"
          // The frame has no origin that could be named.
          onLoad={(event) => event.currentTarget.contentWindow?.postMessage(report, "*")}
        />
      )}
    </>
  );
}
