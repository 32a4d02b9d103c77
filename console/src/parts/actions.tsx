import { useEffect, useRef, useState } from "preact/hooks";

import { type Changed, type Job, Problem, type Session, type Ticked, write } from "../api/client";

/** A write, under one key from its first request to its confirmation. */
type Order = { label: string; path: string; body: object; key: string; tell: (answer: unknown) => string };
/** What is to be confirmed, and with which digest. */
type Asked = { order: Order; would: string; shown: readonly string[]; confirm: string | undefined };
type Said = { text: string; bad: boolean } | null;

const RANK = { viewer: 0, operator: 1, owner: 2 } as const;
const rank = (role: string) => RANK[role as keyof typeof RANK] ?? 0;

/** `job 4 (TOSHI, paper on base)` */
function named(job: { job: number; symbol: string; realm: string; chain: string }): string {
  return `job ${job.job} (${job.symbol}, ${job.realm === "live" ? "LIVE" : "paper"} on ${job.chain})`;
}

/** `job 4 (TOSHI, paper on base): RUNNING -> PAUSED` */
function told(changed: Changed): string {
  const what = changed.changed ? `${changed.before} -> ${changed.after}` : `${changed.before} already`;
  return `${named(changed)}: ${what}${changed.note ? ` (${changed.note})` : ""}`;
}

/** `job 4 (TOSHI, paper on base): trade 7 is not final yet` */
function evaluated(ticked: Ticked): string {
  if (ticked.trade) return `${named(ticked)}: trade ${ticked.trade}${ticked.is_final ? "" : " is not final yet"}`;
  return `${named(ticked)}: ${ticked.decision}${ticked.explanation ? `: ${ticked.explanation}` : ""}`;
}

/** Pause, resume, tick and liquidate, as far as the session's role goes. */
export function Actions({ job, session, done }: { job: Job; session: Session; done: () => void }) {
  const [busy, setBusy] = useState<string | null>(null);
  const [said, setSaid] = useState<Said>(null);
  const [asked, ask] = useState<Asked | null>(null);
  const path = `/jobs/job:${job.job}`;
  const act = async (order: Order, confirm?: string) => {
    setBusy(order.label);
    setSaid(null);
    try {
      const body = confirm ? { ...order.body, confirm } : order.body;
      setSaid({ text: order.tell(await write<unknown>(order.path, body, order.key)), bad: false });
    } catch (error) {
      if (error instanceof Problem && error.confirm && error.would) {
        ask({ order, would: error.would, shown: error.shown, confirm: error.confirm });
      } else {
        setSaid({ text: error instanceof Error ? error.message : String(error), bad: true });
      }
    }
    setBusy(null);
    done();
  };
  const order = (label: string, tell: (answer: unknown) => string = (answer) => told(answer as Changed)): Order => ({
    label,
    path: `${path}/${label.toLowerCase()}`,
    body: {},
    key: crypto.randomUUID(),
    tell,
  });
  const liquidate = () => {
    // What moves real money is described by the server first.
    if (job.realm === "live") return void act(order("Liquidate"));
    const would = `sell all that job ${job.job} (${job.symbol}, paper on ${job.chain}) holds, then make it idle`;
    ask({ order: order("Liquidate"), would, shown: [], confirm: undefined });
  };
  const stopped = job.status === "PAUSED" || job.status === "ERROR";
  const works = job.status === "RUNNING" || job.status === "LIQUIDATING";
  const operator = rank(session.role) >= RANK.operator;
  const owner = rank(session.role) >= RANK.owner;
  return (
    <div class="actions">
      {operator && (
        <div class="bar" role="group" aria-label="Orders to this job">
          {works && (
            <button type="button" disabled={busy !== null} onClick={() => void act(order("Pause"))}>
              Pause
            </button>
          )}
          {stopped && (
            <button type="button" class="main" disabled={busy !== null} onClick={() => void act(order("Resume"))}>
              Resume
            </button>
          )}
          {works && (
            <button
              type="button"
              disabled={busy !== null}
              onClick={() => void act(order("Tick", (answer) => evaluated(answer as Ticked)))}
            >
              Tick
            </button>
          )}
          {owner && job.status !== "IDLE" && job.status !== "LIQUIDATING" && (
            <button type="button" class="danger" disabled={busy !== null} onClick={liquidate}>
              Liquidate…
            </button>
          )}
        </div>
      )}
      <div role="status" aria-live="polite">
        {busy && <p class="faint">{busy}…</p>}
        {said && <p class={`notice ${said.bad ? "bad" : "good"}`}>{said.text}</p>}
      </div>
      {asked && (
        <Confirm
          asked={asked}
          job={job}
          no={() => ask(null)}
          yes={() => {
            ask(null);
            void act(asked.order, asked.confirm);
          }}
        />
      )}
    </div>
  );
}

/** Shows what would be done. With real money the ticker is typed back. */
function Confirm({ asked, job, yes, no }: { asked: Asked; job: Job; yes: () => void; no: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const live = job.realm === "live";
  const ready = !live || typed.trim() === job.symbol;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class={job.realm} aria-labelledby="confirm-title" onCancel={no} onClose={no}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) yes();
        }}
      >
        <h2 id="confirm-title">{live ? "This moves real money" : "Sell the position?"}</h2>
        <p>
          It would <strong>{asked.would}</strong>.
        </p>
        {asked.shown.map((line) => (
          <p key={line}>{line}</p>
        ))}
        {live && (
          <label>
            Type {job.symbol} to confirm
            <input value={typed} autocomplete="off" spellcheck={false} onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
        )}
        <div class="bar">
          <button type="button" onClick={no}>
            Cancel
          </button>
          <button type="submit" class="danger" disabled={!ready}>
            {asked.order.label}
          </button>
        </div>
      </form>
    </dialog>
  );
}
