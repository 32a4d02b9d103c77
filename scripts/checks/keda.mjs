// Validates KEDA resources against KEDA's own schemas: node keda.mjs FILE..
import { readFileSync } from "node:fs";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { parseAllDocuments } from "yaml";

let wrong = 0;
for (const file of process.argv.slice(2)) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
        const resource = document.toJS();
        const Kind = (keda.default ?? keda)[resource.kind] ?? keda[resource.kind];
        if (resource.apiVersion !== "keda.sh/v1alpha1" || !Kind) {
            console.error(`${file}: ${resource.apiVersion} ${resource.kind} is not a KEDA resource`);
            wrong += 1;
            continue;
        }
        try {
            new Kind(resource).validate();
        } catch (error) {
            console.error(`${file}: ${resource.kind} ${resource.metadata?.name}: ${error.message}`);
            wrong += 1;
        }
    }
}
process.exit(wrong ? 1 : 0);
