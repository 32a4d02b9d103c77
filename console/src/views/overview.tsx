import { useMemo, useState } from "preact/hooks";

import { get, type JobLine, type Overview, page } from "../api/client";
import { Loading, need, Nobody, Problems, Realm, Status } from "../parts/common";
import { amount, distance, gain, percent, price, tone, usd } from "../parts/format";
import { useRead } from "../parts/hooks";
import { type Column, type Sort, Table } from "../parts/table";

const all = () => true;
/** Jobs of a page. */
const PAGE = 100;

export function OverviewView() {
  const { data, error } = useRead(() => get<Overview>("/overview"), all, "overview");
  return (
    <>
      <h1 tabIndex={-1}>Overview</h1>
      <Problems error={error} />
      {data ? <Glance overview={data} /> : !error && <Loading />}
      <Jobs now={data?.now ?? new Date().toISOString()} />
    </>
  );
}

function Glance({ overview }: { overview: Overview }) {
  const { totals, attention, attention_jobs: needing, now, dead, statuses } = overview;
  const counts = Object.entries(statuses).map(([status, count]) => `${count} ${status}`);
  return (
    <>
      <Nobody dead={dead} now={now} />
      <div class="totals">
        {totals.map((total) => (
          <section class={`card total ${total.realm}`} aria-label={`All ${total.realm} jobs`} key={total.realm}>
            <h2>
              <Realm realm={total.realm} />
              <span class="faint">
                {total.jobs} {total.jobs === 1 ? "job" : "jobs"}
              </span>
            </h2>
            <p class={`figure ${tone(total.net_usd)}`}>
              {gain(total.net_usd)} <small>USD net of gas</small>
            </p>
            <p class="faint">
              spent {usd(total.spent_usd)} USD, gas {usd(total.gas_usd)} USD
              {total.unknown > 0 && `; the net of ${total.unknown} is not known yet`}
            </p>
          </section>
        ))}
        <section class="card total" aria-label="Whether it works">
          <h2>Now</h2>
          <State dead={dead !== null} needing={needing} />
          <p class="faint">{counts.join(", ") || <a href="#/new">Start a job</a>}</p>
        </section>
      </div>
      {attention.length > 0 && (
        <section class="card needs" aria-labelledby="needs">
          <h2 id="needs">Needs you</h2>
          <ul>
            {attention.map((line) => (
              <li key={line.job}>
                <Realm realm={line.realm} /> <a href={`#/jobs/${line.job}`}>{line.symbol}</a>{" "}
                <span class="faint">
                  job {line.job} on {line.chain}
                </span>{" "}
                <span class="bad">{need(line, now)}</span>
              </li>
            ))}
          </ul>
          {needing > attention.length && <p class="faint">and {needing - attention.length} more</p>}
        </section>
      )}
    </>
  );
}

function State({ dead, needing }: { dead: boolean; needing: number }) {
  if (dead) return <p class="figure bad">Not trading</p>;
  if (needing === 0) return <p class="figure">All well</p>;
  return (
    <p class="figure bad">
      {needing} <small>{needing === 1 ? "job needs you" : "jobs need you"}</small>
    </p>
  );
}

type Sortable = Column<JobLine> & { value: (line: JobLine) => string | number };

const number = (text: string | null) => (text === null ? Number.NEGATIVE_INFINITY : Number(text));
const columns = (now: string): Sortable[] => [
  { name: "job", room: 1, number: true, cell: (line) => line.job, value: (line) => line.job },
  {
    name: "token",
    cell: (line) => <a href={`#/jobs/${line.job}`}>{line.symbol}</a>,
    value: (line) => line.symbol.toLowerCase(),
  },
  { name: "realm", cell: (line) => <Realm realm={line.realm} />, value: (line) => line.realm },
  { name: "chain", room: 0, cell: (line) => line.chain, value: (line) => line.chain },
  { name: "mode", room: 0, cell: (line) => line.mode.toLowerCase(), value: (line) => line.mode },
  { name: "status", cell: (line) => <Status status={line.status} />, value: (line) => line.status },
  { name: "price", room: 1, number: true, cell: (line) => price(line.price_usd), value: (line) => number(line.price_usd) },
  { name: "position", room: 0, number: true, cell: (line) => amount(line.position), value: (line) => number(line.position) },
  { name: "spent", room: 1, number: true, cell: (line) => usd(line.spent_usd), value: (line) => number(line.spent_usd) },
  {
    name: "net",
    number: true,
    cell: (line) => gain(line.net_usd),
    tone: (line) => tone(line.net_usd),
    value: (line) => number(line.net_usd),
  },
  { name: "return", room: 1, number: true, cell: (line) => percent(line.return_pct), value: (line) => number(line.return_pct) },
  {
    name: "reason",
    room: 0,
    cell: (line) => line.last_decision ?? "-",
    value: (line) => line.last_decision ?? "",
  },
  {
    name: "next",
    room: 0,
    cell: (line) => (line.next_slot ? distance(line.next_slot, now) : "-"),
    value: (line) => line.next_slot ?? "~",
  },
];

function Jobs({ now }: { now: string }) {
  const [status, setStatus] = useState("");
  const [realm, setRealm] = useState("");
  const [token, setToken] = useState("");
  const [sort, setSort] = useState<Sort>({ column: 0, down: false });
  // After which job each page that was left goes on.
  const [after, setAfter] = useState<string[]>([]);
  const query = new URLSearchParams({ limit: String(PAGE) });
  const from = after.at(-1);
  for (const [name, value] of Object.entries({ status, realm, token: token.trim(), after: from })) if (value) query.set(name, value);
  const path = `/jobs?${query}`;
  const { data, error } = useRead(() => page<JobLine>(path), all, path);
  const shown = useMemo(() => columns(now), [now]);
  const rows = useMemo(() => sorted(data?.rows ?? [], shown, sort), [data, shown, sort]);
  const next = data?.next ? new URLSearchParams(data.next.split("?")[1]).get("after") : null;
  const choose = (set: (value: string) => void) => (event: Event) => {
    set((event.currentTarget as HTMLInputElement).value);
    setAfter([]);
  };
  return (
    <section aria-labelledby="jobs">
      <div class="bar">
        <h2 id="jobs">Jobs</h2>
        <label>
          Status
          <select value={status} onChange={choose(setStatus)}>
            <option value="">all</option>
            {["RUNNING", "PAUSED", "ERROR", "LIQUIDATING", "IDLE"].map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Money
          <select value={realm} onChange={choose(setRealm)}>
            <option value="">all</option>
            <option value="live">LIVE</option>
            <option value="paper">paper</option>
          </select>
        </label>
        <label>
          Token
          <input type="search" value={token} onChange={choose(setToken)} placeholder="ticker, address, job" />
        </label>
      </div>
      <Problems error={error} />
      {!data && !error && <Loading />}
      {data && (
        <Table
          caption="Table of jobs"
          columns={shown}
          rows={rows}
          id={(line) => line.job}
          kind={(line) => line.realm}
          empty="No jobs."
          sort={sort}
          onSort={setSort}
        />
      )}
      {(after.length > 0 || next) && (
        <div class="bar pager">
          <button type="button" disabled={after.length === 0} onClick={() => setAfter(after.slice(0, -1))}>
            Previous page
          </button>
          <span>Page {after.length + 1}, by number; each page is sorted by itself</span>
          <button type="button" disabled={!next} onClick={() => next && setAfter([...after, next])}>
            Next page
          </button>
        </div>
      )}
    </section>
  );
}

function sorted(rows: JobLine[], shown: Sortable[], { column, down }: Sort): JobLine[] {
  const value = shown[column]?.value;
  if (!value) return rows;
  const order = [...rows].sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    return a < b ? -1 : a > b ? 1 : one.job - other.job;
  });
  return down ? order.reverse() : order;
}
