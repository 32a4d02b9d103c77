import { useState } from "preact/hooks";

import { page, save, type Trade } from "../api/client";
import { Loading, Problems } from "../parts/common";
import { useRead } from "../parts/hooks";
import { TradeTable } from "../parts/trades";

const PAGE = 100;

export function TradesView() {
  const [realm, setRealm] = useState("");
  const [token, setToken] = useState("");
  // Where each page that was left begins; the first is the newest.
  const [before, setBefore] = useState<string[]>([]);
  const query = new URLSearchParams({ limit: String(PAGE) });
  const from = before.at(-1);
  for (const [name, value] of Object.entries({ realm, token: token.trim(), before: from })) if (value) query.set(name, value);
  const path = `/trades?${query}`;
  const { data, error } = useRead(() => page<Trade>(path), () => from === undefined, path);
  const next = data?.next ? new URLSearchParams(data.next.split("?")[1]).get("before") : null;
  const chosen = new URLSearchParams();
  for (const [name, value] of Object.entries({ realm, token: token.trim() })) if (value) chosen.set(name, value);
  const [unsaved, setUnsaved] = useState<string | null>(null);
  const file = (format: string) => () => {
    setUnsaved(null);
    save(`/export?${new URLSearchParams([["format", format], ...chosen])}`, `lgi-mm.${format}`).catch((failed: unknown) =>
      setUnsaved(failed instanceof Error ? failed.message : String(failed)),
    );
  };
  const choose = (set: (value: string) => void) => (event: Event) => {
    set((event.currentTarget as HTMLInputElement).value);
    setBefore([]);
  };
  return (
    <>
      <h1 tabIndex={-1}>Trades</h1>
      <div class="bar">
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
        <span class="files">
          Save all of them as{" "}
          <button type="button" onClick={file("csv")}>
            CSV
          </button>{" "}
          or{" "}
          <button type="button" onClick={file("json")}>
            JSON
          </button>
        </span>
      </div>
      <Problems error={error ?? unsaved} />
      {!data && !error && <Loading />}
      {data && <TradeTable trades={data.rows} job={false} />}
      {(before.length > 0 || next) && (
        <div class="bar pager">
          <button type="button" disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>
            Newer
          </button>
          <button type="button" disabled={!next} onClick={() => next && setBefore([...before, next])}>
            Older
          </button>
        </div>
      )}
    </>
  );
}
