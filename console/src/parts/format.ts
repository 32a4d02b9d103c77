// Numbers and times as the command line writes them: few digits, cut towards zero. Numbers stay text, for they have more
// digits than a number of JavaScript.

const DIGITS = 6;
const DIGITS_OF_A_CENT = 4;
const ZEROS_MAX = 4;

function parts(number: string): [sign: string, whole: string, fraction: string] {
  const sign = number.startsWith("-") ? "-" : "";
  const [whole = "", fraction = ""] = plain(number).replace("-", "").split(".");
  return [sign, whole.replace(/^0+/, ""), fraction];
}

/** Without an exponent, which the API may write. */
function plain(number: string): string {
  const found = number.match(/^(-?)(\d+)(?:\.(\d+))?e-?(\d+)$/);
  if (!found) return number;
  const [, sign = "", whole = "", fraction = "", zeros = "0"] = found;
  const digits = "0".repeat(Number(zeros)) + whole + fraction;
  const point = whole.length;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function afterPoint(digits: string): string {
  const kept = digits.replace(/0+$/, "");
  return kept ? `.${kept}` : "";
}

function significant(number: string, digits: number): string {
  const [sign, whole, fraction] = parts(number);
  if (whole) return sign + grouped(whole) + afterPoint(fraction.slice(0, Math.max(0, digits - whole.length)));
  const zeros = fraction.match(/^0*/)?.[0].length ?? 0;
  const kept = fraction.slice(zeros, zeros + digits).replace(/0+$/, "");
  if (!kept) return "0";
  if (zeros >= ZEROS_MAX) return `${sign}${kept[0]}${afterPoint(kept.slice(1))}e-${zeros + 1}`;
  return `${sign}0.${"0".repeat(zeros)}${kept}`;
}

function grouped(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+$)/g, ",");
}

type Text = string | null | undefined;

export function price(value: Text): string {
  return value ? significant(value, DIGITS) : "-";
}

export const amount = price;

/** USD to the cent; less than a cent with its first digits. */
export function usd(value: Text): string {
  if (!value) return "-";
  const [sign, whole, fraction] = parts(value);
  const cents = `${fraction}00`.slice(0, 2);
  if (!whole && cents === "00" && /[1-9]/.test(fraction)) return significant(value, DIGITS_OF_A_CENT);
  return `${whole || cents !== "00" ? sign : ""}${grouped(whole || "0")}.${cents}`;
}

/** With its sign, for what was gained or lost. */
export function gain(value: Text): string {
  const text = usd(value);
  return /[1-9]/.test(text) && !text.startsWith("-") ? `+${text}` : text;
}

export function tone(value: Text): "good" | "bad" | "" {
  if (!value || !/[1-9]/.test(value)) return "";
  return value.startsWith("-") ? "bad" : "good";
}

export function percent(value: Text): string {
  if (!value) return "-";
  const [sign, whole, fraction] = parts(value);
  return `${sign}${grouped(whole || "0")}${afterPoint(fraction.slice(0, 2))} %`;
}

/** `2026-11-30 09:00:00 EST` */
export function full(time: Text, zone = "UTC"): string {
  if (!time) return "-";
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  });
  const found = new Map(format.formatToParts(new Date(time)).map((part) => [part.type, part.value]));
  const of = (type: Intl.DateTimeFormatPartTypes) => found.get(type) ?? "";
  const date = `${of("year")}-${of("month")}-${of("day")}`;
  return `${date} ${of("hour")}:${of("minute")}:${of("second")} ${of("timeZoneName")}`;
}

/** `in 3 h 52 m`, `7 m ago` */
export function distance(time: Text, now: string | number): string {
  if (!time) return "-";
  const apart = Math.trunc((new Date(time).getTime() - new Date(now).getTime()) / 1_000);
  if (apart === 0) return "now";
  return apart > 0 ? `in ${seconds(apart)}` : `${seconds(-apart)} ago`;
}

/** `3 h 52 m` */
export function seconds(length: number): string {
  const whole = Math.trunc(length);
  const units: [number, string][] = [
    [Math.trunc(whole / 86_400), "d"],
    [Math.trunc(whole / 3_600) % 24, "h"],
    [Math.trunc(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  const first = units.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  const shown = units.slice(first, first + 2).filter(([count]) => count > 0);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

/** `09:00:00 EST (in 3 h)` */
export function near(time: Text, zone: string, now: string): string {
  if (!time) return "-";
  const today = full(now, zone).slice(0, 10);
  const text = full(time, zone);
  return `${text.startsWith(today) ? text.slice(11) : text} (${distance(time, now)})`;
}
