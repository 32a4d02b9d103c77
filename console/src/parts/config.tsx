// Keys of a configuration as a form: what is typed stays text, and the server says whether it can be used.
import { useMemo, useState } from "preact/hooks";

import type { KeyLine } from "../api/client";

/** Values by key, as they are typed. */
export type Values = Record<string, string>;

const MODES = ["accumulate", "liquidity", "order"];

/** `accumulate.dca_amount_usd` to its text, for each value of a configuration. */
export function flat(config: unknown, above = ""): Values {
  const found: Values = {};
  for (const [name, value] of Object.entries((config ?? {}) as Record<string, unknown>)) {
    const key = above ? `${above}.${name}` : name;
    if (value === null) continue;
    if (typeof value === "object" && !Array.isArray(value)) Object.assign(found, flat(value, key));
    else found[key] = text(value);
  }
  return found;
}

export function text(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** KEY=VALUE of what differs from `base`. */
export function assignments(values: Values, base: Values): string[] {
  const changed = Object.entries(values).filter(([key, value]) => value.trim() !== (base[key] ?? ""));
  return changed.map(([key, value]) => `${key}=${value.trim()}`);
}

/** The lines of an error that are about a key. */
export function about(key: string, error: string | null): string | null {
  const lines = (error ?? "").split("\n").filter((line) => line.startsWith(key) && !/[a-z_.]/.test(line.charAt(key.length)));
  return lines.length > 0 ? lines.join("\n") : null;
}

type Form = { keys: KeyLine[]; mode: string; base: Values; values: Values; set: (values: Values) => void; error: string | null };

/** All keys of a mode, by section; those of the mode first. */
export function Keys({ keys, mode, base, values, set, error }: Form) {
  const [sought, seek] = useState("");
  const sections = useMemo(() => {
    const own = mode.toLowerCase();
    const found = new Map<string, KeyLine[]>([[own, []]]);
    for (const line of keys) {
      const section = line.key.split(".")[0] ?? "";
      if (MODES.includes(section) && section !== own) continue;
      found.set(section, [...(found.get(section) ?? []), line]);
    }
    return [...found];
  }, [keys, mode]);
  const wanted = sought.trim().toLowerCase();
  const fits = (line: KeyLine) => !wanted || line.key.includes(wanted) || line.about.toLowerCase().includes(wanted);
  return (
    <>
      <label class="seek">
        Find a key
        <input type="search" value={sought} placeholder="slippage, cron, take profit" onInput={(event) => seek(event.currentTarget.value)} />
      </label>
      {sections.map(([section, lines], index) => {
        const shown = lines.filter(fits);
        if (shown.length === 0) return null;
        const touched = shown.filter((line) => (values[line.key] ?? "") !== (base[line.key] ?? "")).length;
        return (
          <details class="card keys" open={index === 0 || wanted !== "" || touched > 0} key={section}>
            <summary>
              <h2>{section}</h2> <span class="faint">{touched > 0 ? `${touched} changed` : `${shown.length} keys`}</span>
            </summary>
            {shown.map((line) => (
              <Key
                line={line}
                value={values[line.key] ?? ""}
                changed={(values[line.key] ?? "").trim() !== (base[line.key] ?? "")}
                error={about(line.key, error)}
                set={(value) => set({ ...values, [line.key]: value })}
                key={line.key}
              />
            ))}
          </details>
        );
      })}
    </>
  );
}

type Field = { line: KeyLine; value: string; changed: boolean; error: string | null; set: (value: string) => void };

function Key({ line, value, changed, error, set }: Field) {
  const id = line.key.replaceAll(".", "-");
  const usual = text(line.default);
  return (
    <div class={`key ${changed ? "changed" : ""}`}>
      <label for={id}>
        <code>{line.key}</code>
      </label>
      <input
        id={id}
        value={value}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={error ? "true" : undefined}
        aria-describedby={`${id}-about${error ? ` ${id}-error` : ""}`}
        onInput={(event) => set(event.currentTarget.value)}
      />
      <p class="faint" id={`${id}-about`}>
        {line.about}
        {usual && (
          <>
            {"; default "}
            <code>{usual}</code>
          </>
        )}
      </p>
      {error && (
        <p class="bad lines" id={`${id}-error`}>
          {error}
        </p>
      )}
    </div>
  );
}
