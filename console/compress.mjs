// Writes FILE.gz next to each built file, so that the program need not compress, and says how large the page is.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const largest = 300_000;
let all = 0;
for (const entry of readdirSync("dist", { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || entry.name.startsWith(".") || entry.name.endsWith(".gz")) continue;
  const path = `${entry.parentPath}/${entry.name}`;
  const compressed = gzipSync(readFileSync(path), { level: 9 });
  writeFileSync(`${path}.gz`, compressed);
  all += compressed.length;
  console.log(`${path}: ${compressed.length} bytes compressed`);
}
console.log(`all: ${all} bytes compressed`);
if (all > largest) throw new Error(`the console has ${all} bytes compressed, more than ${largest}`);
