// Orders: writes under one key from the first request to the confirmation, what came of them, and the question before
// what cannot be undone.
import { useEffect, useRef, useState } from "preact/hooks";

import { type Manner, Problem, write } from "../api/client";

/** A write, and what is said once it is done. */
export type Order = {
  label: string;
  path: string;
  body: object;
  key: string;
  manner?: Manner;
  tell: (answer: never) => string;
  /** Called with its answer, too. */
  then?: (answer: never) => void;
};

/** What is to be confirmed, and with which digest. */
export type Asked = { order: Order; would: string; shown: readonly string[]; confirm: string | undefined };
type Said = { text: string; bad: boolean } | null;

export type Orders = {
  busy: string | null;
  said: Said;
  asked: Asked | null;
  say: (said: Said) => void;
  ask: (asked: Asked | null) => void;
  act: (order: Order, confirm?: string) => Promise<void>;
};

const RANK = { viewer: 0, operator: 1, owner: 2 } as const;

/** Whether a role may do what `least` may. */
export function may(role: string, least: keyof typeof RANK): boolean {
  return (RANK[role as keyof typeof RANK] ?? 0) >= RANK[least];
}

/** `failed` sees an error first; true: it has shown it. */
export function useOrders(done: () => void, failed: (error: unknown) => boolean = () => false): Orders {
  const [busy, setBusy] = useState<string | null>(null);
  const [said, say] = useState<Said>(null);
  const [asked, ask] = useState<Asked | null>(null);
  const act = async (order: Order, confirm?: string) => {
    setBusy(order.label);
    say(null);
    try {
      const body = confirm ? { ...order.body, confirm } : order.body;
      const answer = await write<never>(order.path, body, { ...order.manner, key: order.key });
      say({ text: order.tell(answer), bad: false });
      order.then?.(answer);
    } catch (error) {
      if (error instanceof Problem && error.confirm && error.would) {
        ask({ order, would: error.would, shown: error.shown, confirm: error.confirm });
      } else if (!failed(error)) {
        say({ text: error instanceof Error ? error.message : String(error), bad: true });
      }
    }
    setBusy(null);
    done();
  };
  return { busy, said, asked, say, ask, act };
}

/** What came of the last order. */
export function Outcome({ orders: { busy, said } }: { orders: Orders }) {
  return (
    <div role="status" aria-live="polite">
      {busy && <p class="faint">{busy}…</p>}
      {said && <p class={`notice ${said.bad ? "bad" : "good"} lines`}>{said.text}</p>}
    </div>
  );
}

/** The question, if there is one. `word`: what is typed back where it moves real money. */
export function Question({ orders, live, word, title }: { orders: Orders; live: boolean; word: string; title: string }) {
  const { asked, ask, act } = orders;
  if (!asked) return null;
  const yes = () => {
    ask(null);
    void act(asked.order, asked.confirm);
  };
  return <Confirm asked={asked} live={live} word={word} title={title} no={() => ask(null)} yes={yes} />;
}

type Confirming = { asked: Asked; live: boolean; word: string; title: string; yes: () => void; no: () => void };

/** Shows what would be done. With real money a word is typed back. */
function Confirm({ asked, live, word, title, yes, no }: Confirming) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const ready = !live || typed.trim() === word;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class={live ? "live" : "paper"} aria-labelledby="confirm-title" onCancel={no} onClose={no}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) yes();
        }}
      >
        <h2 id="confirm-title">{live ? "This moves real money" : title}</h2>
        <p>
          It would <strong>{asked.would}</strong>.
        </p>
        {asked.shown.map((line) => (
          <p key={line}>{line}</p>
        ))}
        {live && (
          <label>
            Type {word} to confirm
            <input value={typed} autocomplete="off" spellcheck={false} onInput={(event) => setTyped(event.currentTarget.value)} />
          </label>
        )}
        <div class="bar">
          <button type="button" onClick={no}>
            Cancel
          </button>
          <button type="submit" class={live ? "danger" : "main"} disabled={!ready}>
            {asked.order.label}
          </button>
        </div>
      </form>
    </dialog>
  );
}
