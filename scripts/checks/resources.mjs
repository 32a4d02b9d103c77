// Validates resources of KEDA and of the Prometheus Operator against their own schemas: node resources.mjs FILE..
import { readFileSync } from "node:fs";
import * as keda from "@kubernetes-models/keda/keda.sh/v1alpha1";
import * as monitoring from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import { parseAllDocuments } from "yaml";

const groups = { "keda.sh/v1alpha1": keda, "monitoring.coreos.com/v1": monitoring };
let wrong = 0;
let seen = 0;
for (const file of process.argv.slice(2)) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
        const resource = document.toJS();
        const group = groups[resource.apiVersion] ?? {};
        const Kind = (group.default ?? group)[resource.kind] ?? group[resource.kind];
        if (!Kind) {
            console.error(`${file}: ${resource.apiVersion} ${resource.kind} is no resource of KEDA or the Prometheus Operator`);
            wrong += 1;
            continue;
        }
        try {
            new Kind(resource).validate();
            seen += 1;
        } catch (error) {
            console.error(`${file}: ${resource.kind} ${resource.metadata?.name}: ${error.message}`);
            wrong += 1;
        }
    }
}
if (seen === 0) console.error("no resource is valid, or no file was given");
process.exit(wrong || seen === 0 ? 1 : 0);
